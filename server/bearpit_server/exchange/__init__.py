"""The way of an order: accepted, executed and settled, in one commit where that can be, and told after it."""
