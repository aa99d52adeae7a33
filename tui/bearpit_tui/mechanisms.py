"""The ways a price forms, as players are told of them: one table, which every part of the screen reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bearpit_tui.drafts import Kind, Life
from bearpit_tui.widgets.money import money

BOOK, FEED, ATTENTION, WINDOW = "order_book", "feed", "attention", "window"

RESTING = (Life.DEFAULT, Life.DAY, Life.IOC, Life.FOK)


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One way. `mark` is one cell wide and stands beside the symbol wherever there are many."""

    name: str
    mark: str
    word: str
    """As it is shown in a title."""
    says: str
    """For players: how the price forms, and with whom they trade."""
    other_side: str = ""
    """Who takes the other side of an order, with `{at}` for the price; empty: other players."""
    kinds: tuple[Kind, ...] = tuple(Kind)
    """The orders that make sense."""
    lives: tuple[Life, ...] = RESTING


MECHANISMS: Mapping[str, Mechanism] = MappingProxyType(
    {
        one.name: one
        for one in (
            Mechanism(BOOK, "≡", "book", "Players trade with each other; the price is what they agree on."),
            Mechanism(
                FEED,
                "~",
                "feed",
                "The price comes from outside; the house buys and sells at it.",
                "the house{at}",
            ),
            Mechanism(
                ATTENTION,
                "◉",
                "attention",
                "Each has a pool of cash, which moves to where the players look. You trade with the pool, "
                "so a large order moves the price.",
                "its pool{at}; price moves with size",
            ),
            Mechanism(
                WINDOW,
                "◷",
                "window",
                "The house trades at one price while a window is open; what was traded sets the next price.",
                "the house{at}",
                (Kind.LIMIT, Kind.MARKET),
                (Life.IOC,),
            ),
        )
    }
)


def rank(name: str) -> int:
    """Where instruments of a mechanism stand in lists: in the table's order, unknown ones last."""
    return [*MECHANISMS, name].index(name)


def against(mechanism: Mechanism, price_cents: int) -> str:
    """Who is on the other side of an order, and at what price; empty: players, as the book shows."""
    return mechanism.other_side.format(at=f" at {money(price_cents)}" if price_cents else "")


def mechanism_of(name: str) -> Mechanism:
    """A mechanism by its name; one that this screen has not heard of trades like a book."""
    return MECHANISMS.get(name) or Mechanism(
        name, "?", name, f"Its price forms by {name or 'rules unknown'}."
    )
