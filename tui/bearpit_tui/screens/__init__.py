"""What fills the terminal: the trade screen, the sign-in, and what is laid over them."""
