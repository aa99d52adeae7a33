"""The axes: which row a price is in, and which round prices and times to name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Prices from `low` to `high` cents over `rows` rows, the highest on top."""

    low: int
    high: int
    rows: int

    @classmethod
    def around(cls, low: int, high: int, rows: int) -> "Scale":
        """A scale with a little air above and below."""
        high = max(low, high)
        air = max((high - low) // 24, 1)
        return cls(low - air, high + air, rows)

    def part(self, price: int, parts: int) -> int:
        """Where a price is when every row is cut into `parts`, from 0 at the top; it may be off the axis."""
        span = self.high - self.low
        steps = self.rows * parts - 1
        return ((self.high - price) * steps * 2 + span) // (2 * span)

    def row(self, price: int) -> int:
        return self.part(price, 2) // 2

    def price(self, row: int) -> int:
        """The price in the middle of a row."""
        steps = max(self.rows - 1, 1)
        return self.high - (self.high - self.low) * row // steps

    def ticks(self, apart: int = 4) -> list[int]:
        """Round prices, at least `apart` rows from each other, highest first."""
        step = round_step(-(-(self.high - self.low) * apart // max(self.rows, 1)))
        first = self.high // step * step
        return list(range(first, self.low - 1, -step))


def round_step(least: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, … that is not below `least`."""
    power = 1
    while power * 5 < least:
        power *= 10
    return next(step for step in (power, power * 2, power * 5) if step >= least)


MINUTE, HOUR, DAY = 60, 3600, 86_400
TIME_STEPS = (
    *(MINUTE * minutes for minutes in (1, 2, 5, 10, 15, 20, 30)),
    *(HOUR * hours for hours in (1, 2, 3, 6, 12)),
)


def time_step(least: int) -> int:
    """The smallest span people count time by that is not below `least` seconds."""
    whole_days = -(-least // DAY)
    return next((step for step in TIME_STEPS if step >= least), DAY * round_step(whole_days))
