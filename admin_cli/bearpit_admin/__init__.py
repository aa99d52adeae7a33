"""`bearpit-admin`: running the game from a command line. It speaks gRPC like any other client."""
