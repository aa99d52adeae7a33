"""The feed: streams in, states out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit_tui.drafts import Side
from bearpit_tui.feed import BARS, Feed
from bearpit_tui.gateway import OrdersFrame, PricesFrame, TicksFrame
from bearpit_tui.inbox import Kind
from bearpit_tui.model import Fill, Instrument, LinkState, OrderStatus, Phase, Quote, Tick, Timeframe
from bearpit_tui.notices import Notice
from bearpit_tui.state import State, reversed_shares
from bearpit_tui.windows import WindowState

from tests.unit.tui.fake_gateway import LOST, FakeGateway, error
from tests.unit.tui.fakes import NOW


class Screen:
    """Takes what the feed publishes."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.notices: list[Notice] = []
        self.heard = asyncio.Event()

    def publish(self, state: State, notices: tuple[Notice, ...]) -> None:
        self.states.append(state)
        self.notices += notices
        self.heard.set()


@asynccontextmanager
async def running(gateway: FakeGateway, frame_seconds: float = 0.0) -> AsyncIterator[tuple[Feed, Screen]]:
    screen = Screen()
    feed = Feed(
        gateway,
        State(),
        screen.publish,
        clock=lambda: NOW,
        frame_seconds=frame_seconds,
        settle_seconds=0.0,
        retry_seconds=0.0,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(feed.run())
        try:
            await settled(feed, lambda: feed.state.chart.loaded and feed.state.wallet.loaded)
            yield feed, screen
        finally:
            task.cancel()


async def settled(feed: Feed, condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the feed's state is a value, not an event
            await asyncio.sleep(0.001)


async def test_brings_everything_about_the_first_instrument() -> None:
    async with running(FakeGateway().with_orders()) as (feed, _):
        await settled(feed, lambda: feed.state.book.bids and len(feed.state.orders) == 5)
        assert feed.state.selected == "AAPL"
        assert len(feed.state.chart.bars) == 120
        await settled(feed, lambda: len(feed.state.sparks) == 24)
        assert len(feed.state.sparks["AAPL"].prices) == 24


async def test_follows_another_instrument() -> None:
    gateway = FakeGateway()
    async with running(gateway) as (feed, _):
        feed.select("KITE")
        await settled(feed, lambda: feed.state.book.bids and feed.state.chart.loaded)
        assert (feed.state.book.symbol, feed.state.chart.symbol) == ("KITE", "KITE")
        assert not gateway.read("book AAPL")
        feed.select("NOSUCH")
        assert feed.state.selected == "KITE"


async def test_loads_the_candles_of_another_timeframe() -> None:
    gateway = FakeGateway()
    async with running(gateway) as (feed, _):
        feed.set_timeframe(Timeframe.H1)
        await settled(feed, lambda: feed.state.chart.loaded)
        assert ("AAPL", Timeframe.H1, 400) in gateway.made("bars")


async def test_trades_move_the_last_candle() -> None:
    gateway = FakeGateway()
    async with running(gateway) as (feed, _):
        await settled(feed, lambda: gateway.read("ticks AAPL"))
        gateway.move("AAPL", 99_00)
        await settled(feed, lambda: feed.state.chart.bars[-1].close_cents == 99_00)
        assert feed.state.quotes["AAPL"].last_cents == 99_00


async def test_many_frames_are_one_repaint() -> None:
    gateway = FakeGateway()
    async with running(gateway, frame_seconds=0.05) as (feed, screen):
        await settled(feed, lambda: len(feed.state.sparks) == 24)
        await asyncio.sleep(0.06)
        screen.states.clear()
        for cents in range(12_00, 13_00):
            gateway.move("AAPL", cents)
            await asyncio.sleep(0)
        await settled(feed, lambda: screen.states and screen.states[-1].quotes["AAPL"].last_cents == 12_99)
        assert len(screen.states) <= 3


async def test_nothing_new_means_no_repaint() -> None:
    async with running(FakeGateway()) as (feed, screen):
        await settled(feed, lambda: len(feed.state.sparks) == 24)
        await asyncio.sleep(0.02)
        screen.states.clear()
        await asyncio.sleep(0.02)
        assert screen.states == []


async def test_a_fill_of_a_resting_order_is_told() -> None:
    gateway = FakeGateway().with_orders()
    async with running(gateway) as (feed, screen):
        gateway.fill(17, 50)
        await settled(feed, lambda: screen.notices)
        assert screen.notices[0].text == "Bought 50 of 200 ACME at 106.40 (#17), 150 working"


async def test_fills_that_an_answer_tells_of_are_not_told_twice() -> None:
    gateway = FakeGateway().with_orders()
    gateway.orders_known[17] = replace(gateway.orders_known[17], request_id="mine")
    async with running(gateway) as (feed, screen):
        feed.expect("mine")
        gateway.fill(17, 50)
        await settled(feed, lambda: feed.state.orders[17].filled == 50)
        feed.take_placed("mine", None)
        gateway.fill(17, 50)
        await settled(feed, lambda: screen.notices)
        assert len(screen.notices) == 1


async def test_an_order_that_ended_by_itself_is_told() -> None:
    gateway = FakeGateway().with_orders()
    async with running(gateway) as (feed, screen):
        ended = replace(
            gateway.orders_known[18], status=OrderStatus.EXPIRED, end_reason="its day ended", updated_at=NOW
        )
        gateway.send("orders", OrdersFrame((ended,)))
        await settled(feed, lambda: screen.notices)
        assert screen.notices[0].text.endswith("has ended after 40 traded: its day ended")


async def test_the_market_opening_and_closing_is_told() -> None:
    gateway = FakeGateway()
    async with running(gateway) as (feed, screen):
        await settled(feed, lambda: feed.state.status.phase is Phase.OPEN)
        gateway.send("status", replace(gateway.status, phase=Phase.CLOSED))
        await settled(feed, lambda: screen.notices)
        assert "closed" in screen.notices[0].text


async def test_a_new_listing_is_noticed() -> None:
    gateway = FakeGateway()
    async with running(gateway) as (feed, _):
        gateway.listed.append(Instrument("ZZZZ", "Last"))
        gateway.quotes["ZZZZ"] = Quote("ZZZZ", last_cents=5_00)
        gateway.send("prices", PricesFrame((gateway.quotes["ZZZZ"],), NOW))
        await settled(feed, lambda: "ZZZZ" in feed.state.instruments)


async def test_a_mended_connection_loads_what_was_missed() -> None:
    gateway = FakeGateway()
    async with running(gateway) as (feed, _):
        await settled(feed, lambda: len(feed.state.sparks) == 24)
        gateway.set_link(LinkState.LOST)
        assert not feed.state.live
        before = len(gateway.made("bars"))
        gateway.set_link(LinkState.LIVE)
        await settled(feed, lambda: feed.state.live and len(gateway.made("bars")) > before)


async def test_orders_that_ended_while_away_are_asked_after() -> None:
    gateway = FakeGateway().with_orders()
    async with running(gateway) as (feed, _):
        await settled(feed, lambda: len(feed.state.orders) == 5)
        await gateway.cancel(18, "")
        gateway.send(
            "orders", OrdersFrame(tuple(o for o in gateway.orders_known.values() if o.open), whole=True)
        )
        await settled(feed, lambda: 18 in feed.state.orders and not feed.state.orders[18].open)


async def test_a_slow_answer_undoes_nothing_that_came_meanwhile() -> None:
    gateway = FakeGateway().with_orders()
    gateway.orders_wait.clear()
    async with running(gateway) as (feed, _):
        gateway.move("AAPL", 99_00)
        await settled(feed, lambda: feed.state.quotes["AAPL"].last_cents == 99_00)
        gateway.orders_wait.set()
        await settled(feed, lambda: len(feed.state.orders) == 5)
        assert feed.state.quotes["AAPL"].last_cents == 99_00
        assert feed.state.wallet.loaded


async def test_a_stream_that_fails_is_told_and_tried_again() -> None:
    gateway = FakeGateway()
    gateway.fail("stream book AAPL", error("INTERNAL", grpc.StatusCode.INTERNAL, incident="ab12"))
    async with running(gateway) as (feed, screen):
        await settled(feed, lambda: feed.state.book.bids and screen.notices)
        assert "ab12" in screen.notices[0].text


async def test_a_void_sign_in_ends_it() -> None:
    gateway = FakeGateway()
    gateway.fail("instruments", error("NOT_SIGNED_IN", grpc.StatusCode.UNAUTHENTICATED))
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(5):
            await Feed(gateway, State(), lambda state, notices: None, clock=lambda: NOW).run()
    assert caught.group_contains(BearpitError)


async def test_a_window_that_changes_is_told_of() -> None:
    gateway = FakeGateway().with_mechanisms()
    async with running(gateway) as (feed, screen):
        await settled(feed, lambda: feed.state.windows.windows)
        over = gateway.window(state=WindowState.TRADE_CLOSE)
        gateway.send("windows", replace(gateway.windows, windows=(over, gateway.past_window())))
        await settled(feed, lambda: screen.notices)
        assert screen.notices[0].text == "Chapter 12 · The long night: trading is over"


async def test_every_mechanism_is_looked_at_through_its_book() -> None:
    gateway = FakeGateway().with_mechanisms()
    async with running(gateway) as (feed, _):
        for symbol in ("FLUX", "KITE", "NOVA"):
            feed.select(symbol)
            await settled(feed, partial(gateway.read, f"book {symbol}"))


async def test_a_trade_that_is_taken_back_loads_the_candles_anew() -> None:
    gateway = FakeGateway()
    async with running(gateway) as (feed, _):
        await settled(feed, lambda: gateway.read("ticks AAPL"))
        before = len(gateway.made("bars"))
        back = Tick("AAPL", 12_00, 5, NOW, trade_id=1, reversed=True)
        gateway.send("ticks AAPL", TicksFrame((back,)))
        await settled(feed, lambda: len(gateway.made("bars")) > before)
        assert gateway.made("bars")[-1] == ("AAPL", Timeframe.M1, BARS)
        assert feed.state.tape == (back,)


async def test_a_fill_that_is_taken_back_is_told() -> None:
    gateway = FakeGateway().with_orders()
    async with running(gateway) as (feed, screen):
        await settled(feed, lambda: 17 in feed.state.orders)
        fill = Fill(3, 17, "ACME", Side.BUY, 106_40, 20, reversed=True)
        gateway.send("orders", OrdersFrame((gateway.orders_known[17],), fill))
        await settled(feed, lambda: screen.notices)
        assert "Reversed: your purchase of 20 ACME at 106.40" in screen.notices[0].text
        assert reversed_shares(feed.state) == {17: 20}


UNKNOWN = BearpitError(grpc.StatusCode.UNIMPLEMENTED, "", "unknown method", {})


async def test_what_an_older_server_does_not_know_is_not_told() -> None:
    gateway = FakeGateway()
    for call in ("catch_up", "announced", "stream letters", "stream windows"):
        gateway.fail(call, UNKNOWN)
    async with running(gateway) as (feed, screen):
        await settled(feed, lambda: gateway.made("stream letters") and gateway.made("stream windows"))
        assert screen.notices == []
        assert feed.state.away is None


async def test_notifications_are_counted_told_by_kind_and_marked_as_read() -> None:
    gateway = FakeGateway()
    gateway.letters.with_some()
    async with running(gateway) as (feed, screen):
        await settled(feed, lambda: feed.state.inbox.unread == 4)
        gateway.letters.come(Kind.TRANSFER, "bob gave you 25.00")
        gateway.letters.come(Kind.FILL, "Bought 5 ACME")
        await settled(feed, lambda: feed.state.inbox.unread == 6)
        await settled(feed, lambda: screen.notices)
        assert [notice.text for notice in screen.notices] == ["bob gave you 25.00"]
        gateway.fail("read", LOST)
        feed.mark_read(8)
        await settled(feed, lambda: feed.state.inbox.unread == 0)
        assert gateway.made("read") == [8, 8]
        assert all(one.read for one in feed.state.inbox.latest)


async def test_what_one_may_do_is_asked_again_after_an_absence_and_a_word_about_the_account() -> None:
    gateway = FakeGateway()
    async with running(gateway) as (feed, _):
        await settled(feed, lambda: feed.state.me.may("PLAY") and gateway.made("stream letters"))
        gateway.who = replace(gateway.who, frozen=True)
        gateway.letters.come(Kind.SYSTEM, "You are frozen")
        await settled(feed, lambda: not feed.state.me.may("PLAY"))
        gateway.who = replace(gateway.who, frozen=False)
        gateway.set_link(LinkState.LOST)
        gateway.set_link(LinkState.LIVE, 9.0)
        await settled(feed, lambda: feed.state.me.may("PLAY"))
