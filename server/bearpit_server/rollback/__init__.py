"""Undoing trades and prices: asked for, approved, carried out in steps that a crash cannot break, proven."""
