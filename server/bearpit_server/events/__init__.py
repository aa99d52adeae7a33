"""The event log: every state change is a row, written in its own transaction."""
