"""Duels as the screen knows them, what is to be done about them, and what to tell of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from bearpit_tui.model import EPOCH
from bearpit_tui.widgets.money import money, signed_money

MOVES = ("rock", "paper", "scissors")


class Stage(Enum):
    """Where a duel is in its life."""

    OPEN = "open"
    COMMITTING = "committing"
    REVEALING = "revealing"
    CHOOSING = "choosing"
    """Against the house, which has committed."""
    OVER = "over"


class Ending(Enum):
    """How a duel ended, for the column of a table."""

    NONE = ""
    WON = "won"
    FORFEITED = "forfeited"
    DRAWN = "drawn"
    NOT_ACCEPTED = "not accepted"
    ABANDONED = "abandoned"
    CANCELLED = "taken back"
    DECLINED = "declined"
    CALLED_OFF = "called off"


PLAYED = frozenset({Ending.WON, Ending.FORFEITED, Ending.DRAWN, Ending.ABANDONED})


@dataclass(frozen=True, slots=True)
class Half:
    """One player's part of a round. `move` is empty until the round is over."""

    committed: bool = False
    revealed: bool = False
    move: str = ""
    commitment: str = ""
    """In hexadecimal."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round; all but the last were drawn."""

    number: int
    challenger: Half = Half()
    opponent: Half = Half()


@dataclass(frozen=True, slots=True)
class Duel:
    """A duel. An empty opponent: anybody may accept; an empty winner: nobody won."""

    duel_id: int
    challenger: str
    opponent: str
    stake_cents: int
    stage: Stage = Stage.OPEN
    ending: Ending = Ending.NONE
    winner: str = ""
    paid_cents: int = 0
    house_bps: int = 0
    against_house: bool = False
    plays_on: bool = False
    """Whether equal moves lead to another round; else the stakes go back."""
    max_rounds: int = 1
    round: int = 1
    rounds: tuple[Round, ...] = ()
    due_at: datetime = EPOCH
    at: datetime = EPOCH
    """When it ended, or was made."""
    findings: tuple[tuple[bool, str], ...] = ()
    """What this machine found when it verified the duel: whether each thing holds, in words."""
    elsewhere: bool = False
    """Whether this player's move is to be revealed and is not on this machine."""

    def has(self, player: str) -> bool:
        """Whether a player takes part."""
        return player in (self.challenger, self.opponent)

    def other(self, player: str) -> str:
        """Who a player plays against; empty: anybody."""
        if self.against_house:
            return "the house"
        return self.opponent if player == self.challenger else self.challenger

    def half(self, player: str) -> Half:
        """A player's part of the round that is played."""
        if not self.rounds:
            return Half()
        last = self.rounds[-1]
        return last.challenger if player == self.challenger else last.opponent

    def awaits(self, player: str) -> bool:
        """Whether it waits for a player's move."""
        if not self.has(player):
            return False
        if self.stage is Stage.CHOOSING:
            return True
        return self.stage is Stage.COMMITTING and not self.half(player).committed

    def asks(self, player: str) -> bool:
        """Whether a player is challenged and may accept or decline."""
        return self.stage is Stage.OPEN and self.opponent == player

    @property
    def over(self) -> bool:
        return self.stage is Stage.OVER

    @property
    def prize_cents(self) -> int:
        """What is won beside the own stake: the other's, less the house's share, which is rounded up."""
        return self.stake_cents + (-self.stake_cents * self.house_bps // 10_000)

    @property
    def verified(self) -> bool:
        """Whether it was verified and all holds."""
        return bool(self.findings) and all(holds for holds, _ in self.findings)

    @property
    def wrong(self) -> bool:
        """Whether it was verified and something does not hold."""
        return any(not holds for holds, _ in self.findings)

    def gain_cents(self, player: str) -> int:
        """What a player who took part has gained by it."""
        if not self.winner or not self.over:
            return 0
        return self.paid_cents - self.stake_cents if self.winner == player else -self.stake_cents


@dataclass(frozen=True, slots=True)
class Terms:
    """What challenges are made under."""

    minimum_cents: int
    maximum_cents: int
    accept_seconds: int
    move_seconds: int
    house_bps: int
    plays_on: bool
    max_rounds: int


@dataclass(frozen=True, slots=True)
class Duels:
    """The open board with what is addressed to the player, and the player's own; newest first."""

    board: tuple[Duel, ...] = ()
    mine: tuple[Duel, ...] = ()
    loaded: bool = field(default=False)
    trouble: str = ""
    """Why a move could not be revealed, in words."""


def verdict(duel: Duel) -> str:
    """What verifying it came to."""
    if duel.wrong:
        return "VERIFICATION FAILED: IT DID NOT GO AS IT MUST"
    return "verified" if duel.verified else ""


def told(duel: Duel, me: str) -> str:
    """How a duel of this player's ended, in a sentence with both moves."""
    other, stake = duel.other(me), money(duel.stake_cents)
    mine, theirs = _moves(duel, me)
    gain = signed_money(duel.gain_cents(me))
    match duel.ending:
        case Ending.WON if duel.winner == me:
            return f"You won {gain}: your {mine} beats {_of(other)} {theirs}"
        case Ending.WON:
            return f"You lost, {gain}: {_of(other)} {theirs} beats your {mine}"
        case Ending.FORFEITED if duel.winner == me:
            return f"You won {gain}: {other} did not move in time"
        case Ending.FORFEITED:
            return f"You lost, {gain}: you did not move in time against {other}"
        case Ending.DRAWN:
            return f"A draw with {other}: both played {mine}; your {stake} came back"
        case Ending.NOT_ACCEPTED:
            return f"Nobody accepted your duel in time; your {stake} came back"
        case Ending.DECLINED if duel.opponent == me:
            return f"You declined {_of(duel.challenger)} duel for {stake}"
        case Ending.DECLINED:
            return f"{other} declined your duel; your {stake} came back"
        case Ending.CANCELLED if duel.challenger == me:
            return f"Your duel was taken back; your {stake} came back"
        case Ending.CANCELLED:
            return f"{duel.challenger} took back the duel for {stake}"
        case Ending.CALLED_OFF:
            return f"The operators called off your duel with {other or 'anybody'}; {stake} came back"
        case _:
            return f"Your duel with {other} ended without a move; your {stake} came back"


def _of(name: str) -> str:
    return f"{name}'s"


def _moves(duel: Duel, me: str) -> tuple[str, str]:
    if not duel.rounds:
        return "", ""
    last = duel.rounds[-1]
    pair = (last.challenger.move or "nothing", last.opponent.move or "nothing")
    return pair if me == duel.challenger else (pair[1], pair[0])


def news(before: Duels, now: Duels, me: str) -> Iterator[tuple[str, str]]:
    """What to tell of what has changed: the words, and "good", "bad" or "ask"."""
    if not before.loaded:
        return
    if now.trouble and now.trouble != before.trouble:
        yield f"A move of a duel could not be revealed: {now.trouble}", "bad"
    known = {one.duel_id for one in before.board}
    for one in now.board:
        if one.asks(me) and one.duel_id not in known:
            yield f"{one.challenger} challenges you to a duel for {money(one.stake_cents)}", "ask"
    past = {one.duel_id: one for one in before.mine}
    for one in now.mine:
        was = past.get(one.duel_id)
        if one.over and (was is None or not was.over):
            said = verdict(one) if one.ending in PLAYED or one.wrong else ""
            yield f"{told(one, me)}{f' · {said}' if said else ''}", "bad" if one.wrong else "good"
        elif was is not None and one.round > was.round:
            yield f"Duel with {one.other(me)}: round {was.round} was a draw. Choose your next move", "ask"
        elif one.elsewhere and not (was is not None and was.elsewhere):
            words = f"Your move against {one.other(me)} was made on another machine"
            yield f"{words}: open bearpit there to reveal it, or you lose", "bad"
