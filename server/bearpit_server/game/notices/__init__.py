"""What is said to players: by operators, by what happens, and after they were away."""
