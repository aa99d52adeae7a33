"""Pages over the trade screen, one a file; keymap.py has the key of each."""
