"""From the state to the rows that the widgets draw: pure, and only for what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from typing import Literal

from bearpit_tui.drafts import Kind, Side
from bearpit_tui.mechanisms import against, mechanism_of
from bearpit_tui.model import Bar, Order, OrderStatus, Phase, Position, Timeframe
from bearpit_tui.panels.ticket import Terms
from bearpit_tui.state import State, mark_cents, own_at_price, unrealised_cents, value_cents
from bearpit_tui.widgets.candles import CandleBar
from bearpit_tui.widgets.ladder import BookSide, LadderLevel
from bearpit_tui.widgets.money import money
from bearpit_tui.widgets.orders import OrderRow
from bearpit_tui.widgets.positions import PositionRow
from bearpit_tui.widgets.watchlist import WatchRow

SHOWN_LIVE = frozenset({OrderStatus.QUEUED, OrderStatus.WAITING, OrderStatus.WORKING})


def watch_row(state: State, symbol: str) -> WatchRow:
    """One line of the watch list."""
    quote, instrument = state.quotes[symbol], state.instruments[symbol]
    spark = state.sparks.get(symbol)
    return WatchRow(
        symbol=symbol,
        last_cents=mark_cents(state, symbol),
        change_bps=quote.change_bps,
        bid_cents=quote.bid_cents,
        ask_cents=quote.ask_cents,
        volume=quote.volume,
        halted=quote.phase is Phase.HALTED,
        mark=mechanism_of(instrument.mechanism).mark,
        group=instrument.group,
        history=spark.prices if spark else (),
        stale=not state.live,
    )


def terms(state: State, symbol: str) -> Terms:
    """What an order for an instrument can be, and who is on its other side."""
    instrument = state.instruments.get(symbol)
    if instrument is None:
        return Terms()
    quote, mechanism = state.quotes[symbol], mechanism_of(instrument.mechanism)
    buying, selling = against(mechanism, quote.ask_cents), against(mechanism, quote.bid_cents)
    return Terms(mechanism.kinds, mechanism.lives, buying, selling)


def changed_symbols(before: State | None, after: State) -> Iterator[str]:
    """The instruments whose line in the watch list may differ."""
    everything = before is None or before.live != after.live
    for symbol in after.instruments:
        if (
            everything
            or before is None
            or after.quotes[symbol] is not before.quotes.get(symbol)
            or after.sparks.get(symbol) is not before.sparks.get(symbol)
        ):
            yield symbol


def candle(bar: Bar) -> CandleBar:
    """One candle of the chart."""
    return CandleBar(
        int(bar.start.timestamp()),
        bar.open_cents,
        bar.high_cents,
        bar.low_cents,
        bar.close_cents,
        bar.volume,
    )


def grown_bars(before: tuple[Bar, ...], after: tuple[Bar, ...]) -> tuple[Bar, ...] | None:
    """The bars to replace the last one with and to append; None when more than the end has changed."""
    kept = len(before) - 1
    if kept < 0 or len(after) < len(before) or after[:kept] != before[:kept]:
        return None
    if after[kept].start != before[kept].start:
        return None
    return after[kept:] if after[kept] != before[kept] else after[kept + 1 :]


def time_label(timeframe: Timeframe, zone: tzinfo) -> Callable[[int], str]:
    """How the chart names a candle's time: days by date, all else by the clock of the person looking."""
    form = "%d %b" if timeframe is Timeframe.D1 else "%d %b %H:%M" if timeframe is Timeframe.H1 else "%H:%M"
    return lambda epoch: datetime.fromtimestamp(epoch, zone).strftime(form)


Levels = tuple[LadderLevel, ...]


def ladder(state: State) -> tuple[Levels, Levels, dict[tuple[BookSide, int], int]]:
    """Bids, asks, and what of them is ours."""
    bids = tuple(LadderLevel(one.price_cents, one.quantity, one.orders) for one in state.book.bids)
    asks = tuple(LadderLevel(one.price_cents, one.quantity, one.orders) for one in state.book.asks)
    own: dict[tuple[BookSide, int], int] = {
        ("bid" if side is Side.BUY else "ask", price): shares
        for (side, price), shares in own_at_price(state, state.selected).items()
    }
    return bids, asks, own


def order_row(order: Order, zone: tzinfo, today: datetime, reversed_shares: int = 0) -> OrderRow:
    """One line of the orders pane. A stop shows what it waits for; what was taken back is told first."""
    accepted = order.accepted_at.astimezone(zone)
    same_day = accepted.date() == today.astimezone(zone).date()
    side: Literal["buy", "sell"] = "buy" if order.side is Side.BUY else "sell"
    waits_for = order.stop_cents and order.status is OrderStatus.WAITING
    status = "PART" if order.status is OrderStatus.WORKING and order.filled else order.status.value.upper()
    at_market = order.kind in (Kind.MARKET, Kind.STOP)
    price = 0 if at_market else order.price_cents
    if reversed_shares:
        status = "REVERSED"
    note = order.end_reason or (f"stop {money(order.stop_cents)}" if order.stop_cents else "")
    return OrderRow(
        order_id=str(order.order_id),
        time=accepted.strftime("%H:%M:%S" if same_day else "%d %b"),
        side=side,
        symbol=order.symbol,
        filled=order.filled,
        quantity=order.quantity,
        price_cents=order.stop_cents if waits_for and not price else price,
        status="STOP" if waits_for else status,
        live=order.status in SHOWN_LIVE,
        type=order.kind.value,
        note=f"{reversed_shares:,} reversed" if reversed_shares else note,
    )


def position_row(state: State, position: Position) -> PositionRow:
    """One line of the positions pane."""
    return PositionRow(
        symbol=position.symbol,
        quantity=position.quantity,
        average_cost_cents=position.cost_cents // position.quantity if position.quantity else 0,
        last_cents=mark_cents(state, position.symbol),
        value_cents=value_cents(state, position),
        unrealised_cents=unrealised_cents(state, position),
        realised_cents=position.realised_cents,
    )
