"""Apple's real order flow through the gRPC server: the same book, and the same orders executed."""

import pytest
from bearpit.client import Client
from bearpit.v1 import admin_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.rules.orders import Side

from tests import lobster
from tests.integration.floor import open_floor
from tests.orders import BUY, IOC, SELL
from tests.postgres import Postgres
from tests.venue import Venue

SYMBOL = "AAPL"
SIDES = {Side.BUY: BUY, Side.SELL: SELL}

pytestmark = pytest.mark.skipif(not lobster.DATA.exists(), reason="the LOBSTER sample is not here")


class Server:
    """Takes a replay's actions as calls: one player's orders rest, another's take."""

    def __init__(self, floor: Venue, rests: Client, takes: Client) -> None:
        self._floor = floor
        self._rests = rests
        self._takes = takes
        self._order_ids: dict[int, int] = {}
        self._known_as: dict[int, int] = {}

    async def do(self, action: lobster.Action) -> lobster.Answer:
        match action:
            case lobster.Place():
                await self._place(action)
            case lobster.Cancel(order_id):
                await self._floor.cancel(self._rests, self._order_ids.pop(order_id))
            case lobster.Reduce(order_id, quantity):
                await self._floor.amend(self._rests, self._order_ids[order_id], quantity=quantity)
            case lobster.Take():
                return await self._take(action)
            case lobster.Look():
                return await self._floor.book(SYMBOL, lobster.LEVELS)
        return None

    async def _place(self, action: lobster.Place) -> None:
        spec = pb.OrderSpec(
            symbol=SYMBOL, side=SIDES[action.side], quantity=action.quantity, price_cents=action.price_cents
        )
        placed = await self._floor.place(self._rests, spec)
        assert not placed.fills
        self._order_ids[action.order_id] = placed.order.order_id
        self._known_as[placed.order.order_id] = action.order_id

    async def _take(self, action: lobster.Take) -> list[int]:
        spec = pb.OrderSpec(
            symbol=SYMBOL, side=SIDES[action.side], quantity=action.quantity, price_cents=action.price_cents,
            time_in_force=IOC,
        )  # fmt: skip
        fills = (await self._floor.place(self._takes, spec)).fills
        operator = await self._floor.operator()
        request = admin_pb2.ListPlayerTradesRequest(symbol=SYMBOL, page_size=max(len(fills), 1))
        trades = (await operator.admin.ListPlayerTrades(request)).trades if fills else []
        assert [trade.trade.trade_id for trade in trades] == [fill.trade_id for fill in fills][::-1]
        makers = [t.sell_order_id if action.side is Side.BUY else t.buy_order_id for t in reversed(trades)]
        return [self._known_as[maker] for maker in makers]


@pytest.mark.timeout(240)
async def test_apples_order_flow_makes_the_published_book_and_executes_the_same_orders(
    postgres: Postgres,
) -> None:
    async with open_floor(postgres) as floor:
        await floor.list_instrument(SYMBOL)
        await floor.settled()
        rests = await floor.player("rests", 10**13, AAPL=10**7)
        takes = await floor.player("takes", 10**13, AAPL=10**7)
        report = await lobster.drive_async(lobster.replay(), Server(floor, rests, takes).do)
    assert report.differences == []
    assert (report.rows, report.equal_rows) == (998, 998)
    assert (report.known_executions, report.exact_executions) == (94, 94)
