"""What pages ask of a server, one noun a file: its words, its protocol, and the real thing behind it."""
