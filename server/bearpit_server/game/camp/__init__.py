"""What a camp has beside the market: teams, booths, arcade machines."""
