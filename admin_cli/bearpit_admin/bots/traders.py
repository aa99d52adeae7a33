"""The bots at work: a maker keeps its quotes around the value, a noise trader does as it likes."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Protocol

from bearpit.client import BearpitError, Client
from bearpit.v1 import trading_pb2, wallet_pb2

from bearpit_admin.bots import noise, quoting
from bearpit_admin.bots.board import Board
from bearpit_admin.bots.noise import Sight, Wish
from bearpit_admin.bots.quoting import Quote, Resting, Style

REQUOTE_SECONDS = 0.8
THINK_SECONDS = 1.2
"""The mean time between two orders of one noise trader."""
WALLET_ROUNDS = 5
"""Rounds between two looks at one's own shares."""
MOST_RESTING = 12
"""A noise trader with more orders in the book than this takes them all back."""
LEAVE_SECONDS = 2.0
LINGER_SECONDS = 12.0
"""How long a wanderer looks at one thing, about."""


class Trader(Protocol):
    """A bot that trades round by round."""

    async def round(self, client: Client) -> None:
        """Look, decide, send."""

    def pause(self) -> float:
        """Seconds until the next round."""


async def trade(client: Client, trader: Trader) -> None:
    """Go round until something fails or we are cancelled; take all orders back before and after."""
    await client.cancel_all()
    try:
        while True:
            await trader.round(client)
            await asyncio.sleep(trader.pause())
    finally:
        with suppress(BearpitError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await client.cancel_all()


class Maker:
    """Quotes every stock that has a value."""

    def __init__(
        self,
        board: Board,
        value_of: Callable[[str], int],
        symbols: Sequence[str],
        style: Style,
        target_shares: int,
        random: Random,
    ) -> None:
        self._board = board
        self._value_of = value_of
        self._symbols = symbols
        self._style = style
        self._target_shares = target_shares
        self._random = random
        self._shares: dict[str, int] = {}
        self._round = 0

    def pause(self) -> float:
        return REQUOTE_SECONDS * (0.75 + self._random.random() / 2)

    async def round(self, client: Client) -> None:
        if self._round % WALLET_ROUNDS == 0:
            self._shares = {symbol: quantity for symbol, (quantity, _) in (await _positions(client)).items()}
        self._round += 1
        request = trading_pb2.ListOrdersRequest(open_only=True, page_size=1000)
        orders = (await client.trading.ListOrders(request)).orders
        stale: list[int] = []
        fresh: list[trading_pb2.PlaceOrderRequest] = []
        for symbol in self._symbols:
            if self._board.is_open(symbol):
                cancel, place = self._wanted(symbol, orders)
                stale += cancel
                fresh += [_quote(symbol, quote) for quote in place]
        # First away with the old: a new bid above an old ask of one's own would be refused.
        async with asyncio.TaskGroup() as tasks:
            for order_id in stale:
                tasks.create_task(_cancel(client, order_id))
        if fresh:
            await client.trading.PlaceOrders(trading_pb2.PlaceOrdersRequest(orders=fresh))

    def _wanted(self, symbol: str, orders: Sequence[trading_pb2.Order]) -> tuple[list[int], list[Quote]]:
        resting = [
            Resting(
                order.order_id,
                order.spec.side == trading_pb2.SIDE_BUY,
                order.spec.price_cents,
                order.remaining_quantity,
            )
            for order in orders
            if order.spec.symbol == symbol
        ]
        excess = self._shares.get(symbol, self._target_shares) - self._target_shares
        tick = self._board.ticks[symbol]
        return quoting.changes(resting, quoting.quotes(self._value_of(symbol), tick, excess, self._style))


class NoiseTrader:
    """Trades anything that is listed, a little at a time."""

    def __init__(self, board: Board, random: Random) -> None:
        self._board = board
        self._random = random
        self._free: dict[str, int] = {}
        self._round = 0
        self._resting = 0

    def pause(self) -> float:
        return min(self._random.expovariate(1 / THINK_SECONDS), 5 * THINK_SECONDS)

    async def round(self, client: Client) -> None:
        if self._round % WALLET_ROUNDS == 0:
            self._free = {symbol: free for symbol, (_, free) in (await _positions(client)).items()}
        self._round += 1
        symbols = [symbol for symbol in sorted(self._board.ticks) if self._board.is_open(symbol)]
        if not symbols:
            return
        wish = noise.wish(self._random, self._sight(self._random.choice(symbols)))
        if wish is None:
            return
        try:
            placed = await client.place(_spec_of(wish))
        except BearpitError as error:
            # The market has moved on, or is shutting: nothing that a noise trader would mind.
            if error.reason in ("", "NOT_SIGNED_IN"):
                raise
            await asyncio.sleep(error.retry_after_seconds)
            return
        self._resting += placed.order.status == trading_pb2.ORDER_STATUS_WORKING
        if self._resting > MOST_RESTING:
            self._resting = 0
            await client.cancel_all()

    def _sight(self, symbol: str) -> Sight:
        quote = self._board.quotes[symbol]
        return Sight(
            symbol,
            self._board.ticks[symbol],
            quote.bid_cents,
            quote.ask_cents,
            quote.last_cents,
            self._free.get(symbol, 0),
        )


class Wanderer:
    """Looks at one instrument after the other, and lingers where others have looked before.

    What it looks at gets its attention: it has the instrument's book open for a while.
    """

    def __init__(self, board: Board, symbols: Sequence[str], random: Random) -> None:
        self._board = board
        self._symbols = symbols
        self._random = random

    async def wander(self, client: Client) -> None:
        """Look around for as long as the client lives."""
        while True:
            listed = [symbol for symbol in self._symbols if self._board.is_open(symbol)]
            seconds = LINGER_SECONDS * (0.3 + self._random.expovariate(1.0))
            if not listed:
                await asyncio.sleep(seconds)
                continue
            weights = [1 + self._board.quotes[symbol].attention_bps / 2_000 for symbol in listed]
            symbol = self._random.choices(listed, weights)[0]
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for _ in client.stream_book(symbol, 1):
                        pass


async def _positions(client: Client) -> dict[str, tuple[int, int]]:
    """Of each symbol all shares, and those that are free."""
    wallet = (await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet
    return {one.symbol: (one.quantity, one.quantity - one.held) for one in wallet.positions}


async def _cancel(client: Client, order_id: int) -> None:
    """Take an order back; that it has been filled meanwhile is no failure."""
    try:
        await client.cancel(order_id)
    except BearpitError as error:
        if error.reason not in ("ORDER_NOT_OPEN", "NOT_FOUND"):
            raise


def _quote(symbol: str, quote: Quote) -> trading_pb2.PlaceOrderRequest:
    # Not post-only: an order that was left behind by the value would keep the quotes out; so it is taken.
    spec = trading_pb2.OrderSpec(
        symbol=symbol,
        side=_side(quote.buys),
        type=trading_pb2.ORDER_TYPE_LIMIT,
        quantity=quote.quantity,
        price_cents=quote.price_cents,
    )
    return trading_pb2.PlaceOrderRequest(order=spec)


def _spec_of(wish: Wish) -> trading_pb2.OrderSpec:
    return trading_pb2.OrderSpec(
        symbol=wish.symbol,
        side=_side(wish.buys),
        type=trading_pb2.ORDER_TYPE_LIMIT,
        quantity=wish.quantity,
        price_cents=wish.price_cents,
        time_in_force=trading_pb2.TIME_IN_FORCE_IOC if wish.takes else trading_pb2.TIME_IN_FORCE_GTC,
    )


def _side(buys: bool) -> trading_pb2.Side:
    return trading_pb2.SIDE_BUY if buys else trading_pb2.SIDE_SELL
