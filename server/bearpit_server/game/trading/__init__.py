"""What operators set of the market: instruments, hours, how prices form, headlines."""
