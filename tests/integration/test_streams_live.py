"""The streams of the real server: whoever follows them knows what whoever asks is told."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2
from bearpit.v1 import market_pb2 as mk
from bearpit.v1 import trading_pb2 as tr
from bearpit.v1 import wallet_pb2 as wa

from tests.integration.stage import read, until
from tests.venue import Venue

SYMBOL = "ABC"


class Ledger:
    """What a player's two streams have told, across any number of reconnections."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.orders: dict[int, tr.Order] = {}
        self.fills: list[tr.Fill] = []
        self.wallet = wa.Wallet()
        self.order_number = 0
        self.wallet_number = 0

    async def follow_orders(self) -> None:
        call = self.client.trading.StreamOrders(tr.StreamOrdersRequest(after_sequence=self.order_number))
        async for frame in call:
            if frame.HasField("snapshot"):
                assert not self.order_number, "who resumes gets no snapshot"
                self.orders = {order.order_id: order for order in frame.snapshot.orders}
            elif frame.HasField("update"):
                assert frame.sequence == self.order_number + 1
                order = frame.update.order
                self.orders[order.order_id] = order
                if order.status > tr.ORDER_STATUS_WORKING:
                    del self.orders[order.order_id]
                if frame.update.HasField("fill"):
                    self.fills.append(frame.update.fill)
            self.order_number = frame.sequence

    async def follow_wallet(self) -> None:
        call = self.client.wallet.StreamWallet(wa.StreamWalletRequest(after_sequence=self.wallet_number))
        async for frame in call:
            if frame.HasField("snapshot"):
                self.wallet = frame.snapshot
            elif frame.HasField("update"):
                assert frame.sequence == self.wallet_number + 1
                positions = {position.symbol: position for position in self.wallet.positions}
                positions.update((position.symbol, position) for position in frame.update.positions)
                self.wallet = wa.Wallet(
                    cash_cents=frame.update.cash_cents, held_cents=frame.update.held_cents,
                    player_id=frame.update.player_id,
                    positions=[positions[symbol] for symbol in sorted(positions)],
                )  # fmt: skip
            self.wallet_number = frame.sequence


class Board:
    """What the market's streams have told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.quote = mk.Quote()
        self.bids: dict[int, mk.Level] = {}
        self.asks: dict[int, mk.Level] = {}
        self.trades: list[mk.Trade] = []

    async def follow_prices(self) -> None:
        async for frame in self.client.market.StreamPrices(mk.StreamPricesRequest(symbols=[SYMBOL])):
            for quote in (*frame.snapshot.quotes, *frame.update.quotes):
                self.quote = quote

    async def follow_book(self) -> None:
        async for frame in self.client.market.StreamBook(mk.StreamBookRequest(symbol=SYMBOL, levels=5)):
            if frame.HasField("snapshot"):
                self.bids, self.asks = {}, {}
            for told in (frame.snapshot, frame.update):
                for side, levels in ((self.bids, told.bids), (self.asks, told.asks)):
                    for level in levels:
                        side[level.price_cents] = level
                        if not level.quantity:
                            del side[level.price_cents]

    async def follow_trades(self) -> None:
        after = self.trades[-1].trade_id if self.trades else 0
        request = mk.StreamTradesRequest(symbol=SYMBOL, after_sequence=after)
        async for frame in self.client.market.StreamTrades(request):
            assert not (after and frame.HasField("snapshot"))
            self.trades += [*frame.snapshot.trades, *frame.update.trades]

    def levels(self) -> tuple[list[mk.Level], list[mk.Level]]:
        return [self.bids[cents] for cents in sorted(self.bids, reverse=True)], [
            self.asks[cents] for cents in sorted(self.asks)
        ]


class Connections:
    """Follows streams, and breaks off and takes up again any of them."""

    def __init__(self) -> None:
        self._follows: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[asyncio.Future[None]] = []

    def open(self, *follows: Callable[[], Awaitable[None]]) -> None:
        for follow in follows:
            self._follows.append(follow)
            self._tasks.append(asyncio.ensure_future(_resuming(follow)))

    async def break_off(self, index: int) -> None:
        index %= len(self._tasks)
        self._tasks[index].cancel()
        await asyncio.wait([self._tasks[index]])
        self._tasks[index] = asyncio.ensure_future(_resuming(self._follows[index]))

    def check(self) -> None:
        """Raise what a follower has met."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


async def _resuming(follow: Callable[[], Awaitable[None]]) -> None:
    """Follow; a wallet that is too old to resume begins anew, as a client does."""
    while True:
        try:
            await follow()
        except BearpitError as error:
            if error.reason != "RESUME_TOO_OLD":
                raise
            ledger = getattr(follow, "__self__", None)
            assert isinstance(ledger, Ledger), "trades and orders reach back far enough"
            ledger.wallet_number = 0


@asynccontextmanager
async def trading(venue: Venue) -> AsyncIterator[list[Client]]:
    """Three players with cash and shares, and an open market."""
    await venue.list_instrument(SYMBOL, fee_bps=25)
    players = [await venue.player(name, 10_000_000, **{SYMBOL: 1_000}) for name in ("ann", "bob", "cyd")]
    await venue.open_market()
    yield players


async def act(draw: random.Random, client: Client, open_orders: list[int]) -> None:
    """Place or cancel something."""
    if open_orders and draw.random() < 0.3:
        request = tr.CancelOrderRequest(order_id=open_orders.pop(draw.randrange(len(open_orders))))
        try:
            await client.trading.CancelOrder(request)
        except BearpitError as error:
            if error.reason != "ORDER_NOT_OPEN":
                raise
        return
    spec = tr.OrderSpec(
        symbol=SYMBOL,
        side=draw.choice((tr.SIDE_BUY, tr.SIDE_SELL)),
        type=tr.ORDER_TYPE_LIMIT,
        price_cents=draw.randint(95, 105),
        quantity=draw.randint(1, 9),
    )
    try:
        placed = await client.trading.PlaceOrder(tr.PlaceOrderRequest(order=spec))
        open_orders.append(placed.order.order_id)
    except BearpitError as error:
        if error.reason != "INSUFFICIENT_SHARES":
            raise


async def test_what_the_streams_told_is_what_the_server_tells_who_asks(venue: Venue) -> None:
    draw = random.Random(7)
    connections = Connections()
    async with trading(venue) as players:
        ledgers, board = [Ledger(player) for player in players], Board(players[0])
        for ledger in ledgers:
            connections.open(ledger.follow_orders, ledger.follow_wallet)
        connections.open(board.follow_prices, board.follow_book, board.follow_trades)
        try:
            bid = tr.OrderSpec(symbol=SYMBOL, side=tr.SIDE_BUY, price_cents=95, quantity=1)
            mine = [[(await venue.place(player, bid)).order.order_id] for player in players]
            # Whose snapshot is taken later does not hear of the first fills, and may not be told of them.
            await until(lambda: all(ledger.order_number for ledger in ledgers))
            for _ in range(60):
                async with asyncio.TaskGroup() as group:
                    for player, orders in zip(players, mine, strict=True):
                        group.create_task(act(draw, player, orders))
                        group.create_task(act(draw, player, orders))
                await connections.break_off(draw.randrange(100)) if draw.random() < 0.4 else None
                connections.check()
            await _agree(ledgers, board, connections)
        finally:
            await connections.close()
    assert len(board.trades) > 20, "the test has tested something"


async def _agree(ledgers: list[Ledger], board: Board, connections: Connections) -> None:
    """Compare until all has arrived."""
    differing: list[str] = ["everything"]
    for _ in range(50):
        connections.check()
        differing = [difference async for difference in _differences(ledgers, board)]
        if not differing:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(differing)


async def _differences(ledgers: list[Ledger], board: Board) -> AsyncIterator[str]:
    for ledger in ledgers:
        client = ledger.client
        orders = await client.trading.ListOrders(tr.ListOrdersRequest(open_only=True, page_size=1_000))
        if sorted(order.SerializeToString() for order in orders.orders) != sorted(
            order.SerializeToString() for order in ledger.orders.values()
        ):
            yield f"orders: {orders.orders} but {ledger.orders}"
        wallet = (await client.wallet.GetWallet(wa.GetWalletRequest())).wallet
        if wallet != ledger.wallet:
            yield f"wallet: {wallet} but {ledger.wallet}"
        fills = (await client.trading.ListFills(tr.ListFillsRequest(page_size=1_000))).fills
        if sorted((f.trade_id, f.order_id) for f in fills) != sorted(
            (f.trade_id, f.order_id) for f in ledger.fills
        ):
            yield f"fills: {len(fills)} but {len(ledger.fills)}"
    market = board.client.market
    book = (await market.GetBook(mk.GetBookRequest(symbol=SYMBOL, levels=5))).book
    if (list(book.bids), list(book.asks)) != board.levels():
        yield f"book: {book} but {board.levels()}"
    quote = (await market.GetInstrument(mk.GetInstrumentRequest(symbol=SYMBOL))).quote
    if quote != board.quote:
        yield f"quote: {quote} but {board.quote}"
    trades = (await market.ListTrades(mk.ListTradesRequest(symbol=SYMBOL, page_size=1_000))).trades
    if list(trades)[::-1] != board.trades:
        yield f"trades: {len(trades)} but {len(board.trades)}"


async def test_candles_and_volume_are_those_of_the_trades(venue: Venue) -> None:
    draw = random.Random(11)
    async with trading(venue) as players:
        for _ in range(40):
            for player in players:
                await act(draw, player, [])
        market = players[0].market
        trades = (await market.ListTrades(mk.ListTradesRequest(symbol=SYMBOL, page_size=1_000))).trades
        assert trades
        (volume,) = (await market.GetVolume(mk.GetVolumeRequest())).volumes
        value = sum(trade.price_cents * trade.quantity for trade in trades)
        quantity = sum(trade.quantity for trade in trades)
        assert (volume.quantity, volume.value_cents, volume.trades) == (quantity, value, len(trades))
        for period in (mk.PERIOD_1M, mk.PERIOD_5M, mk.PERIOD_15M, mk.PERIOD_1H, mk.PERIOD_1D):
            candles = (await market.ListCandles(mk.ListCandlesRequest(symbol=SYMBOL, period=period))).candles
            assert sum(candle.volume for candle in candles) == quantity
            assert sum(candle.value_cents for candle in candles) == value
            assert candles[0].open_cents == trades[-1].price_cents
            assert candles[-1].close_cents == trades[0].price_cents
        quote = (await market.GetInstrument(mk.GetInstrumentRequest(symbol=SYMBOL))).quote
        assert (quote.last_cents, quote.volume) == (trades[0].price_cents, quantity)


async def test_a_halt_is_told_as_status_and_as_the_quotes_phase(venue: Venue) -> None:
    async with trading(venue) as players:
        prices = players[0].market.StreamPrices(mk.StreamPricesRequest())
        status = players[0].market.StreamStatus(mk.StreamStatusRequest())
        assert (await read(prices)).snapshot.quotes[0].phase == mk.PHASE_OPEN
        assert (await read(status)).snapshot.phase == mk.PHASE_OPEN
        operator = await venue.operator()
        await operator.admin.SetHalt(admin_pb2.SetHaltRequest(halted=True))
        assert (await read(prices)).update.quotes[0].phase == mk.PHASE_HALTED
        frame = await read(status)
        while frame.update.phase != mk.PHASE_HALTED:
            frame = await read(status)


async def test_a_player_is_watched_while_one_of_its_streams_is_open(venue: Venue) -> None:
    async with trading(venue) as players:
        watched = venue.running.bus.watched
        orders = players[0].trading.StreamOrders(tr.StreamOrdersRequest())
        wallet = players[0].wallet.StreamWallet(wa.StreamWalletRequest())
        await read(orders)
        await read(wallet)
        orders.cancel()
        assert len(watched) == 1
        wallet.cancel()
        await until(lambda: not watched)


async def test_an_order_is_told_to_its_owner_before_long(venue: Venue) -> None:
    async with trading(venue) as players:
        orders = players[0].trading.StreamOrders(tr.StreamOrdersRequest())
        first = await read(orders)
        spec = tr.OrderSpec(symbol=SYMBOL, side=tr.SIDE_BUY, price_cents=100, quantity=3)
        placed = await venue.place(players[0], spec)
        update = await read(orders)
        assert update.sequence == first.sequence + 1
        assert update.update.order == placed.order
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await orders.read()
