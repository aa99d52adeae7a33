"""What the duels page shows: duels that are open, those that are over, and one of them taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo

from bearpit_tui.duels import PLAYED, Duel, Ending, Stage, Terms, told
from bearpit_tui.moments import countdown
from bearpit_tui.pages.duel_forms import rules
from bearpit_tui.widgets.facts import Line, wrapped
from bearpit_tui.widgets.money import money, signed_money
from bearpit_tui.widgets.table import Cell, Column, LineTable


class OpenTable(LineTable[Duel]):
    """Duels that are not over: first those that wait for this player."""

    def __init__(self, me: Callable[[], str], now: Callable[[], datetime], *, id: str | None = None) -> None:
        def mark(one: Duel) -> Cell:
            return ("●" if one.awaits(me()) or one.asks(me()) else "", ("own",))

        def left(one: Duel) -> Cell:
            rest = one.due_at - now()
            return countdown(rest), ("warn",) if rest < timedelta(minutes=1) else ("muted",)

        columns: tuple[Column[Duel], ...] = (
            Column("", 1, mark),
            Column("Who", 20, lambda one: (who(one, me()), ("strong",) if one.has(me()) else ()), grows=True),
            Column("Stake", 10, lambda one: (money(one.stake_cents), ()), right=True),
            Column("Now", 21, lambda one: (now_words(one, me()), ("muted",))),
            Column("Left", 6, left, right=True),
        )
        empty = "no duels are open: challenge somebody, or the house"
        super().__init__(columns, lambda one: str(one.duel_id), empty_text=empty, id=id)

    def tick(self) -> None:
        """A second less is left."""
        self.refresh_rows(self.rows_in_sight())


class OverTable(LineTable[Duel]):
    """Duels that are over, newest first."""

    def __init__(
        self, me: Callable[[], str], zone: tzinfo, now: Callable[[], datetime], *, id: str | None = None
    ) -> None:
        def when(one: Duel) -> Cell:
            at = one.at.astimezone(zone)
            today = at.date() == now().astimezone(zone).date()
            return at.strftime("%H:%M:%S" if today else "%d %b %H:%M"), ("muted",)

        def result(one: Duel) -> Cell:
            if not one.has(me()):
                return (f"{one.winner} won" if one.winner else one.ending.value), ()
            gain = one.gain_cents(me())
            tones = ("up",) if gain > 0 else ("down",) if gain < 0 else ("muted",)
            return (signed_money(gain) if one.winner else one.ending.value), tones

        columns: tuple[Column[Duel], ...] = (
            Column("", 2, _checked),
            Column("When", 12, when, rank=2),
            Column("Who", 16, lambda one: (who(one, me()), ()), grows=True),
            Column("Result", 12, result, right=True),
            Column("Moves", 18, lambda one: (_moves(one), ("muted",)), rank=1),
        )
        super().__init__(columns, lambda one: str(one.duel_id), empty_text="none yet", id=id)


def who(one: Duel, me: str) -> str:
    """Who challenged whom."""
    names = ["you" if name == me else name for name in (one.challenger, one.opponent or "anybody")]
    return f"{names[0]} → {'the house' if one.against_house else names[1]}"


def now_words(one: Duel, me: str) -> str:
    """What a duel waits for."""
    if one.asks(me):
        return "accept it, or decline"
    if one.stage is Stage.OPEN:
        return "waits to be accepted" if one.challenger == me else "open to anybody"
    if one.awaits(me):
        return f"round {one.round}: your move" if one.round > 1 else "your move"
    if one.stage is Stage.REVEALING and one.has(me) and not one.half(me).revealed:
        return "made elsewhere: reveal it" if one.elsewhere else "moves are being told"
    return f"waits for {one.other(me)}" if one.has(me) else "being played"


def _checked(one: Duel) -> Cell:
    if one.wrong:
        return "✗✗", ("warn",)
    return ("✓" if one.verified and one.ending in PLAYED else ""), ("muted",)


def _moves(one: Duel) -> str:
    if not one.rounds or one.ending not in PLAYED:
        return ""
    last = one.rounds[-1]
    rounds = f" (round {one.round})" if one.round > 1 else ""
    return f"{last.challenger.move or '–'} : {last.opponent.move or '–'}{rounds}"


def urgency(one: Duel, me: str) -> int:
    """Where a duel stands among the open ones: from 0, which waits for this player."""
    if one.awaits(me):
        return 0
    if one.asks(me):
        return 1
    return 2 if one.has(me) and one.stage is not Stage.OPEN else 3 if one.has(me) else 4


def about(one: Duel, me: str, now: datetime, width: int) -> Iterator[Line]:
    """All there is to know of a duel."""
    if one.over and one.has(me):
        gain = one.gain_cents(me)
        yield from wrapped(told(one, me), width, "up" if gain > 0 else "down" if gain < 0 else "strong")
    elif one.over:
        yield from wrapped(f"{who(one, me)}: {one.winner or 'nobody'} won", width, "strong")
    else:
        yield from wrapped(f"{who(one, me)}: {now_words(one, me)}", width, "strong")
        yield [("Left    ", ("muted",)), (countdown(one.due_at - now), ("warn",))]
    if one.wrong:
        yield from wrapped(
            "IT DID NOT GO AS IT MUST. Show the operators what follows, and the duel's number.", width, "warn"
        )
    elif one.verified and one.ending in PLAYED:
        yield [("✓ verified by this machine", ("strong",))]
    yield [("Stakes  ", ("muted",)), (f"{money(one.stake_cents)} each", ())]
    if not one.over:
        yield from wrapped(rules(one.stake_cents, one), width, "muted")
    other = one.opponent or "?"
    for played in one.rounds if one.ending in (*PLAYED, Ending.NONE) else ():
        halves = ((one.challenger, played.challenger), (other, played.opponent))
        if not any(half.committed for _, half in halves):
            continue
        yield []
        yield [(f"Round {played.number}", ("muted",))]
        for name, half in halves:
            state = half.move or ("has revealed" if half.revealed else "has moved" if half.committed else "…")
            yield [("  ", ()), ("you" if name == me else name, ("strong",)), (f"  {state}", ())]
    if one.over and one.findings:
        yield []
        for holds, words in one.findings:
            yield [("✓ " if holds else "✗ ", ("muted",) if holds else ("warn",)), *_first(words, width - 2)]
            for line in list(wrapped(words, width - 2))[1:]:
                yield [("  ", ()), *line]
        yield []
        yield from wrapped(f"bearpit verify {one.duel_id} does all this on any machine.", width, "muted")


def _first(words: str, width: int) -> Line:
    return next(wrapped(words, width), [])


def hint(terms: Terms | None, width: int) -> Iterator[Line]:
    """What duels are, for who has none yet."""
    yield from wrapped("Rock, paper, scissors for points.", width, "strong")
    if terms is None:
        return
    least, most = money(terms.minimum_cents), money(terms.maximum_cents)
    yield from wrapped(f"Stakes from {least} to {most}.", width)
    accept, move = (countdown(timedelta(seconds=s)) for s in (terms.accept_seconds, terms.move_seconds))
    yield from wrapped(f"A challenge stands for {accept}; each move has {move}.", width)
