"""Counting ranks: one edition after the other, each by one transaction.

An edition carries on what has a memory (peaks, what came in from outside, where a day and a window began)
from the one before, so editions are made one at a time. What falls between two is in the later one: a day
ends with the first edition after midnight, a window with the first after it was settled. That edition is
kept, and the next one begins the day or the window anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.game.ranks import badges, marks
from bearpit_server.rules.marks import Thickness
from bearpit_server.rules.ranking import LEADERS, Board, PeriodKind
from bearpit_server.rules.windows import WindowState
from bearpit_server.storage import clock, hours
from bearpit_server.storage import ranks as storage
from bearpit_server.storage.aside import aside
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Window
from bearpit_server.storage.models.ranks import RankEdition, RankPeriod
from bearpit_server.storage.settings import Settings

LOOK_SECONDS = 1.0
"""How often it is looked whether an edition is due."""
EDITIONS = 100
"""How many are remembered, to know which postings were committed when."""
BUSY = 500
"""Postings in a second since the last edition, from which on counting rests in between: orders come first."""
UNDER_WAY = (WindowState.TRADING, WindowState.PAUSED, WindowState.TRADE_CLOSE, WindowState.SETTLING)
OVER = (WindowState.SETTLED, WindowState.CLOSED)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the game's settings say about ranks."""

    floor_cents: int
    """What a return is counted over at least."""
    change_minutes: int
    thick: Thickness

    @classmethod
    def of(cls, settings: Settings) -> "Terms":
        """As they are now."""
        return cls(
            settings.number("ranks_capital_cents"),
            settings.number("ranks_change_minutes"),
            marks.thickness(settings),
        )


async def keep_up(database: Database, settings: Settings) -> None:
    """Make an edition if one is due; a chore. On a thread of its own, so that nobody waits for it."""
    seconds = settings.number("ranks_seconds")
    if seconds and await database.run(_due, seconds):
        terms = Terms.of(settings)

        def work() -> None:
            with database.transaction():
                if storage.alone(wait=False) and _due(seconds):
                    refresh(terms)

        await aside(database, work)


def latest() -> RankEdition | None:
    """The edition that holds; None: there has been none."""
    found: RankEdition | None = RankEdition.select().order_by(RankEdition.id.desc()).first()
    return found


def _due(seconds: int) -> bool:
    edition = latest()
    return edition is None or edition.at <= clock.now() - timedelta(seconds=seconds)


def refresh(terms: Terms, origin: Origin = HOUSE_ORIGIN) -> RankEdition:
    """Make an edition now; in a transaction that is `storage.ranks.alone`."""
    at, before = clock.now(), latest()
    storage.prepare()
    posting_id, next_xid, oldest = storage.horizon()
    rests = before is not None and posting_id - before.posting_id > BUSY * (at - before.at).total_seconds()
    edition = _next(before, at)
    edition.posting_id, edition.next_xid = posting_id, next_xid
    edition.settled_id = max(before.settled_id if before else 0, storage.settled(oldest))
    marks.write(edition.id, marks.find(terms.thick, at))
    storage.fill(
        edition.id,
        new_day=before is not None and before.closes_day,
        new_window=before is not None and before.window_id != edition.window_id,
        before=before.settled_id if before else 0,
        settled=edition.settled_id,
        floor_cents=terms.floor_cents,
        playing=badges.PLAYING,
        rests=rests,
    )
    boards = [board for board in Board if board is not Board.WINDOW or edition.window_id]
    storage.write_pages(edition.id, boards, rests)
    storage.write_teams(edition.id)
    edition.players = storage.Source(edition.id).totals().get(Board.NET_WORTH, 0)
    edition.save(force_insert=True)
    storage.forget(edition.id, EDITIONS)
    _keep(edition, terms.change_minutes, boards)
    _tell(before, edition, origin)
    badges.award_feats(edition)
    return edition


def _next(before: RankEdition | None, at: datetime) -> RankEdition:
    """The edition after `before`, as far as it is known without counting."""
    today = at.astimezone(hours.read().zone).date()
    day = before.day if before and not before.closes_day else today
    window_id = _window(before)
    return RankEdition(
        id=before.id + 1 if before else 1,
        at=at,
        day=day,
        window_id=window_id,
        closes_day=day < today,
        closes_window=window_id is not None and _state(window_id) in OVER,
    )


def _window(before: RankEdition | None) -> int | None:
    """The window that is ranked: the one before until it is over, then the oldest that is under way."""
    if (
        before
        and before.window_id
        and not before.closes_window
        and _state(before.window_id) is not WindowState.CANCELLED
    ):
        return int(before.window_id)
    row = Window.select().where(Window.state << UNDER_WAY).order_by(Window.changed_at, Window.id).first()
    return int(row.id) if row else None


def _state(window_id: int) -> WindowState:
    return WindowState(Window.get_by_id(window_id).state)


# What is kept of an edition


def _keep(edition: RankEdition, change_minutes: int, boards: Sequence[Board]) -> None:
    if edition.closes_day:
        _keep_as(edition, boards, PeriodKind.DAY, day=edition.day)
    if edition.closes_window:
        _keep_as(edition, boards, PeriodKind.WINDOW, window_id=edition.window_id)
    last = RankPeriod.select().where(RankPeriod.kind == PeriodKind.CHANGE).first()
    if last is None or _slot(last.at, change_minutes) < _slot(edition.at, change_minutes):
        RankPeriod.delete().where(RankPeriod.kind == PeriodKind.CHANGE).execute()
        _keep_as(edition, boards, PeriodKind.CHANGE)


def _keep_as(
    edition: RankEdition,
    boards: Sequence[Board],
    kind: PeriodKind,
    day: date | None = None,
    window_id: int | None = None,
) -> None:
    """Keep an edition, once: a day that ended before, by another time zone, stays as it was kept then."""
    row = (
        RankPeriod.insert(
            kind=int(kind), day=day, window_id=window_id, at=edition.at, players=edition.players
        )
        .on_conflict_ignore()
        .returning(RankPeriod.id)
        .execute()
    )
    for made in row:
        storage.keep(edition.id, made.id, boards)


def _slot(at: datetime, minutes: int) -> int:
    """Which stretch of so many minutes a moment is in."""
    return int(at.timestamp()) // (minutes * 60)


# What everybody is told


def _tell(before: RankEdition | None, edition: RankEdition, origin: Origin) -> None:
    """Write an event for each board whose leaders are others, or in another order, than before."""
    events = []
    for board in Board:
        then = _leaders(before, board) if before else {}
        now = _leaders(edition, board)
        if now != then:
            payload = {
                "board": board.name,
                "edition_id": edition.id,
                "players": [
                    {"player_id": player, "rank": rank, "previous_rank": then.get(player, 0)}
                    for player, rank in now.items()
                ],
                "left": [
                    {"player_id": player, "previous_rank": rank}
                    for player, rank in then.items()
                    if player not in now
                ],
            }
            events.append(Event("rank.changed", f"board:{board.name.lower()}", origin, payload))
    log.append(events, edition.at)


def _leaders(edition: RankEdition, board: Board) -> dict[int, int]:
    """The ranks of the first on a board, best first. Where nobody is ahead of anybody, nobody leads."""
    rows = storage.Source(edition.id).pages(board, 0, 0)
    if not rows:
        return {}
    keys, players = rows[0]
    ranks = [keys.index(key) + 1 for key in keys[:LEADERS]]
    return dict(zip(players, ranks, strict=False)) if keys[0] != keys[-1] else {}
