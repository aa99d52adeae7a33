"""RankService: boards, standings, teams, marks and badges."""
# ruff: noqa: N802 - the methods are named by the contract

from collections.abc import Callable, Iterable
from datetime import date
from time import perf_counter
from typing import TypeVar, cast

import grpc
from bearpit.v1 import ranks_pb2 as pb
from bearpit.v1.ranks_pb2_grpc import RankServiceServicer

from bearpit_server.events.bus import Bus
from bearpit_server.game.ranks import badges, boards, marks, ranks
from bearpit_server.game.ranks.badges import Held
from bearpit_server.game.ranks.boards import Entry, Moment, Standing, TeamEntry, Worth
from bearpit_server.game.ranks.marks import Shown
from bearpit_server.identity import players
from bearpit_server.identity.callers import Caller, origin, signed_in
from bearpit_server.rules.ranking import IN_BPS, Board
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.roles import Permission
from bearpit_server.services import translate
from bearpit_server.services.idempotency import Done, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage import ranks as storage
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.ranks import RankEdition, RankPeriod
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]
T = TypeVar("T")

MOST_AROUND = 50
_BOARDS = {0: Board.NET_WORTH} | {int(board): board for board in Board}


class RankService(RankServiceServicer):
    """All of RankService."""

    def __init__(self, database: Database, bus: Bus, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._once = Once(database, bus)

    async def ListRanks(self, request: pb.ListRanksRequest, context: Context) -> pb.ListRanksResponse:
        """Any page of a board, best first."""
        page, board = Page(request), _board(request.board, "board")
        if not 0 <= request.first_position < 2**62:
            raise invalid("first_position", "give a position from 1 on, or 0 for the top")
        first = max(request.first_position, 1) if page.after_id is None else page.after_id + 1

        def read(moment: Moment) -> tuple[list[Entry], int]:
            return boards.page(moment, board, first, page.limit), boards.total(moment, board)

        moment, found = await self._read(request.period, read)
        if moment is None or found is None:
            return pb.ListRanksResponse()
        entries, token = page.close(found[0], lambda entry: entry.position)
        return pb.ListRanksResponse(
            entries=[_entry(entry, board) for entry in entries],
            next_page_token=token,
            edition=_edition(moment),
            total=found[1],
        )

    async def GetRank(self, request: pb.GetRankRequest, context: Context) -> pb.GetRankResponse:
        """Where a player stands, and who is around."""
        board = _board(request.around_board, "around_board")
        if not 0 <= request.around <= MOST_AROUND:
            raise invalid("around", f"give a number from 0 to {MOST_AROUND}")
        caller = signed_in()
        player = await self._database.run(_whose, request.player, caller)
        shows_all = player.id == caller.player_id or caller.may(Permission.VIEW_ALL_PLAYERS)

        def read(moment: Moment) -> tuple[list[Standing], list[Entry], Worth | None]:
            around = boards.around(moment, board, player.id, request.around) if request.around else []
            is_now = moment.period is None
            worth = boards.worth(moment, player.id) if shows_all and is_now else None
            return boards.standings(moment, player.id), around, worth

        moment, found = await self._read(request.period, read)
        response = pb.GetRankResponse(player_id=player.id, player_name=player.name)
        if moment is not None and found is not None:
            standings, around, worth = found
            response.edition.CopyFrom(_edition(moment))
            response.standings.extend(map(_standing, standings))
            response.around.extend(_entry(entry, board) for entry in around)
            if worth is not None:
                response.net_worth.CopyFrom(_worth(worth))
        return response

    async def ListTeamRanks(
        self, request: pb.ListTeamRanksRequest, context: Context
    ) -> pb.ListTeamRanksResponse:
        """Teams by the average net worth of their members."""
        page = Page(request)
        moment, found = await self._read(
            request.period, lambda moment: boards.teams(moment, page.after_id or 0, page.limit)
        )
        if moment is None or found is None:
            return pb.ListTeamRanksResponse()
        entries, token = page.close(found[0], lambda entry: entry.position)
        return pb.ListTeamRanksResponse(
            entries=map(_team, entries), next_page_token=token, edition=_edition(moment), total=found[1]
        )

    async def ListPeriods(self, request: pb.ListPeriodsRequest, context: Context) -> pb.ListPeriodsResponse:
        """Days and windows whose final ranks are kept."""
        page = Page(request)
        found = await self._database.run(boards.periods, page.after_id, page.limit)
        rows, token = page.close(found, lambda kept: kept.row.id)
        return pb.ListPeriodsResponse(
            periods=[
                pb.KeptPeriod(
                    period=_period(kept.row),
                    at=translate.timestamp(kept.row.at),
                    title=kept.title,
                    players=kept.row.players,
                )
                for kept in rows
            ],
            next_page_token=token,
        )

    async def ListMarks(self, request: pb.ListMarksRequest, context: Context) -> pb.ListMarksResponse:
        """What a share counts as, and why."""
        page = Page(request)

        def read() -> list[Shown]:
            edition = ranks.latest()
            if edition is None:
                return []
            return marks.listed(edition.id, request.symbol, page.after, page.limit)

        rows, token = page.close(await self._database.run(read), lambda shown: shown.symbol)
        return pb.ListMarksResponse(marks=map(_mark, rows), next_page_token=token)

    async def RefreshRanks(
        self, request: pb.RefreshRanksRequest, context: Context
    ) -> pb.RefreshRanksResponse:
        """Make a new edition now."""
        by, terms = origin(request.request_id), ranks.Terms.of(self._settings)

        def work() -> Done[pb.RefreshRanksResponse]:
            storage.alone(wait=True)
            began = perf_counter()
            edition = ranks.refresh(terms, by)
            took_ms = int((perf_counter() - began) * 1_000)
            return Done(pb.RefreshRanksResponse(edition=_made(edition), took_ms=took_ms))

        return await self._once.run(request, by, pb.RefreshRanksResponse, work)

    async def ListBadges(self, request: pb.ListBadgesRequest, context: Context) -> pb.ListBadgesResponse:
        """All badges, and which of them a player has."""
        page, caller = Page(request), signed_in()
        skip = page.after_id or 0

        def read() -> list[tuple[int, Held]]:
            whose = 0 if caller.is_service and not request.player else _whose(request.player, caller).id
            numbered = list(enumerate(badges.held(whose), 1))
            return numbered[skip : skip + page.limit]

        rows, token = page.close(await self._database.run(read), lambda numbered: numbered[0])
        return pb.ListBadgesResponse(badges=[_badge(held) for _, held in rows], next_page_token=token)

    async def AwardBadge(self, request: pb.AwardBadgeRequest, context: Context) -> pb.AwardBadgeResponse:
        """Give a player a badge."""
        by = origin(request.request_id)

        def work() -> Done[pb.AwardBadgeResponse]:
            player = players.get(request.player)
            badges.award(player, request.badge, by)
            return Done(pb.AwardBadgeResponse(badge=_badge(_held(player, request.badge))))

        return await self._once.run(request, by, pb.AwardBadgeResponse, work)

    async def RevokeBadge(self, request: pb.RevokeBadgeRequest, context: Context) -> pb.RevokeBadgeResponse:
        """Take a badge away."""
        by = origin(request.request_id)

        def work() -> Done[pb.RevokeBadgeResponse]:
            player = players.get(request.player)
            badges.revoke(player, request.badge, by)
            return Done(pb.RevokeBadgeResponse(badge=_badge(_held(player, request.badge))))

        return await self._once.run(request, by, pb.RevokeBadgeResponse, work)

    async def _read(
        self, period: pb.RankPeriod, read: Callable[[Moment], T]
    ) -> tuple[Moment | None, T | None]:
        """Read ranks of a moment; nothing where there are none yet. Raises Refused NOT_FOUND."""

        def work() -> tuple[Moment | None, T | None]:
            moment = _moment(period)
            return moment, None if moment is None else read(moment)

        return await self._database.run(work)


def _moment(period: pb.RankPeriod) -> Moment | None:
    which = period.WhichOneof("of")
    if which == "window_id":
        if period.window_id < 1:
            raise invalid("period.window_id", "give a window's number, as `ListPeriods` has it")
        return boards.kept(window_id=period.window_id)
    if which == "day":
        try:
            return boards.kept(day=date.fromisoformat(period.day))
        except ValueError:
            raise invalid("period.day", "give a day such as 2031-08-04") from None
    return boards.now()


def _whose(name: str, caller: Caller) -> Player:
    """The player of that name, or the caller. Raises Refused NOT_FOUND, or INVALID_FIELD for a service."""
    if name:
        return players.get(name)
    if caller.is_service:
        raise invalid("player", "name a player: a service is none")
    found: Player = Player.get_by_id(caller.player_id)
    return found


def _held(player: Player, key: str) -> Held:
    return next(held for held in badges.held(player.id) if held.badge.key == key)


def _board(number: int, field: str) -> Board:
    if number not in _BOARDS:
        raise Refused("INVALID_FIELD", f"{field}: give one of {_names(Board)}", field)
    return _BOARDS[number]


def _names(all_of_them: Iterable[Board]) -> str:
    return ", ".join(board.name for board in all_of_them)


# To messages


def _edition(moment: Moment) -> pb.Edition:
    return pb.Edition(
        edition_id=moment.number if moment.period is None else 0,
        at=translate.timestamp(moment.at),
        compared_with=None if moment.then is None else translate.timestamp(moment.then.at),
        players=moment.players,
    )


def _made(edition: RankEdition) -> pb.Edition:
    return pb.Edition(edition_id=edition.id, at=translate.timestamp(edition.at), players=edition.players)


def _period(row: RankPeriod) -> pb.RankPeriod:
    if row.window_id is not None:
        return pb.RankPeriod(window_id=row.window_id)
    return pb.RankPeriod(day=row.day.isoformat())


def _entry(entry: Entry, board: Board) -> pb.RankEntry:
    made = pb.RankEntry(
        rank=entry.rank,
        position=entry.position,
        player_id=entry.player_id,
        player_name=entry.player,
        team_name=entry.team,
        previous_rank=entry.previous_rank,
    )
    if board in IN_BPS:
        made.value_bps = entry.value
    else:
        made.value_cents = entry.value
    return made


def _standing(standing: Standing) -> pb.Standing:
    return pb.Standing(
        board=cast(pb.Board, int(standing.board)),
        entry=_entry(standing.entry, standing.board),
        total=standing.total,
    )


def _worth(worth: Worth) -> pb.NetWorth:
    return pb.NetWorth(
        cash_cents=worth.cash,
        holdings_cents=worth.holdings,
        debt_cents=worth.debt,
        net_worth_cents=worth.cash + worth.holdings - worth.debt,
        received_cents=worth.received,
    )


def _team(entry: TeamEntry) -> pb.TeamRankEntry:
    return pb.TeamRankEntry(
        rank=entry.rank,
        team_id=entry.team_id,
        team_name=entry.team,
        members=entry.members,
        average_cents=entry.average_cents,
        previous_rank=entry.previous_rank,
    )


def _mark(shown: Shown) -> pb.Mark:
    return pb.Mark(
        symbol=shown.symbol,
        mark_cents=shown.mark.cents,
        last_cents=shown.last_cents,
        source=cast(pb.MarkSource, int(shown.mark.source)),
        explanation=shown.mark.explanation,
        trades=shown.mark.trades,
        pairs=shown.mark.pairs,
    )


def _badge(held: Held) -> pb.Badge:
    return pb.Badge(
        badge=held.badge.key,
        name=held.badge.name,
        description=held.badge.description,
        unique=held.badge.first,
        awarded_at=None if held.awarded_at is None else translate.timestamp(held.awarded_at),
        holders=held.holders,
        holder=held.holder,
    )
