"""Duels. Each module's functions run inside the caller's transaction, but for the limits."""
