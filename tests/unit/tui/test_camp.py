"""What pages ask of a server, against one that has all its answers ready."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from bearpit.v1 import (
    announcements_pb2,
    auth_pb2,
    codes_pb2,
    market_pb2,
    notifications_pb2,
    ranks_pb2,
    teams_pb2,
    wallet_pb2,
)
from bearpit_tui.camp.codes import Redeemed
from bearpit_tui.camp.people import Badge
from bearpit_tui.camp.ranks import Board, Period
from bearpit_tui.camp.teams import Team
from bearpit_tui.camp.wallet import CASH, Gift, Given, Loan, Posting, Standing
from bearpit_tui.inbox import Filled, Kind, Notification, Passed, Preference
from bearpit_tui.model import Me, Priority
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.tui.test_remote import ANSWERS, first, signed_in

pytestmark = pytest.mark.real_time

AT = Timestamp(seconds=1_800_000_000)
THEN = datetime.fromtimestamp(1_800_000_000, UTC)

TOLD = notifications_pb2.Notification(
    sequence=4,
    kind=notifications_pb2.NOTIFICATION_KIND_DUEL,
    title="Clara challenges you",
    body="for 20.00",
    reference="duel:3",
    priority=notifications_pb2.NOTIFICATION_PRIORITY_URGENT,
    created_at=AT,
)
UNREAD = notifications_pb2.Unread(count=3, last_sequence=4, read_sequence=1)
WANTED = [
    notifications_pb2.Preference(kind=notifications_pb2.NOTIFICATION_KIND_FILL, screen=True),
    notifications_pb2.Preference(kind=notifications_pb2.NOTIFICATION_KIND_UNSPECIFIED, screen=True),
]
CAMP: dict[str, list[Message]] = {
    **ANSWERS,
    "GetMe": [
        auth_pb2.GetMeResponse(
            player=auth_pb2.Player(
                name="ada",
                roles=[auth_pb2.ROLE_PLAYER, auth_pb2.ROLE_CODE_MANAGER],
                permissions=["LOOK", "PLAY"],
                frozen=True,
                created_at=AT,
            ),
            impersonated_by="boss",
        )
    ],
    "ListRoles": [
        auth_pb2.ListRolesResponse(permissions=[auth_pb2.PermissionTerms(name="PLAY", description="trade")])
    ],
    "GetWallet": [
        wallet_pb2.GetWalletResponse(
            wallet=wallet_pb2.Wallet(credit_cents=500, comeback_cents=100, fee_off_bps=50, fee_off_until=AT)
        )
    ],
    "ListPostings": [
        wallet_pb2.ListPostingsResponse(
            postings=[
                wallet_pb2.Posting(
                    posting_id=9, symbol="ACME", amount=-5, balance_after=2, reason="trade",
                    reference="trade:3", created_at=AT, note="so",
                )
            ],
            next_page_token="more",
        )
    ],
    "Transfer": [wallet_pb2.TransferResponse(transfer_id=1, fee_cents=25, free_cash_after_cents=70)],
    "TakeComebackLoan": [wallet_pb2.TakeComebackLoanResponse(amount_cents=100, debt_cents=110, left=1)],
    "RedeemCode": [
        codes_pb2.RedeemCodeResponse(
            reward=codes_pb2.Reward(fee_coupon=codes_pb2.FeeCoupon(off_bps=2_500)),
            reason="workshop",
            fee_off_until=AT,
            replaced_off_bps=1_000,
        )
    ],
    "GetReferral": [codes_pb2.GetReferralResponse(code="ABC", newcomers=2, rewarded=1, earned_cents=5)],
    "GetTeam": [teams_pb2.GetTeamResponse(team=teams_pb2.Team(name="owls", members=2))],
    "ListMembers": [teams_pb2.ListMembersResponse(members=[teams_pb2.Member(name="ada")])],
    "JoinTeam": [teams_pb2.JoinTeamResponse(team=teams_pb2.Team(name="owls", members=3))],
    "LeaveTeam": [teams_pb2.LeaveTeamResponse()],
    "ListRanks": [ranks_pb2.ListRanksResponse(entries=[ranks_pb2.RankEntry(player_name="bob")])],
    "ListTeamRanks": [ranks_pb2.ListTeamRanksResponse()],
    "GetRank": [ranks_pb2.GetRankResponse(player_name="ada")],
    "ListPeriods": [
        ranks_pb2.ListPeriodsResponse(
            periods=[
                ranks_pb2.KeptPeriod(period=ranks_pb2.RankPeriod(window_id=12), at=AT, title="Chapter 12")
            ],
            next_page_token="more",
        ),
        ranks_pb2.ListPeriodsResponse(
            periods=[
                ranks_pb2.KeptPeriod(period=ranks_pb2.RankPeriod(day="2026-03-01"), at=AT, title="2026-03-01")
            ]
        ),
    ],
    "ListBadges": [
        ranks_pb2.ListBadgesResponse(
            badges=[
                ranks_pb2.Badge(name="Night owl", description="late", awarded_at=AT),
                ranks_pb2.Badge(name="On top", description="first"),
            ]
        )
    ],
    "GetCatchUp": [
        notifications_pb2.GetCatchUpResponse(
            catch_up=notifications_pb2.CatchUp(
                since=AT,
                until=AT,
                fills=7,
                instruments=[notifications_pb2.FilledInstrument(symbol="ACME", bought=3, bought_cents=9)],
                headlines=["Rain"],
                headline_count=4,
                transfers=[notifications_pb2.CaughtTransfer(player="bob", amount_cents=-5, note="so")],
                transfer_count=1,
                windows=[notifications_pb2.CaughtWindow(title="Night", gain_cents=3)],
                window_count=1,
                duels=notifications_pb2.CaughtDuels(won=2, lost=1, net_cents=10),
                net_worth_cents=99,
                rank=4,
                unread=3,
            )
        )
    ],
    "MarkSeen": [notifications_pb2.MarkSeenResponse()],
    "ListNotifications": [
        notifications_pb2.ListNotificationsResponse(notifications=[TOLD], next_page_token="more")
    ],
    "MarkRead": [notifications_pb2.MarkReadResponse(unread=UNREAD)],
    "GetPreferences": [notifications_pb2.GetPreferencesResponse(preferences=WANTED)],
    "UpdatePreferences": [notifications_pb2.UpdatePreferencesResponse(preferences=WANTED)],
    "ListAnnouncements": [
        announcements_pb2.ListAnnouncementsResponse(
            announcements=[
                market_pb2.Announcement(
                    announcement_id=1, title="All", audience=market_pb2.AUDIENCE_ALL
                ),
                market_pb2.Announcement(
                    announcement_id=2, title="Owls", body="*now*", audience=market_pb2.AUDIENCE_TEAM,
                    priority=market_pb2.PRIORITY_URGENT, created_at=AT,
                ),
            ]
        )
    ],
    "StreamNotifications": [
        notifications_pb2.StreamNotificationsResponse(
            sequence=4, snapshot=notifications_pb2.Inbox(unread=UNREAD, latest=[TOLD])
        ),
        notifications_pb2.StreamNotificationsResponse(sequence=5, heartbeat=notifications_pb2.Quiet()),
        notifications_pb2.StreamNotificationsResponse(sequence=6, update=TOLD),
    ],
}  # fmt: skip


async def test_who_one_is() -> None:
    async with signed_in(CAMP) as (gateway, _):
        permissions = frozenset({"LOOK", "PLAY"})
        assert await gateway.me() == Me("ada", ("player", "code_manager"), permissions, True, "boss", THEN)
        assert await gateway.people.permissions() == {"PLAY": "trade"}
        assert await gateway.people.names() == ["bob"]
        assert await gateway.people.badges() == [Badge("Night owl", "late", THEN), Badge("On top", "first")]


def test_frozen_players_may_look_and_servers_that_do_not_tell_are_asked() -> None:
    assert Me("ada", permissions=frozenset({"PLAY", "LOOK"})).may("PLAY")
    assert not Me("ada", permissions=frozenset({"LOOK"})).may("PLAY")
    assert not Me("ada", permissions=frozenset({"PLAY", "LOOK"}), frozen=True).may("PLAY")
    assert Me("ada", permissions=frozenset({"PLAY", "LOOK"}), frozen=True).may("LOOK")
    assert Me("ada").may("PLAY")


async def test_the_wallet() -> None:
    async with signed_in(CAMP) as (gateway, server):
        purse = gateway.purse
        assert await purse.standing() == Standing(500, 100, 50, THEN)
        page = await purse.postings(CASH)
        assert page.rows == (Posting(9, "ACME", -5, 2, "trade", "trade:3", "so", THEN),)
        assert page.token == "more"
        assert await purse.quote(Gift("bob", 25_00, "so")) == Given(25, 70)
        assert await purse.give(Gift("bob", 25_00, "so"), "mine") == Given(25, 70)
        quote, give = server.asked[-2:]
        assert isinstance(quote, wallet_pb2.TransferRequest)
        assert isinstance(give, wallet_pb2.TransferRequest)
        assert (quote.validate_only, give.validate_only) == (True, False)
        assert quote.request_id != give.request_id == "mine"
        assert await purse.borrow("mine") == Loan(100, 110, 1)


async def test_codes_and_teams() -> None:
    async with signed_in(CAMP) as (gateway, _):
        redeemed = await gateway.codes.redeem("ABC", "mine")
        assert redeemed == Redeemed(
            fee_off_bps=2_500, fee_off_until=THEN, replaced_off_bps=1_000, reason="workshop"
        )
        assert (await gateway.codes.referral()).newcomers == 2
        assert await gateway.teams.mine() == Team("owls", 2, ("ada",))
        assert await gateway.teams.join("code", "mine") == Team("owls", 3)
        await gateway.teams.leave("mine")


async def test_ranks_of_now_and_of_what_is_over() -> None:
    async with signed_in(CAMP) as (gateway, server):
        rankings = gateway.rankings
        periods = await rankings.periods()
        assert periods == [
            Period(THEN, window_id=12, title="Chapter 12"),
            Period(THEN, day=date(2026, 3, 1)),
        ]
        for period in (None, *periods):
            await rankings.page(Board.DAY, 1, 10, period)
            await rankings.page(Board.TEAM, 1, 10, period)
            await rankings.standing("ada", period)
        asked = [
            one.period
            for one in server.asked
            if isinstance(
                one,
                ranks_pb2.ListRanksRequest | ranks_pb2.ListTeamRanksRequest | ranks_pb2.GetRankRequest,
            )
        ]
        now, window = ranks_pb2.RankPeriod(), ranks_pb2.RankPeriod(window_id=12)
        assert asked == [now] * 3 + [window] * 3 + [ranks_pb2.RankPeriod(day="2026-03-01")] * 3


async def test_the_inbox() -> None:
    told = Notification(4, Kind.DUEL, "Clara challenges you", "for 20.00", "duel:3", True, THEN)
    async with signed_in(CAMP) as (gateway, _):
        letters = gateway.letters
        assert await letters.page(Kind.DUEL, "") == ([told], "more")
        assert await letters.read(4, "mine") == 3
        assert await letters.preferences() == [Preference(Kind.FILL)]
        assert await letters.prefer(Preference(Kind.FILL, False, False), "mine") == [Preference(Kind.FILL)]
        (team,) = await letters.announced()
        assert (team.title, team.body, team.priority) == ("Owls", "*now*", Priority.URGENT)
        whole, update = await first(letters.follow(), 2)
        assert whole.whole is not None
        assert (whole.whole.unread, whole.whole.read_up_to, whole.whole.latest) == (3, 1, (told,))
        assert update.new == (told,)
        await letters.seen("mine")


async def test_the_time_away() -> None:
    async with signed_in(CAMP) as (gateway, _):
        away = await gateway.letters.catch_up()
        assert away is not None
        assert away.instruments == (Filled("ACME", 3, 9),)
        assert away.transfers == (Passed("bob", -5, "so"),)
        assert (away.windows, away.duels, away.duels_cents) == ((("Night", 3),), (2, 1, 0), 10)
        assert (away.worth_before_cents, away.worth_cents, away.rank_before, away.rank) == (None, 99, None, 4)
