"""The screen's state: one frozen value, and the pure functions that carry it on from frame to frame.

Nothing here knows Textual, gRPC or the time of day; what can be derived is derived, never kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bearpit_tui.drafts import Side
from bearpit_tui.duels import Duel, Duels
from bearpit_tui.inbox import CatchUp, Inbox
from bearpit_tui.mechanisms import rank
from bearpit_tui.model import (
    EPOCH,
    Announcement,
    Bar,
    Book,
    Chart,
    Fill,
    Instrument,
    Level,
    Link,
    LinkState,
    Me,
    Order,
    Position,
    Quote,
    Spark,
    Status,
    Tick,
    Timeframe,
    Wallet,
)
from bearpit_tui.windows import Windows

MOST_BARS = 1000
"""As many candles as one ListCandles may bring."""

CLOCKS_AGREE = timedelta(milliseconds=500)

MOST_TICKS = 50
"""Trades kept on the tape."""

MOST_FILLS = 500
MOST_ENDED_ORDERS = 50
"""Ended orders kept on show; all of them are in the ledger."""


@dataclass(frozen=True, slots=True)
class State:
    """All that the trade screen shows."""

    player: str = ""
    server: str = ""
    me: Me = field(default_factory=Me)
    link: Link = field(default_factory=Link)
    caught_up: bool = False
    """Whether quotes have come since the connection was last made."""
    status: Status = field(default_factory=Status)
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    sparks: Mapping[str, Spark] = field(default_factory=dict)
    selected: str = ""
    book: Book = field(default_factory=Book)
    chart: Chart = field(default_factory=Chart)
    tape: tuple[Tick, ...] = ()
    """The chosen instrument's latest trades, newest first."""
    inbox: Inbox = field(default_factory=Inbox)
    duels: Duels = field(default_factory=Duels)
    away: CatchUp | None = None
    """What happened before this sign-in; None: nothing."""
    told_us: tuple[Announcement, ...] = ()
    """What the operators said to our team and roles; what they said to all is in the status."""
    windows: Windows = field(default_factory=Windows)
    ahead: timedelta = timedelta(0)
    """How far the server's clock is ahead of this machine's."""
    orders: Mapping[int, Order] = field(default_factory=dict)
    fills: Mapping[int, Fill] = field(default_factory=dict)
    """Our latest sides of trades, by the trade's number."""
    wallet: Wallet = field(default_factory=Wallet)

    @property
    def live(self) -> bool:
        """Whether what is shown is of now."""
        return self.caught_up and self.link.state is LinkState.LIVE


def with_link(state: State, link: Link) -> State:
    """With the connection as it is; what is shown is old from the moment it is lost."""
    return replace(state, link=link, caught_up=state.caught_up and link.state is not LinkState.LOST)


def with_server_time(state: State, server: datetime, here: datetime) -> State:
    """With the difference between the clocks, unless it is as it was, but for what frames take to arrive."""
    ahead = server - here
    return replace(state, ahead=ahead) if abs(ahead - state.ahead) > CLOCKS_AGREE else state


def with_duel(state: State, duel: Duel) -> State:
    """With one of the player's duels as an answer tells it, unless the stream has told more since."""
    mine = {one.duel_id: one for one in state.duels.mine}
    known = mine.get(duel.duel_id)
    if known is not None and (known.over or known.round > duel.round):
        return state
    rows = sorted({**mine, duel.duel_id: duel}.values(), key=lambda one: -one.duel_id)
    board = tuple(one for one in state.duels.board if one.duel_id != duel.duel_id)
    return replace(state, duels=replace(state.duels, board=board, mine=tuple(rows)))


def announcements(state: State, now: datetime) -> list[Announcement]:
    """What the operators said to this player and holds, newest first."""
    said = {one.announcement_id: one for one in (*state.told_us, *state.status.announcements)}
    standing = [one for one in said.values() if one.expires_at is None or one.expires_at > now]
    return sorted(standing, key=lambda one: (one.created_at, one.announcement_id), reverse=True)


# The market ---------------------------------------------------------------------------------------------


def with_instruments(state: State, instruments: Iterable[Instrument], quotes: Iterable[Quote]) -> State:
    """With the list of what is traded; the first of it is chosen when nothing is."""
    # Those whose prices form together stand together.
    ordered = sorted(instruments, key=lambda one: (rank(one.mechanism), one.group, one.symbol))
    listed = {instrument.symbol: instrument for instrument in ordered}
    selected = state.selected if state.selected in listed else next(iter(listed), "")
    # What the price stream has brought is newer than the list.
    known = {quote.symbol: quote for quote in quotes} | dict(state.quotes)
    state = replace(state, instruments=listed, quotes={symbol: Quote(symbol) for symbol in listed} | known)
    return select(state, selected)


def with_quotes(state: State, quotes: Iterable[Quote], now: datetime) -> State:
    """With the quotes of one frame. Those of instruments not listed yet come along, for they will be."""
    minute = int((now - EPOCH).total_seconds()) // 60
    changed = {quote.symbol: quote for quote in quotes}
    sparks: dict[str, Spark] = {}
    for quote in changed.values():
        spark = state.sparks.get(quote.symbol, Spark())
        if (grown := spark.with_price(minute, quote.price_cents)) is not spark:
            sparks[quote.symbol] = grown
    return replace(
        state,
        caught_up=True,
        quotes={**state.quotes, **changed} if changed else state.quotes,
        sparks={**state.sparks, **sparks} if sparks else state.sparks,
    )


def with_history(state: State, symbol: str, bars: Iterable[Bar]) -> State:
    """With the minutes before the screen was opened, for the sparkline of one instrument."""
    spark = Spark()
    for bar in bars:
        spark = spark.with_price(int((bar.start - EPOCH).total_seconds()) // 60, bar.close_cents)
    if (now := state.sparks.get(symbol)) and now.prices:
        spark = spark.with_price(now.minute, now.prices[-1])
    return replace(state, sparks={**state.sparks, symbol: spark})


def select(state: State, symbol: str) -> State:
    """Choose an instrument; what belongs to another one goes."""
    if symbol == state.selected:
        return state
    timeframe = state.chart.timeframe
    return replace(state, selected=symbol, book=Book(symbol), chart=Chart(symbol, timeframe), tape=())


def with_timeframe(state: State, timeframe: Timeframe) -> State:
    """Choose the length of the candles; they have to be loaded anew."""
    return replace(state, chart=Chart(state.selected, timeframe))


def with_book(state: State, book: Book) -> State:
    """With a whole book, unless another instrument has been chosen meanwhile."""
    return replace(state, book=book) if book.symbol == state.selected else state


def with_levels(state: State, update: Book) -> State:
    """With the levels of a book that changed; quantity 0 takes one away."""
    if update.symbol != state.selected:
        return state
    return replace(
        state,
        book=Book(
            update.symbol,
            bids=_merged(state.book.bids, update.bids, descending=True),
            asks=_merged(state.book.asks, update.asks, descending=False),
            last_cents=update.last_cents or state.book.last_cents,
        ),
    )


def _merged(levels: tuple[Level, ...], changes: tuple[Level, ...], *, descending: bool) -> tuple[Level, ...]:
    if not changes:
        return levels
    prices = {level.price_cents: level for level in (*levels, *changes)}
    return tuple(
        sorted(
            (level for level in prices.values() if level.quantity > 0),
            key=lambda level: level.price_cents,
            reverse=descending,
        )
    )


def with_bars(state: State, symbol: str, timeframe: Timeframe, bars: Iterable[Bar]) -> State:
    """With candles from the server, which replace those that start at the same time or later."""
    if symbol != state.selected or timeframe is not state.chart.timeframe:
        return state
    fresh = tuple(bars)
    kept = tuple(bar for bar in state.chart.bars if not fresh or bar.start < fresh[0].start)
    return replace(state, chart=Chart(symbol, timeframe, (kept + fresh)[-MOST_BARS:], loaded=True))


def with_tape(state: State, ticks: Iterable[Tick], *, whole: bool) -> State:
    """With public trades, oldest first; one that is told again, for it was reversed, keeps its place."""
    fresh = [tick for tick in ticks if tick.symbol == state.selected]
    again = {tick.trade_id: tick for tick in fresh if tick.trade_id}
    kept = [again.pop(tick.trade_id, tick) for tick in (() if whole else state.tape)]
    new = [tick for tick in reversed(fresh) if not tick.trade_id or tick.trade_id in again]
    return replace(state, tape=(*new, *kept)[:MOST_TICKS]) if fresh else state


def with_ticks(state: State, ticks: Iterable[Tick]) -> State:
    """With public trades, which carry the last candle on or begin the next one."""
    if not state.chart.loaded:
        return state
    bars = list(state.chart.bars)
    mine = [tick for tick in ticks if tick.symbol == state.chart.symbol and not tick.reversed]
    if not mine:
        return state
    for tick in mine:
        start = bar_start(tick.executed_at, state.chart.timeframe, state.status.time_zone)
        if bars and start < bars[-1].start:
            continue
        if bars and start == bars[-1].start:
            bars[-1] = _grown(bars[-1], tick)
        else:
            price = tick.price_cents
            bars.append(Bar(start, price, price, price, price, tick.quantity))
    return replace(state, chart=replace(state.chart, bars=tuple(bars[-MOST_BARS:])))


def with_marks(state: State, quotes: Iterable[Quote]) -> State:
    """With prices that formed without a trade: where a mechanism makes them, they carry the candle on too."""
    marks = [
        Tick(quote.symbol, quote.last_cents, 0, EPOCH + timedelta(milliseconds=quote.priced_at_ms))
        for quote in quotes
        if quote.priced_at_ms and quote.last_cents
    ]
    return with_ticks(state, marks) if marks else state


def _grown(bar: Bar, tick: Tick) -> Bar:
    return replace(
        bar,
        high_cents=max(bar.high_cents, tick.price_cents),
        low_cents=min(bar.low_cents, tick.price_cents),
        close_cents=tick.price_cents,
        volume=bar.volume + tick.quantity,
    )


def bar_start(moment: datetime, timeframe: Timeframe, zone: str) -> datetime:
    """When the candle that holds a moment starts; days start at midnight in the market's zone."""
    if timeframe is not Timeframe.D1:
        seconds = int((moment - EPOCH).total_seconds())
        return EPOCH + timedelta(seconds=seconds - seconds % timeframe.seconds)
    try:
        local = moment.astimezone(ZoneInfo(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        local = moment
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(EPOCH.tzinfo)


# What is ours -------------------------------------------------------------------------------------------


def with_orders(state: State, orders: Iterable[Order]) -> State:
    """With orders as they are now; an older word about one never replaces a newer one."""
    merged = dict(state.orders)
    for order in orders:
        before = merged.get(order.order_id)
        if before is None or _is_newer(order, before):
            merged[order.order_id] = order
    ended = sorted(order_id for order_id, order in merged.items() if not order.open)
    for order_id in ended[: max(len(ended) - MOST_ENDED_ORDERS, 0)]:
        del merged[order_id]
    return replace(state, orders=merged)


def with_fills(state: State, fills: Iterable[Fill]) -> State:
    """With our sides of trades; what has been reversed stays so, whatever an older answer says."""
    merged = dict(state.fills)
    for fill in fills:
        before = merged.get(fill.trade_id)
        merged[fill.trade_id] = before if before is not None and before.reversed else fill
    return replace(state, fills=dict(sorted(merged.items())[-MOST_FILLS:]))


def with_open_orders(state: State, orders: Iterable[Order]) -> State:
    """With all orders that are open; others thought open have ended unseen, and are to be asked after."""
    fresh = tuple(orders)
    still = {order.order_id for order in fresh}
    kept = {key: order for key, order in state.orders.items() if not order.open or key in still}
    return with_orders(replace(state, orders=kept), fresh)


def _is_newer(order: Order, before: Order) -> bool:
    # A reply and the stream tell of the same changes in either order; only `updated_at` and the
    # amounts, which never go back, say which is later.
    return (order.updated_at, order.filled, not order.open) >= (
        before.updated_at,
        before.filled,
        not before.open,
    )


def with_wallet(state: State, wallet: Wallet) -> State:
    """With the whole wallet."""
    return replace(state, wallet=replace(wallet, loaded=True))


def with_wallet_change(state: State, change: Wallet) -> State:
    """With the cash as it is now and the positions that changed."""
    positions = {**state.wallet.positions, **change.positions}
    return replace(state, wallet=replace(change, positions=positions, loaded=True))


# What follows from it -----------------------------------------------------------------------------------


def mark_cents(state: State, symbol: str) -> int:
    """What a share counts for: its price, else the book's middle, else the IPO's or the reference."""
    quote = state.quotes.get(symbol)
    if quote and (quote.price_cents or quote.mid_cents):
        return quote.price_cents or quote.mid_cents
    instrument = state.instruments.get(symbol)
    return (instrument.ipo_price_cents or instrument.reference_cents) if instrument else 0


def value_cents(state: State, position: Position) -> int:
    """What a position is worth at its mark; at cost while nothing says otherwise."""
    mark = mark_cents(state, position.symbol)
    return position.quantity * mark if mark else position.cost_cents


def unrealised_cents(state: State, position: Position) -> int:
    """Gain of what is still owned: value less cost."""
    return value_cents(state, position) - position.cost_cents


def equity_cents(state: State) -> int:
    """All cash, and all positions at their marks, less what is owed."""
    worth = sum(value_cents(state, position) for position in state.wallet.positions.values())
    return state.wallet.cash_cents + worth - state.wallet.debt_cents


def gain_cents(state: State) -> int:
    """Gain of all positions, of what was sold and of what is still owned."""
    return sum(
        unrealised_cents(state, position) + position.realised_cents
        for position in state.wallet.positions.values()
    )


def open_orders(state: State) -> list[Order]:
    """Open orders, oldest first."""
    return sorted((order for order in state.orders.values() if order.open), key=lambda order: order.order_id)


def listed_orders(state: State) -> list[Order]:
    """As the orders pane lists them: open ones before ended ones, each newest first."""
    return sorted(state.orders.values(), key=lambda order: (not order.open, -order.order_id))


def own_at_price(state: State, symbol: str) -> dict[tuple[Side, int], int]:
    """Shares our working orders want or offer in a book, by side and price."""
    own: dict[tuple[Side, int], int] = {}
    for order in state.orders.values():
        if order.symbol == symbol and order.status.value == "working" and order.price_cents:
            key = (order.side, order.price_cents)
            own[key] = own.get(key, 0) + order.remaining
    return own


def reversed_shares(state: State) -> dict[int, int]:
    """Shares whose trades a rollback has taken back, by our order."""
    taken: dict[int, int] = {}
    for fill in state.fills.values():
        if fill.reversed:
            taken[fill.order_id] = taken.get(fill.order_id, 0) + fill.quantity
    return taken


def free_shares(state: State) -> dict[str, int]:
    """Shares that could be sold, by symbol."""
    return {
        position.symbol: position.quantity - position.held
        for position in state.wallet.positions.values()
        if position.quantity > position.held
    }


def held_positions(state: State) -> list[Position]:
    """As the positions pane lists them: what is owned by symbol, then what was sold out with its gain."""
    return sorted(
        state.wallet.positions.values(), key=lambda position: (not position.quantity, position.symbol)
    )


def frozen_view(frozen: State, live: State) -> State:
    """The screen standing still: quotes as they were, but our own orders and cash as they are.

    An instrument chosen while frozen is shown as of the moment it was chosen.
    """
    same = frozen.selected == live.selected
    # What was listed meanwhile is shown as it is, for there is nothing older to show.
    listed = frozen.instruments is not live.instruments
    same_chart = same and frozen.chart.timeframe is live.chart.timeframe and frozen.chart.loaded
    return replace(
        live,
        quotes={**live.quotes, **frozen.quotes} if listed else frozen.quotes,
        sparks=frozen.sparks,
        book=frozen.book if same and (frozen.book.bids or frozen.book.asks) else live.book,
        chart=frozen.chart if same_chart else live.chart,
    )
