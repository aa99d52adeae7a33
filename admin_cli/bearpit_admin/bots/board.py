"""What the bots see: the latest quote of every instrument, and the history's clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bearpit.client import Client
from bearpit.v1 import market_pb2

SECONDS_A_WEEK = 20.0
"""A year goes by in 17 minutes."""


@dataclass(slots=True)
class Board:
    """The market as one stream of prices tells it; shared by all bots of a process."""

    quotes: dict[str, market_pb2.Quote] = field(default_factory=dict)
    ticks: dict[str, int] = field(default_factory=dict)

    def is_open(self, symbol: str) -> bool:
        """Whether an instrument trades continuously."""
        quote = self.quotes.get(symbol)
        return quote is not None and symbol in self.ticks and quote.phase == market_pb2.PHASE_OPEN

    async def follow(self, client: Client) -> None:
        """Keep the board up to date for as long as the client lives."""
        request = market_pb2.ListInstrumentsRequest(page_size=1000)
        listed = (await client.market.ListInstruments(request)).instruments
        self.ticks = {instrument.symbol: instrument.tick_cents for instrument in listed}
        async for frame in client.stream_prices(list(self.ticks)):
            quotes = frame.snapshot if frame.WhichOneof("frame") == "snapshot" else frame.update
            self.quotes.update({quote.symbol: quote for quote in quotes.quotes})


class HistoryClock:
    """How many weeks of history have gone by while the bots ran."""

    def __init__(
        self,
        weeks: float,
        seconds_a_week: float = SECONDS_A_WEEK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._began_with = weeks
        self._seconds_a_week = seconds_a_week
        self._clock = clock
        self._began = clock()

    @property
    def weeks(self) -> float:
        """Up to now, those before a restart included."""
        return self._began_with + (self._clock() - self._began) / self._seconds_a_week
