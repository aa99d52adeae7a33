"""What players have: given, sent, lent, and what brought it about."""
