"""Who somebody is: players, passwords, sign-ins, tokens, roles."""
