"""Pools of attention: who is looked at how much, and what the next redistribution would make of it."""

from __future__ import annotations

from collections.abc import Sequence

from bearpit_tui.details.scene import Scene, about, heading, moved, tape
from bearpit_tui.model import Quote, move_bps
from bearpit_tui.widgets.facts import Line
from bearpit_tui.widgets.money import fit_money, percent


def lines(scene: Scene, width: int) -> tuple[Sequence[Line], int]:
    """Each pool of the group, the most looked at first; then what that is, and the latest trades."""
    made: list[Line] = [heading(scene), []]
    pointed = 0
    quotes = _pools(scene)
    most = max((quote.attention_bps for quote in quotes), default=0)
    symbols = max((len(quote.symbol) for quote in quotes), default=4)
    prices = max((len(fit_money(quote.price_cents, 10)) for quote in quotes), default=5)
    for quote in quotes:
        chosen = quote.symbol == scene.state.selected
        if chosen:
            pointed = len(made)
        made.append(_price(quote, chosen, symbols, prices, width))
        made.append(_bar(quote.attention_bps, most, chosen, width))
    made += [[], *about(scene, width), *tape(scene)]
    return made, pointed


def _pools(scene: Scene) -> list[Quote]:
    own = scene.instrument
    members = [
        scene.state.quotes[one.symbol]
        for one in scene.state.instruments.values()
        if one.mechanism == own.mechanism and (one.group == own.group if own.group else one is own)
    ]
    return sorted(members, key=lambda quote: (-quote.attention_bps, quote.symbol))


def _price(quote: Quote, chosen: bool, symbols: int, prices: int, width: int) -> Line:
    strong = ("strong",) if chosen else ()
    price = fit_money(quote.price_cents, 10) if quote.price_cents else "–"
    line: Line = [(f"{'▸' if chosen else ' '}{quote.symbol:<{symbols}} {price:>{prices}}", strong)]
    if not quote.indicative_cents:
        return line
    there = f"≈ {fit_money(quote.indicative_cents, 10):>{prices}}"
    change = moved(move_bps(quote.price_cents, quote.indicative_cents))
    room = width - len(line[0][0]) - len(there) - len(change[0]) - 3
    return [*line, (" next " if room >= 4 else " ", ("muted",)), (there, strong), (" ", ()), change]


def _bar(share: int, most: int, chosen: bool, width: int) -> Line:
    text = f" {percent(share):>6}"
    room = max(width - len(text) - 1, 0)
    filled = max(share * room // max(most, 1), 1 if share else 0)
    tone = "own" if chosen else "spark"
    return [
        (" ", ()),
        ("█" * filled, (tone,)),
        ("·" * (room - filled), ("faint",)),
        (text, ("strong",) if chosen else ("muted",)),
    ]
