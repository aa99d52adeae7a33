"""Who is worth what: pages of the boards, where one stands, badges, and what shares count as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Protocol

from bearpit.client import Client
from bearpit.v1 import ranks_pb2 as pb
from bearpit_tui.camp.people import Badge
from bearpit_tui.wire import moment

MOST_TEAMS = 1_000
PAGE = 1_000


class Board(Enum):
    """What is ranked by, as the screen names it."""

    NET_WORTH = "Net worth"
    RETURN = "Return"
    REALISED = "Realised"
    DRAWDOWN = "Drawdown"
    DAY = "Today"
    WINDOW = "Window"
    TEAM = "Teams"


IN_BPS = frozenset({Board.RETURN, Board.DRAWDOWN})
GAINS = frozenset({Board.RETURN, Board.REALISED, Board.DAY, Board.WINDOW})
"""Boards of what was gained or lost: their values have a sign."""

BOARDS: Mapping[Board, pb.Board] = {
    Board.NET_WORTH: pb.BOARD_NET_WORTH,
    Board.RETURN: pb.BOARD_RETURN,
    Board.REALISED: pb.BOARD_REALISED,
    Board.DRAWDOWN: pb.BOARD_DRAWDOWN,
    Board.DAY: pb.BOARD_DAY,
    Board.WINDOW: pb.BOARD_WINDOW,
}
_BOARDS = {number: board for board, number in BOARDS.items()}

MARK_SOURCES: Mapping[int, str] = {
    pb.MARK_SOURCE_DEALING: "house's price",
    pb.MARK_SOURCE_POOL: "pool's price",
    pb.MARK_SOURCE_LATEST_TRADES: "latest trades",
    pb.MARK_SOURCE_LONGER_HISTORY: "older trades",
    pb.MARK_SOURCE_REFERENCE: "reference",
    pb.MARK_SOURCE_NONE: "no price",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a board. `value` is in cents, or in basis points on the boards IN_BPS."""

    position: int
    """From 1, each once."""
    rank: int
    """From 1, shared by equal values."""
    name: str
    value: int
    previous: int = 0
    """The rank some time ago; 0: none."""
    team: str = ""
    members: int = 0
    """Of a team."""

    @property
    def rose(self) -> int:
        """By how many ranks; below zero it fell."""
        return self.previous - self.rank if self.previous else 0


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a trading window that is over, whose final ranks are kept."""

    at: datetime
    """The moment that they are of."""
    day: date | None = None
    """None: it is a window."""
    window_id: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Edition:
    """A moment whose ranks were counted; `number` rises, and is 0 for a period that is over."""

    number: int
    at: datetime
    compared_with: datetime | None = None
    players: int = 0


@dataclass(frozen=True, slots=True)
class Ranks:
    """A part of a board; without an edition nothing has been counted yet."""

    places: tuple[Place, ...] = ()
    total: int = 0
    edition: Edition | None = None


@dataclass(frozen=True, slots=True)
class Worth:
    """What a net worth is made of, in cents."""

    cash: int
    holdings: int
    debt: int
    total: int
    received: int
    """Of it: what came in from outside, less what was given away."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One player on all boards."""

    name: str
    places: Mapping[Board, tuple[Place, int]]
    """With how many are on the board. Boards that the player is not on are left out."""
    worth: Worth | None = None
    """Only one's own, or for those who may see all players."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a share counts as in net worth, and why."""

    symbol: str
    mark_cents: int
    last_cents: int
    source: str
    explanation: str


class Rankings(Protocol):
    """What is asked about ranks."""

    async def page(self, board: Board, first: int, size: int, period: Period | None = None) -> Ranks:
        """`size` lines of a board from a position on, which begins at 1; without a period, of now."""

    async def standing(self, player: str, period: Period | None = None) -> Standing:
        """Where a player stands, or stood; for an empty name, this one. Raises BearpitError NOT_FOUND."""

    async def periods(self) -> list[Period]:
        """All that are kept, newest first."""

    async def badges(self, player: str) -> list[Badge]:
        """All badges, and when a player got them; for an empty name, this one."""

    async def marks(self) -> list[Mark]:
        """What all shares count as, by symbol."""


class RemoteRankings:
    """A server's rank service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def page(self, board: Board, first: int, size: int, period: Period | None = None) -> Ranks:
        if board is Board.TEAM:
            return await self._teams(first, size, period)
        request = pb.ListRanksRequest(
            board=BOARDS[board], period=_which(period), page_size=size, first_position=first
        )
        answer = await self._client.ranks.ListRanks(request)
        edition = _edition(answer.edition) if answer.HasField("edition") else None
        return Ranks(tuple(_place(one) for one in answer.entries), answer.total, edition)

    async def _teams(self, first: int, size: int, period: Period | None) -> Ranks:
        """There are few teams: all are asked for, and this page taken of them."""
        request = pb.ListTeamRanksRequest(period=_which(period), page_size=MOST_TEAMS)
        answer = await self._client.ranks.ListTeamRanks(request)
        edition = _edition(answer.edition) if answer.HasField("edition") else None
        places = [
            Place(place, one.rank, one.team_name, one.average_cents, one.previous_rank, members=one.members)
            for place, one in enumerate(answer.entries, 1)
        ]
        return Ranks(tuple(places[first - 1 : first - 1 + size]), len(places), edition)

    async def standing(self, player: str, period: Period | None = None) -> Standing:
        answer = await self._client.ranks.GetRank(pb.GetRankRequest(player=player, period=_which(period)))
        places = {
            _BOARDS[one.board]: (_place(one.entry), one.total)
            for one in answer.standings
            if one.board in _BOARDS
        }
        worth = answer.net_worth
        made_of = Worth(
            worth.cash_cents,
            worth.holdings_cents,
            worth.debt_cents,
            worth.net_worth_cents,
            worth.received_cents,
        )
        return Standing(answer.player_name, places, made_of if answer.HasField("net_worth") else None)

    async def periods(self) -> list[Period]:
        periods: list[Period] = []
        token = ""
        while True:
            request = pb.ListPeriodsRequest(page_size=PAGE, page_token=token)
            answer = await self._client.ranks.ListPeriods(request)
            periods += map(_period, answer.periods)
            token = answer.next_page_token
            if not token:
                return periods

    async def badges(self, player: str) -> list[Badge]:
        answer = await self._client.ranks.ListBadges(pb.ListBadgesRequest(player=player, page_size=PAGE))
        return [
            Badge(one.name, one.description, moment(one.awarded_at) if one.HasField("awarded_at") else None)
            for one in answer.badges
        ]

    async def marks(self) -> list[Mark]:
        marks: list[Mark] = []
        token = ""
        while True:
            request = pb.ListMarksRequest(page_size=PAGE, page_token=token)
            answer = await self._client.ranks.ListMarks(request)
            marks += [
                Mark(
                    one.symbol,
                    one.mark_cents,
                    one.last_cents,
                    MARK_SOURCES.get(one.source, ""),
                    one.explanation,
                )
                for one in answer.marks
            ]
            token = answer.next_page_token
            if not token:
                return marks


def _place(message: pb.RankEntry) -> Place:
    value = message.value_bps if message.HasField("value_bps") else message.value_cents
    return Place(
        message.position, message.rank, message.player_name, value, message.previous_rank, message.team_name
    )


def _period(message: pb.KeptPeriod) -> Period:
    which, at = message.period, moment(message.at)
    if which.WhichOneof("of") == "day":
        return Period(at, day=date.fromisoformat(which.day))
    return Period(at, window_id=which.window_id, title=message.title)


def _which(period: Period | None) -> pb.RankPeriod | None:
    if period is None:
        return None
    if period.day is not None:
        return pb.RankPeriod(day=period.day.isoformat())
    return pb.RankPeriod(window_id=period.window_id)


def _edition(message: pb.Edition) -> Edition:
    compared = moment(message.compared_with) if message.HasField("compared_with") else None
    return Edition(message.edition_id, moment(message.at), compared, message.players)
