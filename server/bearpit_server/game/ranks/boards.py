"""Reading ranks: any page of a board, one player's standings, teams; inside the caller's transaction.

A board is stored by pages of a hundred players in order, so the last page is read like the first. Ranks are
not stored: the rank of a key is where it first stands, and an index finds that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import peewee as pw

from bearpit_server.game.points import wallets
from bearpit_server.game.ranks import ranks
from bearpit_server.rules.marks import holding_cents
from bearpit_server.rules.ranking import PAGE, Board, PeriodKind, competition_ranks, value
from bearpit_server.rules.refusals import not_found
from bearpit_server.storage import ranks as storage
from bearpit_server.storage.models import Instrument, Player, Window
from bearpit_server.storage.models.ranks import (
    RankEdition,
    RankMark,
    RankPeriod,
    RankResultTeam,
    RankTeam,
)
from bearpit_server.storage.models.teams import Team

_CHANGE = int(PeriodKind.CHANGE)


@dataclass(frozen=True, slots=True)
class Moment:
    """When ranks are looked at: an edition, or a period that is kept. `then`: what they are compared with."""

    number: int
    """The edition's; of a period its id."""
    at: datetime
    players: int
    source: storage.Source
    then: RankPeriod | None
    period: RankPeriod | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a board. `value`: cents or basis points, by the board. `previous_rank` 0: none."""

    rank: int
    position: int
    player_id: int
    player: str
    team: str
    value: int
    previous_rank: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A player's line on a board of so many."""

    board: Board
    entry: Entry
    total: int


@dataclass(frozen=True, slots=True)
class TeamEntry:
    """A team's line. `previous_rank` 0: none."""

    rank: int
    position: int
    team_id: int
    team: str
    members: int
    average_cents: int
    previous_rank: int


@dataclass(frozen=True, slots=True)
class Worth:
    """What a net worth is made of, in cents."""

    cash: int
    holdings: int
    debt: int
    received: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A period that is kept."""

    row: RankPeriod
    title: str


def now() -> Moment | None:
    """The edition that holds, which stays until this transaction ends; None: there has been none."""
    while (edition := ranks.latest()) is not None:
        storage.hold(edition.id)
        newest = ranks.latest()
        if newest is not None and newest.id <= edition.id + 1:
            then = RankPeriod.get_or_none(RankPeriod.kind == _CHANGE)
            return _edition(edition, then)
    return None


def _edition(edition: RankEdition, then: RankPeriod | None) -> Moment:
    return Moment(edition.id, edition.at, edition.players, storage.Source(edition.id), then)


def kept(window_id: int = 0, day: date | None = None) -> Moment:
    """A window's or a day's final ranks. Raises Refused NOT_FOUND."""
    which = RankPeriod.window_id == window_id if window_id else RankPeriod.day == day
    row = RankPeriod.get_or_none(which)
    if row is None:
        what = ("final rank of window", window_id) if window_id else ("final rank of the day", day)
        raise not_found(*what)
    before = (
        RankPeriod.select()
        .where(RankPeriod.kind == row.kind, RankPeriod.at < row.at)
        .order_by(RankPeriod.at.desc(), RankPeriod.id.desc())
        .first()
    )
    return Moment(row.id, row.at, row.players, storage.Source(period=row.id), before, row)


def periods(after_id: int | None, limit: int) -> list[Kept]:
    """Days and windows whose final ranks are kept, newest first."""
    query = (
        RankPeriod.select(RankPeriod, Window.title.alias("title"))
        .join(Window, pw.JOIN.LEFT_OUTER, on=(Window.id == RankPeriod.window_id))
        .where(RankPeriod.kind != _CHANGE)
        .order_by(RankPeriod.id.desc())
        .limit(limit)
        .objects()
    )
    if after_id is not None:
        query = query.where(RankPeriod.id < after_id)
    return [Kept(row, row.title or str(row.day)) for row in query]


def page(moment: Moment, board: Board, first: int, limit: int) -> list[Entry]:
    """The lines from a position on, which is 1 or more, as far as there are any."""
    begin, end = first - 1, first - 1 + limit
    rows = moment.source.pages(board, begin // PAGE, (end - 1) // PAGE)
    skip = begin % PAGE
    keys = [key for page_keys, _ in rows for key in page_keys][skip : skip + limit]
    players = [player for _, page_players in rows for player in page_players][skip : skip + limit]
    if not keys:
        return []
    [first_rank] = moment.source.ranks([(board, keys[0])])
    named, before = _names(players), _previous(moment.then, [board], players)
    found = competition_ranks(keys, first, first_rank)
    return [
        Entry(rank, first + at, player, *named[player], value(board, key), before.get((player, board), 0))
        for at, (rank, player, key) in enumerate(zip(found, players, keys, strict=True))
    ]


def total(moment: Moment, board: Board) -> int:
    """How many are on a board."""
    return moment.source.totals().get(board, 0)


def around(moment: Moment, board: Board, player_id: int, lines: int) -> list[Entry]:
    """A player's line and so many above and below; none for who is not on the board."""
    key = _keys(moment.source, [player_id], [board]).get((player_id, board))
    if key is None or board not in moment.source.totals():
        return []
    [position] = moment.source.positions([(board, key)], player_id)
    first = max(1, position - lines)
    return page(moment, board, first, position - first + lines + 1)


def standings(moment: Moment, player_id: int) -> list[Standing]:
    """Where a player stands on each board that he is on."""
    totals = moment.source.totals()
    keys = _keys(moment.source, [player_id], list(totals))
    wanted = [(board, key) for (_, board), key in keys.items()]
    found = zip(
        wanted,
        moment.source.ranks(wanted),
        moment.source.positions(wanted, player_id),
        strict=True,
    )
    before = _previous(moment.then, list(totals), [player_id])
    name, team = _names([player_id])[player_id]
    return [
        Standing(
            board,
            Entry(rank, at, player_id, name, team, value(board, key), before.get((player_id, board), 0)),
            totals[board],
        )
        for (board, key), rank, at in found
    ]


def worth(moment: Moment, player_id: int) -> Worth | None:
    """What the wallet counts as now, at an edition's marks; None for who is not counted."""
    received = moment.source.received(player_id)
    if received is None:
        return None
    wallet = wallets.of(player_id)
    query = RankMark.select(RankMark, Instrument.symbol).join(
        Instrument, on=(Instrument.id == RankMark.instrument_id), attr="instrument"
    )
    marks = {row.instrument.symbol: row for row in query.where(RankMark.edition_id == moment.number)}
    holdings = 0
    for position in wallet.positions:
        if mark := marks.get(position.symbol):
            holdings += holding_cents(
                min(position.quantity, mark.most),
                mark.mark_cents,
                mark.tick_cents,
                mark.pool_cents,
                mark.pool_shares,
            )
    return Worth(wallet.cash_cents, holdings, wallet.debt_cents, received)


def teams(moment: Moment, after: int, limit: int) -> tuple[list[TeamEntry], int]:
    """Teams after a position, and how many there are in all."""
    if moment.period is None:
        table, of = RankTeam, RankTeam.edition_id == moment.number
    else:
        table, of = RankResultTeam, RankResultTeam.period_id == moment.number
    query = (
        table.select(table, Team.name)
        .join(Team, on=(Team.id == table.team_id), attr="team")
        .where(of, table.position > after)
        .order_by(table.position)
        .limit(limit)
    )
    rows = list(query)
    previous: dict[int, int] = {}
    if moment.then is not None:
        then = RankResultTeam.select(RankResultTeam.team_id, RankResultTeam.rank).where(
            RankResultTeam.period_id == moment.then.id
        )
        previous = dict(then.tuples())
    entries = [
        TeamEntry(
            row.rank, row.position, row.team_id, row.team.name, row.members, row.average_cents,
            previous.get(row.team_id, 0),
        )
        for row in rows
    ]  # fmt: skip
    return entries, int(table.select().where(of).count())


def _keys(
    source: storage.Source, players: Sequence[int], boards: Sequence[Board]
) -> dict[tuple[int, Board], int]:
    """What players are sorted by, on those of these boards that they are on."""
    return {
        (player, board): key
        for player, stored in source.keys(players).items()
        for board, key in zip(Board, stored, strict=True)
        if key is not None and board in boards
    }


def _names(players: Sequence[int]) -> dict[int, tuple[str, str]]:
    """The names of players and of their teams; empty: in none."""
    rows = (
        Player.select(Player.id, Player.name, pw.fn.coalesce(Team.name, ""))
        .join(Team, pw.JOIN.LEFT_OUTER, on=(Team.id == Player.team_id))
        .where(Player.id << list(players))
    )
    return {player_id: (name, team) for player_id, name, team in rows.tuples()}


def _previous(
    then: RankPeriod | None, boards: Sequence[Board], players: Sequence[int]
) -> dict[tuple[int, Board], int]:
    """The ranks that players had on these boards, of those who were on them."""
    if then is None:
        return {}
    source = storage.Source(period=then.id)
    keys = _keys(source, players, boards)
    return dict(zip(keys, source.ranks([(board, key) for (_, board), key in keys.items()]), strict=True))
