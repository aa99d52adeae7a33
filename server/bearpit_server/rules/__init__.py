"""The game's rules, pure: no gRPC, no database, no clock, no randomness of their own."""
