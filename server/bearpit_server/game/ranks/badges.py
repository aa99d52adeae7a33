"""Awarding badges, and who has which; inside the caller's transaction.

A badge is given once: the database holds it, so hearing of a feat again, or two servers at once, changes
nothing. One that was revoked is not earned again by itself.
"""

from dataclasses import dataclass
from datetime import datetime

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.listeners import Span
from bearpit_server.events.log import Event, Origin
from bearpit_server.rules.badges import BADGES, Badge, Kind, find
from bearpit_server.rules.ranking import LEADERS, ONE, Board
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import PLAYER
from bearpit_server.storage import badges as storage
from bearpit_server.storage import clock
from bearpit_server.storage import ranks as standings
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.ranks import Badge as BadgeRow
from bearpit_server.storage.models.ranks import RankEdition

PLAYING = [PLAYER]
"""Roles of those who can have badges, and ranks. Staff who play along are given the role as well: who runs
the game, and could give himself points, does not stand beside those who earn theirs."""


@dataclass(frozen=True, slots=True)
class Held:
    """A badge, from one player's side."""

    badge: Badge
    awarded_at: datetime | None
    holders: int
    holder: str
    """Of one that only the first gets: who has it; empty: nobody yet."""


def award_heard(span: Span) -> None:
    """Award what was earned in a part of the event log."""
    heard = [badge for badge in BADGES.values() if badge.kind is Kind.HEARD]
    after, until = (span.after.xid, span.after.id), (span.until.xid, span.until.id)
    storage.heard(heard, after, until, clock.now(), PLAYING)


def award_feats(edition: RankEdition) -> None:
    """Award what an edition of the ranks shows."""
    at = edition.at
    storage.ranked(edition.id, at, PLAYING)
    for badge, level in (("first-to-double", 2 * ONE), ("first-tenfold", 10 * ONE)):
        storage.give(storage.first_to(edition.id, level, badge), badge, True, at, PLAYING)
    for badge, players in _leading(edition).items():
        storage.give(players, badge, False, at, PLAYING)


def _leading(edition: RankEdition) -> dict[str, list[int]]:
    """Who is in front: among more than ten, of two or more, and of those who have gained.

    A place that more share than it has seats earns nothing: at the beginning all are worth the same.
    """
    leaders: dict[str, list[int]] = {}
    richest = _top(edition, Board.NET_WORTH)
    for badge, seats in (("top-ten", LEADERS), ("on-top", 1)):
        seated = [player for player, _, rank in richest if rank <= seats]
        if edition.players > seats and len(seated) <= seats:
            leaders[badge] = seated
    for badge, board, over in (
        ("day-winner", Board.DAY, edition.closes_day),
        ("window-winner", Board.WINDOW, edition.closes_window),
    ):
        if over and edition.players > 1:
            top = _top(edition, board)
            leaders[badge] = [player for player, key, rank in top if rank == 1 and key > 0]
    return leaders


def _top(edition: RankEdition, board: Board) -> list[tuple[int, int, int]]:
    """The first page of a board: players, keys, ranks. None where nobody is ahead of anybody."""
    rows = standings.Source(edition.id).pages(board, 0, 0)
    if not rows or rows[0][0][0] == rows[0][0][-1]:
        return []
    keys, players = rows[0]
    return [(player, key, keys.index(key) + 1) for player, key in zip(players, keys, strict=True)]


def award(player: Player, key: str, origin: Origin) -> None:
    """Give a player a badge, one that was revoked as well.

    Raises Refused NOT_FOUND, or ALREADY_EXISTS if the player has it, or somebody else has what is one's only.
    """
    badge, at = find(key), clock.now()
    mine = BadgeRow.get_or_none(BadgeRow.player_id == player.id, BadgeRow.badge == key)
    if mine is not None and mine.revoked_at is None:
        raise Refused(
            "ALREADY_EXISTS", f"player {player.name} has the badge {key}; give another one", "badge"
        )
    if badge.first and (holder := _holder(key)):
        raise Refused(
            "ALREADY_EXISTS", f"only one can have {key}, and {holder} does; revoke it there first", "badge"
        )
    row = {"player_id": player.id, "badge": key, "at": at, "first": badge.first, "revoked_at": None}
    try:
        given = (
            BadgeRow.insert(row)
            .on_conflict(
                conflict_target=[BadgeRow.player_id, BadgeRow.badge],
                update={"at": at, "revoked_at": None},
                where=BadgeRow.revoked_at.is_null(False),
            )
            .returning(BadgeRow.player_id)
            .execute()
        )
    except pw.IntegrityError as error:
        raise Refused("ALREADY_EXISTS", f"somebody was just given {key}; look again", "badge") from error
    if not list(given):  # by somebody else, since we looked
        raise Refused(
            "ALREADY_EXISTS", f"player {player.name} has the badge {key}; give another one", "badge"
        )
    payload = {"player_id": player.id, "player": player.name, "badge": key, "name": badge.name}
    log.append([Event("badge.awarded", f"player:{player.id}", origin, payload)], at)


def revoke(player: Player, key: str, origin: Origin) -> None:
    """Take a badge away; it is not earned again by itself. Raises Refused NOT_FOUND."""
    find(key)
    taken = (
        BadgeRow.update(revoked_at=clock.now())
        .where(BadgeRow.player_id == player.id, BadgeRow.badge == key, BadgeRow.revoked_at.is_null())
        .execute()
    )
    if not taken:
        raise Refused(
            "NOT_FOUND", f"player {player.name} has no badge {key}", "badge", kind="badge", name=key
        )
    payload = {"player_id": player.id, "player": player.name, "badge": key}
    log.append([Event("badge.revoked", f"player:{player.id}", origin, payload)])


def held(player_id: int) -> list[Held]:
    """All badges, in their order, as a player sees them; player 0 has none."""
    standing = BadgeRow.revoked_at.is_null()
    mine = dict(
        BadgeRow.select(BadgeRow.badge, BadgeRow.at).where(BadgeRow.player_id == player_id, standing).tuples()
    )
    counts = dict(
        BadgeRow.select(BadgeRow.badge, pw.fn.count(BadgeRow.player_id))
        .where(standing)
        .group_by(BadgeRow.badge)
        .tuples()
    )
    return [
        Held(badge, mine.get(key), counts.get(key, 0), _holder(key) if badge.first and key in counts else "")
        for key, badge in BADGES.items()
    ]


def _holder(key: str) -> str:
    row = (
        Player.select(Player.name)
        .join(BadgeRow, on=(BadgeRow.player_id == Player.id))
        .where(BadgeRow.badge == key, BadgeRow.first, BadgeRow.revoked_at.is_null())
        .first()
    )
    return str(row.name) if row else ""
