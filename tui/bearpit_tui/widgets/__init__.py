"""What the screen is drawn with: widgets that are given plain rows and send plain messages."""
