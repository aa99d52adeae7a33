"""From the contract's messages to the screen's values and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from bearpit.v1 import auth_pb2, errors_pb2, market_pb2, trading_pb2, wallet_pb2, windows_pb2
from bearpit_tui import model
from bearpit_tui.drafts import Draft, Kind, Life, Side
from bearpit_tui.model import OrderStatus, Phase, Priority, Timeframe
from bearpit_tui.windows import Settled, Window, Windows, WindowState
from bearpit_tui.words import refusal_words
from google.protobuf.timestamp_pb2 import Timestamp

PRIORITIES: Mapping[int, Priority] = MappingProxyType(
    {
        market_pb2.PRIORITY_INFO: Priority.INFO,
        market_pb2.PRIORITY_IMPORTANT: Priority.IMPORTANT,
        market_pb2.PRIORITY_URGENT: Priority.URGENT,
    }
)
PHASES: Mapping[int, Phase] = MappingProxyType(
    {
        market_pb2.PHASE_CLOSED: Phase.CLOSED,
        market_pb2.PHASE_PRE_OPEN: Phase.PRE_OPEN,
        market_pb2.PHASE_OPEN: Phase.OPEN,
        market_pb2.PHASE_HALTED: Phase.HALTED,
    }
)
PERIODS: Mapping[Timeframe, market_pb2.Period] = MappingProxyType(
    {
        Timeframe.M1: market_pb2.PERIOD_1M,
        Timeframe.M5: market_pb2.PERIOD_5M,
        Timeframe.M15: market_pb2.PERIOD_15M,
        Timeframe.H1: market_pb2.PERIOD_1H,
        Timeframe.D1: market_pb2.PERIOD_1D,
    }
)
SIDES: Mapping[Side, trading_pb2.Side] = MappingProxyType(
    {Side.BUY: trading_pb2.SIDE_BUY, Side.SELL: trading_pb2.SIDE_SELL}
)
KINDS: Mapping[Kind, trading_pb2.OrderType] = MappingProxyType(
    {
        Kind.LIMIT: trading_pb2.ORDER_TYPE_LIMIT,
        Kind.MARKET: trading_pb2.ORDER_TYPE_MARKET,
        Kind.STOP: trading_pb2.ORDER_TYPE_STOP,
        Kind.STOP_LIMIT: trading_pb2.ORDER_TYPE_STOP_LIMIT,
    }
)
LIVES: Mapping[Life, trading_pb2.TimeInForce] = MappingProxyType(
    {
        Life.DEFAULT: trading_pb2.TIME_IN_FORCE_UNSPECIFIED,
        Life.GTC: trading_pb2.TIME_IN_FORCE_GTC,
        Life.DAY: trading_pb2.TIME_IN_FORCE_DAY,
        Life.IOC: trading_pb2.TIME_IN_FORCE_IOC,
        Life.FOK: trading_pb2.TIME_IN_FORCE_FOK,
    }
)
STATUSES: Mapping[int, OrderStatus] = MappingProxyType(
    {
        trading_pb2.ORDER_STATUS_QUEUED: OrderStatus.QUEUED,
        trading_pb2.ORDER_STATUS_WAITING: OrderStatus.WAITING,
        trading_pb2.ORDER_STATUS_WORKING: OrderStatus.WORKING,
        trading_pb2.ORDER_STATUS_FILLED: OrderStatus.FILLED,
        trading_pb2.ORDER_STATUS_CANCELLED: OrderStatus.CANCELLED,
        trading_pb2.ORDER_STATUS_EXPIRED: OrderStatus.EXPIRED,
    }
)
END_REASONS: Mapping[int, str] = MappingProxyType(
    {
        trading_pb2.END_REASON_UNFILLED: "nothing more at its price",
        trading_pb2.END_REASON_NOT_FILLABLE: "not all of it to be had",
        trading_pb2.END_REASON_WOULD_TAKE: "would have traded at once",
        trading_pb2.END_REASON_SELF_TRADE: "would have met your own order",
        trading_pb2.END_REASON_DAY_ENDED: "its day ended",
        trading_pb2.END_REASON_DISABLED: "player disabled",
    }
)
WINDOW_STATES: Mapping[int, WindowState] = MappingProxyType(
    {
        windows_pb2.WindowState.Value(f"WINDOW_STATE_{state.name}"): state
        for state in WindowState
        if state.name != "UNKNOWN"
    }
)
WINDOW_KINDS: Mapping[int, str] = MappingProxyType(
    {
        windows_pb2.WINDOW_KIND_CHAPTER: "chapter",
        windows_pb2.WINDOW_KIND_BONUS: "bonus",
        windows_pb2.WINDOW_KIND_WEEK: "week",
        windows_pb2.WINDOW_KIND_SPECIAL: "special",
    }
)


def moment(stamp: Timestamp) -> datetime:
    """A point in time; a timestamp that is not set is 1970."""
    return stamp.ToDatetime(tzinfo=UTC)


def me(message: auth_pb2.GetMeResponse) -> model.Me:
    """Who is signed in."""
    player = message.player
    return model.Me(
        player.name,
        tuple(auth_pb2.Role.Name(role).removeprefix("ROLE_").lower() for role in player.roles),
        frozenset(player.permissions) or None,
        player.frozen,
        message.impersonated_by,
        moment(player.created_at),
    )


def instrument(message: market_pb2.Instrument) -> model.Instrument:
    """What is traded."""
    return model.Instrument(
        symbol=message.symbol,
        name=message.name,
        mechanism=message.mechanism or "order_book",
        group=message.group,
        tick_cents=message.tick_cents or 1,
        lot=message.lot or 1,
        min_quantity=message.min_quantity or message.lot or 1,
        max_quantity=message.max_quantity,
        fee_bps=message.fee_bps,
        reference_cents=message.reference_price_cents,
        ipo_price_cents=message.ipo.price_cents,
        ipo_remaining=message.ipo.remaining,
    )


def quote(message: market_pb2.Quote) -> model.Quote:
    """The latest of an instrument."""
    return model.Quote(
        symbol=message.symbol,
        bid_cents=message.bid_cents,
        bid_quantity=message.bid_quantity,
        ask_cents=message.ask_cents,
        ask_quantity=message.ask_quantity,
        last_cents=message.last_cents,
        volume=message.volume,
        previous_close_cents=message.previous_close_cents,
        phase=PHASES.get(message.phase, Phase.UNKNOWN),
        indicative_cents=message.indicative_cents,
        priced_at_ms=message.priced_at_ms,
        attention_bps=message.attention_bps,
    )


def book(message: market_pb2.Book) -> model.Book:
    """A book, or the changes of one."""
    return model.Book(
        symbol=message.symbol,
        bids=tuple(model.Level(one.price_cents, one.quantity, one.orders) for one in message.bids),
        asks=tuple(model.Level(one.price_cents, one.quantity, one.orders) for one in message.asks),
        last_cents=message.last_cents,
    )


def bar(message: market_pb2.Candle) -> model.Bar:
    """A candle."""
    return model.Bar(
        start=moment(message.start),
        open_cents=message.open_cents,
        high_cents=message.high_cents,
        low_cents=message.low_cents,
        close_cents=message.close_cents,
        volume=message.volume,
    )


def tick(message: market_pb2.Trade) -> model.Tick:
    """A public trade."""
    return model.Tick(
        message.symbol,
        message.price_cents,
        message.quantity,
        moment(message.executed_at),
        message.trade_id,
        message.reversed,
    )


def status(message: market_pb2.MarketStatus) -> model.Status:
    """The market as a whole."""
    return model.Status(
        phase=PHASES.get(message.phase, Phase.UNKNOWN),
        next_change_at=moment(message.next_change_at) if message.HasField("next_change_at") else None,
        next_phase=PHASES.get(message.next_phase, Phase.UNKNOWN),
        time_zone=message.time_zone or "UTC",
        announcements=tuple(announcement(one) for one in message.announcements),
        headlines=tuple(
            model.Headline(
                one.news_id, one.text, tuple(one.symbols), moment(one.published_at), moment(one.ends_at)
            )
            for one in message.headlines
        ),
    )


def announcement(message: market_pb2.Announcement) -> model.Announcement:
    """A word from the operators."""
    return model.Announcement(
        announcement_id=message.announcement_id,
        title=message.title,
        author=message.author,
        created_at=moment(message.created_at),
        expires_at=moment(message.expires_at) if message.HasField("expires_at") else None,
        body=message.body,
        priority=PRIORITIES.get(message.priority, Priority.INFO),
    )


def windows(message: windows_pb2.Windows) -> Windows:
    """Trading windows, and what the latest settled one did."""
    return Windows(
        tuple(_window(one) for one in message.windows), tuple(_settled(one) for one in message.prices)
    )


def _window(message: windows_pb2.Window) -> Window:
    return Window(
        window_id=message.window_id,
        title=message.title,
        kind=WINDOW_KINDS.get(message.kind, ""),
        number=message.number,
        state=WINDOW_STATES.get(message.state, WindowState.UNKNOWN),
        symbols=frozenset(message.symbols),
        next_state=WINDOW_STATES.get(message.next_state, WindowState.UNKNOWN),
        next_change_at=moment(message.next_change_at) if message.HasField("next_change_at") else None,
        changed_at=moment(message.changed_at) if message.HasField("changed_at") else None,
        next_chance_at=moment(message.next_chance_at) if message.HasField("next_chance_at") else None,
        settled=message.settled,
        reversed=message.reversed,
    )


def _settled(message: windows_pb2.SettledPrice) -> Settled:
    return Settled(
        symbol=message.symbol,
        previous_cents=message.previous_cents,
        price_cents=message.price_cents,
        move_bps=message.move_bps,
        explanation=message.explanation,
        corrected=bool(message.corrected_by),
    )


def side(value: int) -> Side:
    """Which way."""
    return Side.SELL if value == trading_pb2.SIDE_SELL else Side.BUY


def order(message: trading_pb2.Order) -> model.Order:
    """An order of ours."""
    spec = message.spec
    return model.Order(
        order_id=message.order_id,
        symbol=spec.symbol,
        side=side(spec.side),
        kind=next((ours for ours, theirs in KINDS.items() if theirs == spec.type), Kind.LIMIT),
        quantity=spec.quantity,
        status=STATUSES.get(message.status, OrderStatus.QUEUED),
        price_cents=spec.price_cents,
        stop_cents=spec.stop_price_cents,
        life=next((ours for ours, theirs in LIVES.items() if theirs == spec.time_in_force), Life.DEFAULT),
        filled=message.filled_quantity,
        remaining=message.remaining_quantity,
        filled_value_cents=message.filled_value_cents,
        fee_cents=message.fee_cents,
        end_reason=END_REASONS.get(message.end_reason, ""),
        request_id=message.request_id,
        accepted_at=moment(message.accepted_at),
        updated_at=moment(message.updated_at),
    )


def fill(message: trading_pb2.Fill) -> model.Fill:
    """Our side of a trade."""
    return model.Fill(
        trade_id=message.trade_id,
        order_id=message.order_id,
        symbol=message.symbol,
        side=side(message.side),
        price_cents=message.price_cents,
        quantity=message.quantity,
        fee_cents=message.fee_cents,
        reversed=message.reversed,
    )


def wallet(message: wallet_pb2.Wallet) -> model.Wallet:
    """Cash and positions."""
    return model.Wallet(
        cash_cents=message.cash_cents,
        held_cents=message.held_cents,
        positions={
            one.symbol: model.Position(one.symbol, one.quantity, one.held, one.cost_cents, one.realised_cents)
            for one in message.positions
        },
        loaded=True,
        debt_cents=message.debt_cents,
    )


def preview(message: trading_pb2.Preview) -> model.Preview:
    """What an order would do now."""
    return model.Preview(
        filled_quantity=message.filled_quantity,
        average_price_e4=message.average_price_e4,
        filled_value_cents=message.filled_value_cents,
        fee_cents=message.fee_cents,
        resting_quantity=message.resting_quantity,
        free_cash_after_cents=message.free_cash_after_cents,
        free_shares_after=message.free_shares_after,
        hold=message.hold,
        worst_price_cents=message.worst_price_cents,
        refusals=tuple(
            refusal_words(
                errors_pb2.Reason.Name(one.reason).removeprefix("REASON_"), one.message, one.metadata
            )
            for one in message.refusals
        ),
    )


def spec(draft: Draft) -> trading_pb2.OrderSpec:
    """A draft as the contract has it."""
    return trading_pb2.OrderSpec(
        symbol=draft.symbol,
        side=SIDES[draft.side],
        type=KINDS[draft.kind],
        quantity=draft.quantity,
        price_cents=draft.price_cents,
        stop_price_cents=draft.stop_cents,
        time_in_force=LIVES[draft.life],
        post_only=draft.post_only,
    )
