"""Trading windows: their life by the clock and by hand, and the prices that they end in."""
