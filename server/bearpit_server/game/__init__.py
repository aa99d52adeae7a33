"""The game around the exchange: players' money, instruments, the market's hours, announcements, proofs."""
