"""What subscribers are told: fan-out of what was committed, conflated or gapless, always bounded."""
