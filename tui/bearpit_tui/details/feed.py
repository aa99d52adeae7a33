"""A dealer's panel: what the house buys and sells at, and how old that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from bearpit_tui.details.scene import Scene, about, heading, labelled, moved, tape
from bearpit_tui.model import EPOCH, Phase, Quote
from bearpit_tui.moments import ago
from bearpit_tui.widgets.facts import Line, wrapped
from bearpit_tui.widgets.money import compact, money, percent

OLD = timedelta(seconds=10)
"""A price that has not been made anew for so long while the market is open is worth a warning."""


def lines(scene: Scene, width: int) -> tuple[Sequence[Line], int]:
    """The house's two prices, the spread, the age, what it is, and the latest trades."""
    return [*_lines(scene, width)], 0


def _lines(scene: Scene, width: int) -> Iterator[Line]:
    quote = scene.quote
    yield heading(scene)
    yield []
    price = (money(quote.price_cents) if quote.price_cents else "–", ("strong",))
    yield labelled("Price", price, ("  ", ()), *([moved(quote.change_bps)] if quote.change_bps else []))
    yield from priced(scene, width)
    yield []
    yield _side("sells", quote.ask_cents, quote.ask_quantity, width)
    yield _side("buys", quote.bid_cents, quote.bid_quantity, width)
    if quote.bid_cents and quote.ask_cents:
        spread = quote.ask_cents - quote.bid_cents
        share = percent(spread * 10_000 // max(quote.mid_cents, 1))
        yield labelled("Spread", (money(spread), ()), (f"  {share}", ("muted",)))
    yield []
    yield from about(scene, width)
    yield from _company(scene, width)
    yield from tape(scene)


def _side(does: str, cents: int, quantity: int, width: int) -> Line:
    label = f"House {does}".ljust(13)
    if not cents:
        return [(label, ("muted",)), ("nothing now", ("warn",))]
    price = money(cents)
    much = f"  {compact(quantity)} left" if does == "sells" else f"  takes {compact(quantity)}"
    much = much if quantity and len(label + price + much) <= width else ""
    tone = "down" if does == "sells" else "up"
    return [(label, ("muted",)), (price, (tone, "strong")), (much, ("muted",))]


def priced(scene: Scene, width: int) -> Iterator[Line]:
    """How old the price is."""
    quote = scene.quote
    if not quote.priced_at_ms:
        yield from wrapped("Its source has sent no price yet.", width, "warn")
        return
    age = price_age(scene, quote)
    if scene.state.status.phase is not Phase.OPEN and age > OLD:
        yield from wrapped(f"Priced {ago(age)} ago; it stands while the market is not open.", width, "muted")
    elif age > OLD:
        yield from wrapped(f"! Old: priced {ago(age)} ago", width, "warn", "strong")
    else:
        yield labelled("Priced", (f"{ago(age)} ago", ()))


def price_age(scene: Scene, quote: Quote) -> timedelta:
    """How long ago a mechanism made its price."""
    return scene.now - (EPOCH + timedelta(milliseconds=quote.priced_at_ms))


def _company(scene: Scene, width: int) -> Iterator[Line]:
    own = scene.instrument
    others = [
        one.symbol
        for one in scene.state.instruments.values()
        if own.group and one.group == own.group and one.symbol != own.symbol
    ]
    if others:
        yield []
        yield from wrapped(f"From the same source: {', '.join(others)}", width, "muted")
