"""The house bots: market makers and noise traders, clients of the game like any other."""
