"""Short news for the player: what became of an order, in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from bearpit_tui.drafts import Draft, Kind, Life, Side, describe
from bearpit_tui.gateway import Placed
from bearpit_tui.model import Fill, Order, OrderStatus, Phase
from bearpit_tui.widgets.money import money
from bearpit_tui.windows import Windows, WindowState


class Tone(Enum):
    """How a notice is meant; each has its own mark, for colour is never alone."""

    INFO = "·"
    GOOD = "✓"
    WARNING = "!"
    BAD = "✗"


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of news."""

    text: str
    tone: Tone = Tone.INFO
    aside: bool = False
    """Whether it only follows from what else is told, as a badge does: it takes no other notice's place."""


def order_words(order: Order) -> str:
    """An order as it would be typed."""
    return describe(
        Draft(
            order.side,
            order.quantity,
            order.symbol,
            order.kind,
            order.price_cents if order.kind in (Kind.LIMIT, Kind.STOP_LIMIT) else 0,
            order.stop_cents,
            order.life if order.life is not Life.GTC else Life.DEFAULT,
        )
    )


def placed_notice(placed: Placed) -> Notice:
    """What became of an order that was sent."""
    order = placed.order
    what = f"#{order.order_id} {order_words(order)}"
    done = "Bought" if order.side is Side.BUY else "Sold"
    if order.status is OrderStatus.FILLED:
        return Notice(
            f"{done} {order.filled:,} {order.symbol} for {money(order.filled_value_cents)}, "
            f"fee {money(order.fee_cents)} (#{order.order_id})",
            Tone.GOOD,
        )
    if not order.open:
        why = f": {order.end_reason}" if order.end_reason else ""
        if order.filled:
            return Notice(f"{what}: {done.lower()} {order.filled:,}, the rest ended{why}", Tone.WARNING)
        return Notice(f"{what} ended without a trade{why}", Tone.WARNING)
    if order.status is OrderStatus.WAITING:
        return Notice(f"{what} waits for its stop price", Tone.GOOD)
    if order.status is OrderStatus.QUEUED:
        return Notice(f"{what} is accepted and queued", Tone.GOOD)
    if order.filled:
        return Notice(f"{what}: {done.lower()} {order.filled:,}, {order.remaining:,} working", Tone.GOOD)
    return Notice(f"{what} is working", Tone.GOOD)


def fill_notice(fill: Fill, order: Order) -> Notice:
    """What a trade did to a resting order, or that it has been taken back."""
    if fill.reversed:
        was = "purchase" if fill.side is Side.BUY else "sale"
        return Notice(
            f"Reversed: your {was} of {fill.quantity:,} {fill.symbol} at {money(fill.price_cents)} "
            f"(#{fill.order_id}) was taken back by the operators",
            Tone.WARNING,
        )
    done = "Bought" if fill.side is Side.BUY else "Sold"
    whole = fill.quantity == order.quantity
    share = f"{fill.quantity:,}" if whole else f"{fill.quantity:,} of {order.quantity:,}"
    left = f", {order.remaining:,} working" if order.open and order.remaining else ""
    text = f"{done} {share} {fill.symbol} at {money(fill.price_cents)} (#{fill.order_id}){left}"
    return Notice(text, Tone.GOOD)


def ended_notice(order: Order) -> Notice:
    """An order that ended by itself with shares left."""
    traded = f" after {order.filled:,} traded" if order.filled else ""
    return Notice(
        f"#{order.order_id} {order_words(order)} has ended{traded}: {order.end_reason}", Tone.WARNING
    )


WINDOW_WORDS: Mapping[WindowState, str] = {
    WindowState.TRADING: "orders are taken",
    WindowState.PAUSED: "orders are not taken for a while",
    WindowState.TRADE_CLOSE: "trading is over",
    WindowState.SETTLED: "the new prices hold; results shows them",
    WindowState.CANCELLED: "called off",
}


def window_notices(before: Windows, after: Windows) -> Iterator[Notice]:
    """What has become of the windows that were known."""
    known = {one.window_id: one for one in before.windows}
    for window in after.windows:
        was = known.get(window.window_id)
        if was is None:
            continue
        if window.reversed and not was.reversed:
            yield Notice(f"{window.name}: its trading was taken back by the operators", Tone.WARNING)
        elif window.state is not was.state and window.state in WINDOW_WORDS:
            yield Notice(f"{window.name}: {WINDOW_WORDS[window.state]}")


PHASE_WORDS = {
    Phase.OPEN: "The market is open",
    Phase.PRE_OPEN: "Orders are being collected for the opening",
    Phase.CLOSED: "The market is closed; orders can still be cancelled",
    Phase.HALTED: "Trading is halted; orders are being collected",
}


def phase_notice(phase: Phase) -> Notice:
    """The market has opened, closed or halted."""
    return Notice(PHASE_WORDS.get(phase, "The market has changed"), Tone.INFO)


def cancelled_notice(orders: list[Order]) -> Notice:
    """What was cancelled."""
    if not orders:
        return Notice("There was no open order to cancel")
    if len(orders) == 1:
        order = orders[0]
        traded = f" after {order.filled:,} traded" if order.filled else ""
        return Notice(f"Cancelled #{order.order_id} {order_words(order)}{traded}", Tone.GOOD)
    return Notice(f"Cancelled {len(orders)} orders", Tone.GOOD)
