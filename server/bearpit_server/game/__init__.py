"""The game around the exchange: points, what operators set, codes, duels, a camp, ranks, notices, proofs."""
