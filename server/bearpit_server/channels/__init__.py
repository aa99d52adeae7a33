"""Where else notifications go. Each kind of channel is one file."""
