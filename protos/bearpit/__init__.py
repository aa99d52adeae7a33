"""What every client of Bearpit shares: the contract and a client for it."""
