"""What duels are made under, and what a player may stake and have open."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bearpit_server.rules import duel as rules
from bearpit_server.rules.duel import Draws, DuelState
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.duels import Duel
from bearpit_server.storage.settings import Settings


@dataclass(frozen=True, slots=True)
class Terms:
    """What the game's settings say about duels; a duel keeps those that it began with."""

    minimum_cents: int
    maximum_cents: int
    accept_seconds: int
    move_seconds: int
    house_bps: int
    draws: Draws
    max_rounds: int
    max_open: int

    @classmethod
    def of(cls, settings: Settings) -> "Terms":
        """Those that hold now."""
        return cls(
            settings.number("duel_minimum_cents"),
            settings.number("duel_maximum_cents"),
            settings.number("duel_accept_seconds"),
            settings.number("duel_move_seconds"),
            settings.number("duel_house_bps"),
            rules.DRAWS[settings.text("duel_draws")],
            settings.number("duel_max_rounds"),
            settings.number("duel_max_open"),
        )


def check_stake(stake_cents: int, terms: Terms) -> None:
    if stake_cents < terms.minimum_cents:
        raise Refused(
            "BELOW_MINIMUM",
            f"stake_cents: give {terms.minimum_cents} or more",
            "stake_cents",
            minimum_cents=terms.minimum_cents,
        )
    if stake_cents > terms.maximum_cents:
        raise Refused(
            "LIMIT_EXCEEDED",
            f"stake_cents: give {terms.maximum_cents} or less",
            "stake_cents",
            limit="duel_maximum_cents",
            allowed=terms.maximum_cents,
            used=stake_cents,
        )


def check_open(player_id: int, terms: Terms, but: int = 0) -> None:
    """Raises Refused LIMIT_EXCEEDED; the player's cash is locked, so that nobody counts beside us."""
    used = (
        Duel.select()
        .where(
            Duel.state != DuelState.SETTLED,
            (Duel.challenger_id == player_id)
            | ((Duel.opponent_id == player_id) & Duel.accepted_at.is_null(False)),
            Duel.id != but,
        )
        .count()
    )
    if used >= terms.max_open:
        raise Refused(
            "LIMIT_EXCEEDED",
            f"you have {used} duels that are not over, and may have {terms.max_open}; end one first",
            limit="duel_max_open",
            allowed=terms.max_open,
            used=used,
        )


def check_patience(challenger_id: int, opponent: Player, terms: Terms, at: datetime) -> None:
    """Raises Refused LIMIT_EXCEEDED for who challenges somebody again and again, who does not accept.

    Each challenge is told to whom it is for: as many as may be open at once may be made while one could be
    accepted, those that were taken back or declined since too.
    """
    used = (
        Duel.select()
        .where(
            Duel.challenger_id == challenger_id,
            Duel.opponent_id == opponent.id,
            Duel.accepted_at.is_null(),
            Duel.created_at > at - timedelta(seconds=terms.accept_seconds),
        )
        .count()
    )
    if used >= terms.max_open:
        raise Refused(
            "LIMIT_EXCEEDED",
            f"you have challenged {opponent.name} {used} times, and nothing came of it; "
            f"wait {terms.accept_seconds} s, or challenge somebody else",
            "opponent",
            limit="duel_max_open",
            allowed=terms.max_open,
            used=used,
        )
