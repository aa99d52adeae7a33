"""Bearpit's server: the market, its ledger and everything that must be provable afterwards."""
