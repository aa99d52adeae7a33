"""The way of an order: accepted in one commit, executed in a second, told after it."""
