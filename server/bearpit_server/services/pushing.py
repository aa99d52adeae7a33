"""One stream of prices from another service: each is taken or refused by itself, and refusals are counted."""

from collections import Counter
from datetime import UTC, datetime
from typing import Protocol

from bearpit.v1 import pricing_pb2 as pb

from bearpit_server.exchange.listings import Listings
from bearpit_server.game.trading import pricing
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.services import wire
from bearpit_server.storage.database import Database

MESSAGES = 20
"""The first refusals are told in words."""
COUNT_EVERY = 100
"""Refusals after which they are written down, so that a server that dies forgets no more than these."""


class Exchange(Protocol):
    """What prices are handed to."""

    @property
    def listings(self) -> Listings:
        """All instruments."""
        ...

    async def push(self, symbol: str, price_cents: int, at: datetime) -> None:
        """Take a price from outside."""


class Pushing:
    """What has become of a stream of prices so far."""

    def __init__(self, exchange: Exchange, database: Database) -> None:
        self.response = pb.PushPricesResponse()
        self._exchange = exchange
        self._database = database
        self._uncounted: dict[int, Counter[str]] = {}
        """By group, by reason."""

    async def take(self, request: pb.PushPricesRequest) -> None:
        """Hand a price to the exchange; that it is refused does not end the stream."""
        try:
            wire.check(request)
            if not request.HasField("at"):
                raise invalid("at", "give the moment of the price")
            await self._exchange.push(request.symbol, request.price_cents, request.at.ToDatetime(UTC))
        except Refused as refused:
            await self._refuse(request.symbol, refused)
        else:
            self.response.accepted += 1

    async def _refuse(self, symbol: str, refused: Refused) -> None:
        self.response.refused[refused.reason] += 1
        if len(self.response.messages) < MESSAGES:
            self.response.messages.append(f"{symbol[:24]}: {refused.message}")
        listing = self._exchange.listings.by_symbol.get(symbol)
        if listing is not None and listing.group_id:
            uncounted = self._uncounted.setdefault(listing.group_id, Counter())
            uncounted[refused.reason] += 1
            if uncounted.total() >= COUNT_EVERY:
                await self.count()

    async def count(self) -> None:
        """Write the refusals down that are not yet, with their groups."""
        counts, self._uncounted = self._uncounted, {}
        if counts:
            await self._database.run(pricing.count_refused, counts)
