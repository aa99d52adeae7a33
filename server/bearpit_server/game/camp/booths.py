"""Booths, and the visits that are rewarded once; inside the caller's transaction.

Whoever counts a visit, or changes a booth, holds the lock on the booth's row: so the visits of a minute are
counted exactly, and none is counted with a password that has been replaced. Then come the player's accounts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.game.points.adjustments import require_room
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules import booths as rules
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Player
from bearpit_server.storage.models.booths import Booth, BoothVisit

MAX_NAME = 24


@dataclass(frozen=True, slots=True)
class Figures:
    """What has come of a booth so far."""

    visits: int = 0
    players_created: int = 0
    given_cents: int = 0
    last_visit_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A booth with its figures."""

    row: Booth
    figures: Figures


@dataclass(frozen=True, slots=True)
class Visited:
    """A visit with the names in it."""

    row: BoothVisit
    booth: str
    player: str


# --- looking ------------------------------------------------------------------------------------


def find(name: str) -> Booth | None:
    """The booth of that name, without regard to case."""
    if len(name) > MAX_NAME or not name.isascii() or "\0" in name:
        return None
    row: Booth | None = Booth.get_or_none(pw.fn.lower(Booth.name) == name.lower())
    return row


def get(name: str) -> Booth:
    """The same. Raises Refused NOT_FOUND."""
    row = find(name)
    if row is None:
        raise not_found("booth", name[:40])
    return row


def with_figures(rows: Sequence[Booth]) -> list[Listed]:
    """Booths with their figures."""
    figures = _figures([row.id for row in rows])
    return [Listed(row, figures.get(row.id, Figures())) for row in rows]


def listed(after: str, limit: int) -> list[Listed]:
    """Booths by name, those after a name."""
    lower = pw.fn.lower(Booth.name)
    query = Booth.select().order_by(lower).limit(limit)
    return with_figures(list(query.where(lower > after.lower()) if after else query))


def visits(booth_id: int | None, player_id: int | None, before_id: int | None, limit: int) -> list[Visited]:
    """Visits of a booth or of all, by a player or by all, newest first, those before an id."""
    query = (
        BoothVisit.select(BoothVisit, Booth.name.alias("booth"), Player.name.alias("player"))
        .join(Booth, on=(Booth.id == BoothVisit.booth_id))
        .join_from(BoothVisit, Player, on=(Player.id == BoothVisit.player_id))
        .order_by(BoothVisit.id.desc())
        .limit(limit)
    )
    if booth_id is not None:
        query = query.where(BoothVisit.booth_id == booth_id)
    if player_id is not None:
        query = query.where(BoothVisit.player_id == player_id)
    if before_id is not None:
        query = query.where(BoothVisit.id < before_id)
    return [Visited(row, row.booth, row.player) for row in query.objects()]


def _figures(ids: Collection[int]) -> dict[int, Figures]:
    count = pw.fn.count
    rows = (
        BoothVisit.select(
            BoothVisit.booth_id,
            count(BoothVisit.player_id),
            count(pw.SQL("1")).filter(BoothVisit.created_player),
            pw.fn.sum(BoothVisit.reward_cents).cast("bigint"),
            pw.fn.max(BoothVisit.at),
        )
        .where(BoothVisit.booth_id << list(ids))
        .group_by(BoothVisit.booth_id)
        .tuples()
    )
    return {booth_id: Figures(*found) for booth_id, *found in rows}


# --- making and changing booths -----------------------------------------------------------------


def create(name: str, password_hash: str, reward_cents: int, creates_players: bool, origin: Origin) -> Booth:
    """A new booth; a reward of 0 is the game's setting. Raises Refused INVALID_FIELD or ALREADY_EXISTS."""
    reward = rules.check_reward(reward_cents)
    at = now()
    made = (
        Booth.insert(
            name=name, password_hash=password_hash, password_at=at, reward_cents=reward,
            creates_players=creates_players, created_at=at,
        )
        .on_conflict_ignore()
        .returning(Booth)
        .execute()
    )  # fmt: skip
    row: Booth | None = next(iter(made), None)
    if row is None:
        raise _taken(name)
    payload = {"name": name, "reward_cents": reward_cents, "creates_players": creates_players}
    log.append([Event("booth.created", f"booth:{row.id}", origin, payload)], at)
    return row


@dataclass(frozen=True, slots=True)
class Terms:
    """What shall be changed of a booth; None or empty: it stays as it is."""

    name: str = ""
    reward_cents: int | None = None
    creates_players: bool | None = None
    active: bool | None = None


def change(name: str, terms: Terms, origin: Origin) -> Booth:
    """Change a booth. Raises Refused NOT_FOUND, INVALID_FIELD or ALREADY_EXISTS."""
    row = lock(get(name).id)
    told: dict[str, object] = {}
    if terms.name and terms.name != row.name:
        other = find(terms.name)
        if other is not None and other.id != row.id:
            raise _taken(terms.name, "new_name")
        told |= {"name": terms.name, "from_name": row.name}
        row.name = terms.name
    if terms.reward_cents is not None:
        row.reward_cents = rules.check_reward(terms.reward_cents)
        told["reward_cents"] = terms.reward_cents
    for field, value in (("creates_players", terms.creates_players), ("active", terms.active)):
        if value is not None and value != getattr(row, field):
            setattr(row, field, value)
            told[field] = value
    if told:
        try:
            row.save(only=[Booth.name, Booth.reward_cents, Booth.creates_players, Booth.active])
        except pw.IntegrityError:  # somebody else has just taken the name
            raise _taken(terms.name, "new_name") from None
        log.append([Event("booth.changed", f"booth:{row.id}", origin, told)])
    return row


def rotate(name: str, password_hash: str, origin: Origin) -> Booth:
    """Set a booth's password; the old one is good no more. Raises Refused NOT_FOUND."""
    row = lock(get(name).id)
    row.password_hash, row.password_at = password_hash, now()
    row.save(only=[Booth.password_hash, Booth.password_at])
    log.append([Event("booth.password_changed", f"booth:{row.id}", origin)])
    return row


def lock(booth_id: int) -> Booth:
    """A booth, until the transaction's end nobody else's."""
    row: Booth = Booth.select().where(Booth.id == booth_id).for_update("FOR NO KEY UPDATE").get()
    return row


def _taken(name: str, field: str = "name") -> Refused:
    return Refused("ALREADY_EXISTS", f"there is a booth {name}; choose another name", field, name=name)


# --- visiting -----------------------------------------------------------------------------------


def visit(
    booth: Booth, player: Player, created: bool, reward_cents: int, per_minute: int, origin: Origin
) -> tuple[BoothVisit, list[WalletChange]]:
    """Count a player's visit to a booth that is locked, and reward it.

    Raises Refused NOT_POSSIBLE_NOW when the booth is closed, ALREADY_VISITED, RATE_LIMITED, PLAYER_DISABLED,
    PLAYER_FROZEN, or INVALID_FIELD when there would be more points than can be counted.
    """
    at = now()
    if not booth.active:
        raise Refused("NOT_POSSIBLE_NOW", "this booth is closed; ask an operator to open it", state="closed")
    earlier = BoothVisit.get_or_none((BoothVisit.booth_id == booth.id) & (BoothVisit.player_id == player.id))
    if earlier is not None:
        raise Refused(
            "ALREADY_VISITED",
            f"this booth has rewarded {player.name} before; on to the next booth",
            "player",
            visited_at=earlier.at.isoformat(),
        )
    _check_pace(booth, per_minute, at)
    row = BoothVisit.create(
        booth_id=booth.id, player_id=player.id, reward_cents=reward_cents, created_player=created, at=at
    )
    changes = _reward(booth, player, reward_cents, origin, at)
    payload = {
        "visit_id": row.id,
        "booth": booth.name,
        "player_id": player.id,
        "player": player.name,
        "reward_cents": reward_cents,
        "created_player": created,
    }
    log.append([Event("booth.visited", f"booth:{booth.id}", origin, payload)], at)
    return row, changes


def _reward(booth: Booth, player: Player, cents: int, origin: Origin, at: datetime) -> list[WalletChange]:
    account, issuer = open_account(player.id, CASH), open_account(HOUSE, CASH, "issuer")
    journal = Journal(at)
    journal.lock([account, issuer])
    target = journal.accounts[account]
    if target.disabled:
        raise Refused(
            "PLAYER_DISABLED", f"player {player.name} is disabled and can receive nothing", "player"
        )
    if target.frozen:
        raise Refused(
            "PLAYER_FROZEN",
            f"player {player.name} is frozen; come again when the operators have ended that",
            "player",
        )
    require_room(journal.accounts[issuer].balance, cents, "reward_cents")
    journal.post(issuer, account, cents, "booth", f"booth:{booth.id}", origin, booth.name)
    return journal.write()


def _check_pace(booth: Booth, per_minute: int, at: datetime) -> None:
    latest = (
        BoothVisit.select(BoothVisit.at)
        .where(BoothVisit.booth_id == booth.id, BoothVisit.at > at - rules.MINUTE)
        .order_by(BoothVisit.at.desc())
        .limit(per_minute)
    )
    if per_minute:
        rules.check_pace([when for (when,) in latest.tuples()], per_minute, at)
