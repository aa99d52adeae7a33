"""Badges: given once, the firsts to one only, and told."""

import asyncio

import pytest
from bearpit.client import Client
from bearpit.v1 import admin_pb2
from bearpit.v1 import ranks_pb2 as pb
from bearpit_server.events import log
from bearpit_server.events.listeners import Span
from bearpit_server.events.log import Position
from bearpit_server.game.ranks import badges
from bearpit_server.rules.badges import BADGES, Kind
from bearpit_server.storage.badges import HEARD

from tests.orders import buy, sell
from tests.venue import Venue, refused


async def hear(venue: Venue) -> None:
    """Let the listener hear all of the log, again."""
    await venue.logged()
    with venue.database.transaction():
        badges.award_heard(Span(Position(), log.end()))


async def has(client: Client, player: str = "") -> set[str]:
    """The badges that somebody has, but for who is in front: that is seen whenever ranks are counted."""
    got = await client.ranks.ListBadges(pb.ListBadgesRequest(player=player))
    return {badge.badge for badge in got.badges if badge.HasField("awarded_at")} - {"on-top"}


def test_each_badge_is_earned_somewhere() -> None:
    assert {key for key, badge in BADGES.items() if badge.kind is Kind.HEARD} == HEARD.keys()


async def test_trades_earn_badges_and_the_first_of_all_is_one_players(venue: Venue) -> None:
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    await venue.open_market()
    ada, bob = await venue.player("ada", ACME=100), await venue.player("bob")
    maker = await venue.player("house-maker", 1_000_000, ACME=10)
    await venue.place(maker, buy("ACME", 1, 900))
    for _ in range(10):
        await venue.place(ada, sell("ACME", 1, 900))
        await venue.place(bob, buy("ACME", 1, 900))
    await hear(venue)
    await hear(venue)
    assert await has(ada) == {"first-trade", "opening-bell", "first-profit", "ten-in-a-row"}
    assert await has(bob) == {"first-trade"}
    assert await has(maker) == set()
    told = venue.rows(
        "SELECT payload->>'badge' FROM events WHERE type = 'badge.awarded' AND payload->>'badge' <> 'on-top'"
    )
    assert sorted(badge for (badge,) in told) == [
        "first-profit", "first-trade", "first-trade", "opening-bell", "ten-in-a-row",
    ]  # fmt: skip


async def test_fifty_at_once_are_given_one_first(venue: Venue) -> None:
    people = [await venue.player(f"player{n}") for n in range(4)]
    operator, other = await venue.operator(), await venue.sign_in("operator")
    calls = [
        (operator, other)[n % 2].ranks.AwardBadge(
            pb.AwardBadgeRequest(player=f"player{n % 4}", badge="first-to-double")
        )
        for n in range(50)
    ]
    done = await asyncio.gather(*calls, return_exceptions=True)
    given = [answer for answer in done if not isinstance(answer, BaseException)]
    assert len(given) == 1
    assert sum([len(await has(person)) for person in people]) == 1
    assert {getattr(answer, "reason", "") for answer in done if isinstance(answer, BaseException)} == {
        "ALREADY_EXISTS"
    }


async def test_fifty_at_once_for_one_player_give_it_once(venue: Venue) -> None:
    ada, operator = await venue.player("ada"), await venue.operator()
    award = [
        operator.ranks.AwardBadge(pb.AwardBadgeRequest(player="ada", badge="fair-play")) for _ in range(50)
    ]
    done = await asyncio.gather(*award, return_exceptions=True)
    assert sorted(getattr(answer, "reason", "") for answer in done) == ["", *["ALREADY_EXISTS"] * 49]
    assert await has(ada) == {"fair-play"}
    assert venue.rows("SELECT count(*) FROM events WHERE payload->>'badge' = 'fair-play'") == [(1,)]


async def test_what_was_taken_away_is_not_earned_again_but_can_be_given_again(venue: Venue) -> None:
    ada, _ = await venue.player("ada"), await venue.player("bob")
    operator = await venue.operator()
    await venue.transfer(ada, "bob", 100)
    await hear(venue)
    assert await has(operator, "ada") == {"generous"}
    revoke = pb.RevokeBadgeRequest(player="ada", badge="generous")
    await operator.ranks.RevokeBadge(
        pb.RevokeBadgeRequest(player="ada", badge="generous", validate_only=True)
    )
    assert await has(ada) == {"generous"}
    await operator.ranks.RevokeBadge(revoke)
    await venue.transfer(ada, "bob", 100)
    await hear(venue)
    assert await has(ada) == set()
    assert (
        await refused(operator.ranks.RevokeBadge(pb.RevokeBadgeRequest(player="ada", badge="generous")))
    ).reason == "NOT_FOUND"
    await operator.ranks.AwardBadge(pb.AwardBadgeRequest(player="ada", badge="generous"))
    assert await has(ada) == {"generous"}


async def test_who_pays_a_debt_back_is_seen_when_ranks_are_counted(venue: Venue) -> None:
    ada = await venue.player("ada")
    operator = await venue.operator()
    await operator.admin.SetDebt(admin_pb2.SetDebtRequest(name="ada", debt_cents=500, reason="test"))
    await operator.ranks.RefreshRanks(pb.RefreshRanksRequest())
    assert "debt-free" not in await has(ada)
    await operator.admin.AdjustBalance(admin_pb2.AdjustBalanceRequest(name="ada", amount=500, reason="test"))
    await operator.ranks.RefreshRanks(pb.RefreshRanksRequest())
    assert "debt-free" in await has(ada)


@pytest.mark.parametrize("badge", ["no-such-badge", ""])
async def test_there_is_no_other_badge(venue: Venue, badge: str) -> None:
    operator = await venue.operator()
    request = pb.AwardBadgeRequest(player="operator", badge=badge)
    assert (await refused(operator.ranks.AwardBadge(request))).reason == "NOT_FOUND"


async def test_a_place_that_more_share_than_it_has_seats_earns_nothing(venue: Venue) -> None:
    operator = await venue.operator()
    for number in range(12):
        await venue.player(f"equal{number}", 1_000)
    await venue.player("poor", 500)
    await operator.ranks.RefreshRanks(pb.RefreshRanksRequest())
    given = "SELECT badge, count(*) FROM badges WHERE badge IN ('on-top', 'top-ten') GROUP BY 1"
    assert venue.rows(given) == []
    await venue.player("rich", 5_000)
    await operator.ranks.RefreshRanks(pb.RefreshRanksRequest())
    assert venue.rows(given) == [("on-top", 1)]
