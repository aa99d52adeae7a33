"""What happened while a player was away, and when he was there; inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee as pw

from bearpit_server.game.points import debts, wallets
from bearpit_server.game.ranks import boards
from bearpit_server.rules.duel import DuelState
from bearpit_server.rules.ranking import Board
from bearpit_server.rules.refusals import invalid
from bearpit_server.storage import catching_up, clock
from bearpit_server.storage.models import News, Player, Transfer
from bearpit_server.storage.models.duels import Duel
from bearpit_server.storage.models.notices import Inbox, NotificationRow

SHOWN = 20
"""Lines of each list."""
LONGEST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Traded:
    """What was traded of one instrument."""

    symbol: str
    bought: int
    bought_cents: int
    sold: int
    sold_cents: int
    fills: int
    fee_cents: int
    realised_cents: int


@dataclass(frozen=True, slots=True)
class Passed:
    """A transfer, seen from the player's side: negative when it was sent."""

    player: str
    amount_cents: int
    note: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """What a window did to what the player holds."""

    window_id: int
    title: str
    gain_cents: int


@dataclass(frozen=True, slots=True)
class Duels:
    """Duels that are over."""

    won: int
    lost: int
    drawn: int
    net_cents: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a player is worth, in cents, and his rank; None: not known, not ranked."""

    worth_cents: int | None
    rank: int | None


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What happened in a span of time. Lists are of SHOWN at most, counts and sums of all."""

    since: datetime
    until: datetime
    traded: Sequence[Traded]
    fills_cut: bool
    """Whether there was so much trading that only the latest was counted."""
    headlines: Sequence[str]
    headline_count: int
    received_cents: int
    sent_cents: int
    transfers: Sequence[Passed]
    transfer_count: int
    windows: Sequence[Settled]
    window_count: int
    duels: Duels
    before: Standing
    now: Standing
    notifications: int
    unread: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        happened = (
            self.traded, self.headline_count, self.transfer_count, self.window_count, self.notifications,
            self.duels.won + self.duels.lost + self.duels.drawn,
        )  # fmt: skip
        return not any(happened)


def catch_up(
    player_id: int, since: datetime | None, seen_at: datetime | None, prices: Mapping[str, int]
) -> CatchUp:
    """What happened since a moment; None: since the player was last seen, or else came to the game.

    `seen_at` is when he was seen by this server, which may not have been written yet; `prices` are in cents
    by symbol. Raises Refused INVALID_FIELD for a moment to come.
    """
    until = clock.now()
    inbox: Inbox | None = Inbox.get_or_none(Inbox.player_id == player_id)
    begin, before = _begin(player_id, since, seen_at, inbox)
    if begin > until:
        raise invalid("since", "give a time that has passed")
    begin = max(begin, until - LONGEST)
    traded, is_cut = catching_up.fills(player_id, begin)
    received, sent, passed, transfer_count = _transfers(player_id, begin)
    headlines, headline_count = _headlines(begin, until)
    windows = [Settled(*row) for row in catching_up.settled(player_id, begin)]
    told, unread = _notifications(player_id, begin, inbox)
    return CatchUp(
        since=begin,
        until=until,
        traded=[Traded(*row) for row in traded],
        fills_cut=is_cut,
        headlines=headlines,
        headline_count=headline_count,
        received_cents=received,
        sent_cents=sent,
        transfers=passed,
        transfer_count=transfer_count,
        windows=windows[:SHOWN],
        window_count=len(windows),
        duels=_duels(player_id, begin),
        before=before,
        now=standings([player_id], prices)[player_id],
        notifications=told,
        unread=unread,
    )


def standings(player_ids: Sequence[int], prices: Mapping[str, int]) -> dict[int, Standing]:
    """How players stand by the latest ranks; who is not ranked yet is worth what he has at these prices.

    `prices` are in cents by symbol.
    """
    moment = boards.now()  # and nobody empties it while it is read
    source = None if moment is None else moment.source
    keys = {} if source is None else source.keys(player_ids)
    worths = {id_: worth for id_, (worth, *_) in keys.items() if worth is not None}
    ranked = [] if source is None else source.ranks([(Board.NET_WORTH, worth) for worth in worths.values()])
    found = {id_: Standing(worth, rank) for (id_, worth), rank in zip(worths.items(), ranked, strict=True)}
    return {id_: found.get(id_) or Standing(debts.worth(wallets.of(id_), prices), None) for id_ in player_ids}


def saw(seen: Mapping[int, datetime], prices: Mapping[str, int]) -> None:
    """Players were there until then: `seen_at` never goes back."""
    stood = standings(sorted(seen), prices)
    rows = [(id_, seen[id_], standing.worth_cents, standing.rank) for id_, standing in stood.items()]
    catching_up.saw(rows)


def _begin(
    player_id: int, since: datetime | None, seen_at: datetime | None, inbox: Inbox | None
) -> tuple[datetime, Standing]:
    """From when on to tell, and how the player stood then, if that is known."""
    unknown = Standing(None, None)
    if since is not None:
        return since, unknown
    written = inbox.seen_at if inbox is not None else None
    seen = max((moment for moment in (seen_at, written) if moment is not None), default=None)
    if seen is None:
        player: Player = Player.get_by_id(player_id)
        return player.created_at, unknown
    assert inbox is not None or written is None
    return seen, unknown if inbox is None else Standing(inbox.seen_worth_cents, inbox.seen_rank)


def _headlines(since: datetime, until: datetime) -> tuple[list[str], int]:
    out = News.select(News.text).where(News.told, News.publish_at > since, News.publish_at <= until)
    latest = out.order_by(News.publish_at.desc(), News.id.desc()).limit(SHOWN)
    return [row.text for row in latest], int(out.count())


def _transfers(player_id: int, since: datetime) -> tuple[int, int, list[Passed], int]:
    """What was received and sent in all, the latest of both, and how many there were."""
    mine = ((Transfer.from_id == player_id) | (Transfer.to_id == player_id)) & (Transfer.created_at > since)
    received, sent, count = (
        Transfer.select(
            pw.fn.coalesce(pw.fn.sum(Transfer.amount_cents).filter(Transfer.to_id == player_id), 0),
            pw.fn.coalesce(pw.fn.sum(Transfer.amount_cents).filter(Transfer.from_id == player_id), 0),
            pw.fn.count(Transfer.id),
        )
        .where(mine)
        .tuples()
        .get()
    )
    other = pw.Case(None, [(Transfer.from_id == player_id, Transfer.to_id)], Transfer.from_id)
    sign = pw.Case(None, [(Transfer.from_id == player_id, -1)], 1)
    latest = (
        Transfer.select(Player.name, (Transfer.amount_cents * sign), Transfer.note, Transfer.created_at)
        .join(Player, on=(Player.id == other))
        .where(mine)
        .order_by(Transfer.id.desc())
        .limit(SHOWN)
        .tuples()
    )
    return int(received), int(sent), [Passed(*row) for row in latest], int(count)


def _duels(player_id: int, since: datetime) -> Duels:
    """Those that both sides had put a stake on."""
    won = lost = drawn = net = 0
    rows = Duel.select().where(
        (Duel.challenger_id == player_id) | (Duel.opponent_id == player_id),
        Duel.state == int(DuelState.SETTLED),
        Duel.settled_at > since,
        Duel.accepted_at.is_null(False),
    )
    for row in rows:
        if row.winner_id is None:
            drawn += 1
        elif row.winner_id == player_id:
            won += 1
            net += row.stake_cents - row.house_share_cents
        else:
            lost += 1
            net -= row.stake_cents
    return Duels(won, lost, drawn, net)


def _notifications(player_id: int, since: datetime, inbox: Inbox | None) -> tuple[int, int]:
    """How many came, and how many of these are not read."""
    if inbox is None:
        return 0, 0
    came = NotificationRow.select().where(
        NotificationRow.player_id == player_id, NotificationRow.created_at > since
    )
    unread = came.where(NotificationRow.sequence > inbox.read_sequence)
    return int(came.count()), int(unread.count())
