"""The only code that changes a balance."""
