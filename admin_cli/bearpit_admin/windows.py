"""How trading windows, and what they did to prices, are shown."""

from bearpit_admin import wire
from bearpit_admin.money import Points
from bearpit_admin.output import Part, Row, Value, as_facts, moment, moment_in
from bearpit_admin.pairs import as_pairs

COLUMNS = (
    "id", "title", "kind", "number", "state", "next_state", "next_change_at", "symbols", "opens_at",
    "trades_at", "trading_ends_at", "settles_at", "closes_at", "recurrence", "time_zone", "settled",
    "reversed",
)  # fmt: skip
SPARE = (
    "next_change_at", "next_state", "settled", "kind", "number", "reversed", "symbols", "trading_ends_at",
    "settles_at", "opens_at", "trades_at", "closes_at", "recurrence", "time_zone",
)  # fmt: skip
PRICES = (
    "symbol", "previous", "price", "move_bps", "algorithm", "explanation", "bought", "sold", "players",
    "concentration_bps", "factors", "parameters", "variant", "settled_at", "corrected_by",
)  # fmt: skip
SPARE_OF_PRICES = (
    "explanation", "algorithm", "variant", "bought", "sold", "players", "corrected_by", "factors",
    "concentration_bps", "parameters", "settled_at",
)  # fmt: skip
TIMES = ("opens_at", "trades_at", "trading_ends_at", "settles_at", "closes_at")
"""The fields of WindowTimes, in their order."""


def state_of(state: "wire.windows.WindowState") -> str:
    """The state in a word."""
    return wire.word(wire.windows.WindowState.Name(state), "WINDOW_STATE_")


def prices_part(prices: "list[wire.windows.SettledPrice]") -> Part:
    """What was done to prices, as a listing."""
    return Part("prices", PRICES, [_price(found) for found in prices], SPARE_OF_PRICES)


def _price(found: "wire.windows.SettledPrice") -> Row:
    return (
        found.symbol,
        Points(found.previous_cents),
        Points(found.price_cents),
        found.move_bps,
        found.algorithm,
        found.explanation,
        found.bought,
        found.sold,
        found.players,
        found.concentration_bps,
        [f"{factor.name}={factor.bps}" for factor in found.factors],
        as_pairs(found.parameters),
        found.variant,
        moment_in(found, "settled_at"),
        found.corrected_by or None,
    )


def facts_of(found: "wire.windows.Window") -> list[tuple[str, Value]]:
    """A window as facts to show, by COLUMNS."""
    times = found.times
    values: tuple[Value, ...] = (
        found.window_id,
        found.title,
        wire.word(wire.windows.WindowKind.Name(found.kind), "WINDOW_KIND_"),
        found.number,
        state_of(found.state),
        state_of(found.next_state),
        moment_in(found, "next_change_at"),
        list(found.symbols),
        *(moment_in(times, field) for field in TIMES),
        found.recurrence,
        found.time_zone,
        found.settled,
        found.reversed,
    )
    return as_facts(COLUMNS, values)


def sentence_of(window: "wire.windows.Window") -> str:
    """Where a window is and what comes next, in words."""
    number = f"window {window.window_id}" if window.window_id else "the window"
    said = f"{number}, {window.title}: {state_of(window.state)}"
    if window.HasField("next_change_at"):
        said += f", then {state_of(window.next_state)} at {moment(window.next_change_at)}"
    return said
