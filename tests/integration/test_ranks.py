"""Ranks over the wire: what counts and what does not, any page, what is kept of days and windows."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from bearpit.client import Client
from bearpit.v1 import admin_pb2
from bearpit.v1 import ranks_pb2 as pb
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.game.points import adjustments
from bearpit_server.game.ranks import ranks
from bearpit_server.rules.ranking import competition_ranks, drawdown_bps, next_level, return_bps
from bearpit_server.storage import clock
from bearpit_server.storage import ranks as storage
from bearpit_server.storage.models import Player
from bearpit_server.storage.settings import Settings

from tests.orders import buy, sell
from tests.venue import Venue, refused
from tests.windows import OPEN, TRADE_CLOSE, TRADING, create, list_by_window, move, settle

START = datetime(2030, 1, 6, 12, tzinfo=UTC)
RETURN, NET_WORTH, DAY, WINDOW = pb.BOARD_RETURN, pb.BOARD_NET_WORTH, pb.BOARD_DAY, pb.BOARD_WINDOW
DRAWDOWN = pb.BOARD_DRAWDOWN


@pytest.fixture
def at() -> Iterator[Callable[[datetime], None]]:
    """Set the clock."""
    yield lambda moment: clock.use(lambda: moment)
    clock.use(None)


async def refresh(venue: Venue) -> pb.Edition:
    """Count ranks now."""
    operator = await venue.operator()
    return (await operator.ranks.RefreshRanks(pb.RefreshRanksRequest())).edition


async def standings(client: Client, **of: object) -> dict[int, pb.RankEntry]:
    """The caller's line on each board."""
    got = await client.ranks.GetRank(pb.GetRankRequest(**of))  # type: ignore[arg-type]
    return {standing.board: standing.entry for standing in got.standings}


async def board(client: Client, which: pb.Board = NET_WORTH, **more: object) -> list[tuple[int, str]]:
    """Ranks and names."""
    request = pb.ListRanksRequest(board=which, **more)  # type: ignore[arg-type]
    return [(entry.rank, entry.player_name) for entry in (await client.ranks.ListRanks(request)).entries]


async def set_reference(venue: Venue, symbol: str, cents: int) -> None:
    """What a share of a book that nobody trades counts as."""
    operator = await venue.operator()
    await operator.admin.UpdateInstrument(
        admin_pb2.UpdateInstrumentRequest(symbol=symbol, reference_price_cents=cents)
    )


def crowd(venue: Venue, cash: list[int]) -> None:
    """Players with so much cash each, without the way there."""
    with venue.database.transaction():
        for number, cents in enumerate(cash):
            row = Player.create(name=f"crowd{number}", password_hash="", created_at=clock.now())
            adjustments.adjust(row.id, "", cents, "a crowd", HOUSE_ORIGIN)


async def test_before_ranks_are_counted_there_are_none(venue: Venue) -> None:
    ada = await venue.player("ada")
    assert await ada.ranks.GetRank(pb.GetRankRequest()) == pb.GetRankResponse(player_id=2, player_name="ada")
    assert await ada.ranks.ListRanks(pb.ListRanksRequest()) == pb.ListRanksResponse()
    assert await ada.ranks.ListTeamRanks(pb.ListTeamRanksRequest()) == pb.ListTeamRanksResponse()


async def test_net_worth_is_cash_and_holdings_at_the_mark_less_debt(venue: Venue) -> None:
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    ada = await venue.player("ada", 50_000, ACME=10)
    operator = await venue.operator()
    await operator.admin.SetDebt(admin_pb2.SetDebtRequest(name="ada", debt_cents=7_000, reason="test"))
    await refresh(venue)
    got = await ada.ranks.GetRank(pb.GetRankRequest())
    worth = got.net_worth
    assert (worth.cash_cents, worth.holdings_cents, worth.debt_cents) == (50_000, 10_000, 7_000)
    assert worth.net_worth_cents == 53_000 == worth.received_cents
    assert got.standings[0].entry.value_cents == 53_000
    other = await (await venue.player("bob")).ranks.GetRank(pb.GetRankRequest(player="ADA"))
    assert other.standings
    assert not other.HasField("net_worth")


async def test_equal_values_share_a_rank(venue: Venue) -> None:
    for name, cents in (("ada", 3_000_000), ("bob", 2_000_000), ("cyd", 2_000_000), ("dan", 100)):
        await venue.player(name, cents)
    edition = await refresh(venue)
    lines = await board(await venue.operator())
    assert lines == [(1, "ada"), (2, "bob"), (2, "cyd"), (4, "dan")]
    assert edition.players == 4


async def test_a_transfer_changes_neither_return(venue: Venue) -> None:
    await venue.settings(transfer_fee_bps=100)
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    ada, bob = await venue.player("ada", 1_000_000, ACME=100), await venue.player("bob", 2_000, ACME=1_000)
    await refresh(venue)
    await set_reference(venue, "ACME", 2_000)
    await refresh(venue)
    before = [(await standings(who))[RETURN].value_bps for who in (ada, bob)]
    assert before == [100_000 * 10_000 // 1_100_000, 1_000_000 * 10_000 // 1_002_000]
    gains = [(await standings(who))[DAY].value_cents for who in (ada, bob)]
    await venue.transfer(ada, "bob", 900_000)
    await refresh(venue)
    assert [(await standings(who))[RETURN].value_bps for who in (ada, bob)] == before
    assert [(await standings(who))[DAY].value_cents for who in (ada, bob)] == gains == [100_000, 1_000_000]


async def test_shares_that_are_given_are_no_gain(venue: Venue) -> None:
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    ada = await venue.player("ada", 1_000)
    await refresh(venue)
    operator = await venue.operator()
    await operator.admin.AdjustBalance(
        admin_pb2.AdjustBalanceRequest(name="ada", symbol="ACME", amount=1_000, reason="a present")
    )
    await refresh(venue)
    found = await standings(ada)
    assert found[NET_WORTH].value_cents == 1_001_000
    assert (found[RETURN].value_bps, found[DAY].value_cents) == (0, 0)


async def test_two_accounts_that_trade_at_an_absurd_price_move_nothing(venue: Venue) -> None:
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    ada, bob = await venue.player("ada", 1_000_000, ACME=100), await venue.player("bob", 10_000_000)
    await venue.open_market()
    await refresh(venue)
    worth = (await standings(ada))[NET_WORTH].value_cents
    await venue.place(ada, sell("ACME", 1, 900_000))
    await venue.place(bob, buy("ACME", 1, 900_000))
    await refresh(venue)
    [mark] = (await ada.ranks.ListMarks(pb.ListMarksRequest(symbol="ACME"))).marks
    assert (mark.mark_cents, mark.last_cents, mark.source) == (1_000, 900_000, pb.MARK_SOURCE_REFERENCE)
    assert "too few" in mark.explanation
    assert (await standings(ada))[NET_WORTH].value_cents == worth + 899_000  # what bob paid, and no more


async def test_a_book_that_many_trade_counts_at_their_median(venue: Venue) -> None:
    await venue.settings(mark_pairs=3)
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    await venue.open_market()
    sellers = [await venue.player(f"seller{n}", ACME=10) for n in range(3)]
    buyers = [await venue.player(f"buyer{n}", 10_000_000) for n in range(3)]
    for seller, buyer, price in zip(sellers, buyers, (1_100, 1_200, 50_000), strict=True):
        await venue.place(seller, sell("ACME", 1, price))
        await venue.place(buyer, buy("ACME", 1, price))
    await refresh(venue)
    [mark] = (await sellers[0].ranks.ListMarks(pb.ListMarksRequest())).marks
    assert (mark.mark_cents, mark.trades, mark.pairs) == (1_200, 3, 3)
    assert mark.source == pb.MARK_SOURCE_LATEST_TRADES


async def test_any_page_is_reached_and_every_player_is_on_one_of_them(venue: Venue) -> None:
    cash = [1_000 + number // 3 for number in range(340)]
    crowd(venue, cash)
    await refresh(venue)
    operator = await venue.operator()
    entries: list[pb.RankEntry] = []
    request = pb.ListRanksRequest(page_size=70)
    while True:
        got = await operator.ranks.ListRanks(request)
        entries += got.entries
        if not got.next_page_token:
            break
        request.page_token = got.next_page_token
    assert got.total == len(entries) == 340
    assert [entry.position for entry in entries] == [*range(1, 341)]
    keys = [entry.value_cents for entry in entries]
    assert keys == sorted(cash, reverse=True)
    assert [entry.rank for entry in entries] == competition_ranks(keys, 1, 1)
    for first in (1, 99, 100, 101, 102, 250, 340, 341, 10**15):
        some = await operator.ranks.ListRanks(pb.ListRanksRequest(first_position=first, page_size=5))
        assert list(some.entries) == entries[first - 1 : first + 4]


async def test_a_player_is_found_with_those_around(venue: Venue) -> None:
    crowd(venue, [5_000_000] * 250)
    ada = await venue.player("ada", 5_000_000)
    await refresh(venue)
    got = await ada.ranks.GetRank(pb.GetRankRequest(around=2))
    assert got.standings[0].entry.rank == 1
    assert got.standings[0].entry.position == 251  # she joined last
    assert [entry.position for entry in got.around] == [249, 250, 251]
    assert got.around[2] == got.standings[0].entry
    nobody = await ada.ranks.GetRank(pb.GetRankRequest(around=2, around_board=WINDOW))
    assert not nobody.around  # no window is under way


async def test_the_house_its_bots_the_staff_and_the_disabled_are_not_ranked(venue: Venue) -> None:
    await venue.player("ada")
    await venue.player("house-maker")
    await venue.player("mallory")
    await venue.player("warden")
    operator = await venue.operator()
    await operator.admin.SetPlayerDisabled(admin_pb2.SetPlayerDisabledRequest(name="mallory", disabled=True))
    venue.database.execute("UPDATE players SET roles = '{surveillance}' WHERE name = 'warden'")
    await refresh(venue)
    assert {name for _, name in await board(operator)} == {"ada"}
    await operator.admin.SetPlayerDisabled(admin_pb2.SetPlayerDisabledRequest(name="mallory", disabled=False))
    await refresh(venue)
    assert {name for _, name in await board(operator)} == {"ada", "mallory"}


async def test_the_drawdown_stays_and_only_who_held_shares_has_one(venue: Venue) -> None:
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    ada, bob = await venue.player("ada", 100_000, ACME=900), await venue.player("bob")
    await refresh(venue)
    for price in (500, 1_000):
        await set_reference(venue, "ACME", price)
        await refresh(venue)
    assert (await standings(ada))[DRAWDOWN].value_bps == 4_500
    assert DRAWDOWN not in await standings(bob)


async def test_a_gift_that_is_committed_late_is_counted_once(venue: Venue) -> None:
    ada, bob = await venue.player("ada", 1_000_000), await venue.player("bob")
    await venue.player("cyd")
    await refresh(venue)
    player_id = Player.get(Player.name == "ada").id
    written, go_on = threading.Event(), threading.Event()

    def give() -> None:
        with venue.database.transaction():
            adjustments.adjust(player_id, "", 500_000, "late", HOUSE_ORIGIN)
            written.set()
            while not go_on.is_set():  # a transaction that only waits would be ended
                venue.database.execute("SELECT pg_sleep(0.05)")
        venue.database.disconnect()

    thread = threading.Thread(target=give)
    thread.start()
    await asyncio.to_thread(written.wait, 10)
    await venue.transfer(bob, "cyd", 1)  # takes a higher number, and is committed before
    await refresh(venue)
    await refresh(venue)
    go_on.set()
    await asyncio.to_thread(thread.join)
    for _ in range(4):
        await refresh(venue)
        got = await ada.ranks.GetRank(pb.GetRankRequest())
        assert got.net_worth.received_cents == 1_500_000
        assert {s.board: s.entry.value_bps for s in got.standings}[RETURN] == 0


@pytest.mark.parametrize("busy", [ranks.BUSY, -1], ids=["at once", "with rests"])
async def test_the_sql_counts_as_the_rules_say(
    venue: Venue, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "BUSY", busy)
    """Levels and drawdowns through twenty editions of prices, gifts and losses."""
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    ada = await venue.player("ada", 60_000, ACME=70)
    level, peak, deepest, worth = 10**9, 10**9, 0, 0
    gift = 60_000 + 70_000
    price, cash = 1_000, 60_000
    operator = await venue.operator()
    for price, change in (
        (1_000, 0), (1_300, 0), (10, 0), (10, 5_000_000), (77, -12_345), (2_000, 1), (1, -5_000_000),
        (9_999, 0),
    ):  # fmt: skip
        await set_reference(venue, "ACME", price)
        if change:
            await operator.admin.AdjustBalance(
                admin_pb2.AdjustBalanceRequest(name="ada", amount=change, reason="test")
            )
            cash += change
        gift += change
        await refresh(venue)
        now = cash + 70 * price
        level = next_level(level, worth, now, gift, 100_000)
        peak = max(peak, level)
        deepest = max(deepest, drawdown_bps(level, peak))
        worth, gift = now, 0
        found = await standings(ada)
        assert found[RETURN].value_bps == return_bps(level)
        assert found[DRAWDOWN].value_bps == deepest
        assert found[NET_WORTH].value_cents == worth


async def test_enormous_numbers_are_counted(venue: Venue) -> None:
    await venue.list_instrument("ACME", reference_price_cents=10**9)
    ada = await venue.player("ada", 10**15, ACME=10**9)
    operator = await venue.operator()
    for _ in range(20):
        for name in ("ada", "operator"):
            await operator.admin.AdjustBalance(
                admin_pb2.AdjustBalanceRequest(name=name, symbol="ACME", amount=10**9, reason="more")
            )
    await refresh(venue)
    await refresh(venue)
    found = await standings(ada)
    assert found[NET_WORTH].value_cents == storage.MOST // 10**9 * 10**9 + 10**15
    assert found[RETURN].value_bps > 0
    assert found[DAY].rank >= 1


async def test_fifty_times_the_same_request_makes_one_edition(venue: Venue) -> None:
    operator, other = await venue.operator(), await venue.sign_in("operator")
    request = pb.RefreshRanksRequest(request_id="once")
    calls = [(operator, other)[n % 2].ranks.RefreshRanks(request) for n in range(50)]
    editions = {(await call).edition.edition_id for call in calls}
    assert len(editions) == 1


async def test_pages_stay_whole_while_editions_follow_one_another(venue: Venue) -> None:
    crowd(venue, [1_000] * 120)
    await refresh(venue)
    operator, watcher = await venue.operator(), await venue.sign_in("operator")
    done = asyncio.Event()

    async def count() -> None:
        for _ in range(15):
            await operator.ranks.RefreshRanks(pb.RefreshRanksRequest())
        done.set()

    async def watch() -> int:
        looked = 0
        while not done.is_set():
            got = await watcher.ranks.ListRanks(pb.ListRanksRequest(page_size=121))
            assert [entry.position for entry in got.entries] == [*range(1, 121)]
            looked += 1
        return looked

    _, looked, _ = await asyncio.gather(count(), watch(), watch())
    assert looked > 3


async def test_an_edition_that_breaks_off_leaves_the_last_one(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await venue.player("ada")
    before = await refresh(venue)
    with monkeypatch.context() as broken:
        broken.setattr(storage, "write_teams", lambda edition: 1 // 0)
        error = await refused(refresh(venue))
        assert error.reason == "INTERNAL"
    got = await ada.ranks.ListRanks(pb.ListRanksRequest())
    assert got.edition.edition_id >= before.edition_id
    assert len(got.entries) == 1
    assert (await refresh(venue)).edition_id > before.edition_id


async def test_a_day_is_kept_and_the_next_begins_anew(venue: Venue, at: Callable[[datetime], None]) -> None:
    at(START)
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    ada = await venue.player("ada", 100_000, ACME=100)
    await venue.player("bob", 150_000)
    await refresh(venue)
    await set_reference(venue, "ACME", 2_000)
    await refresh(venue)
    assert (await standings(ada))[DAY].value_cents == 100_000
    at(START + timedelta(hours=13))
    await refresh(venue)
    await refresh(venue)
    assert (await standings(ada))[DAY].value_cents == 0
    [kept] = (await ada.ranks.ListPeriods(pb.ListPeriodsRequest())).periods
    assert (kept.period.day, kept.title, kept.players) == ("2030-01-06", "2030-01-06", 2)
    then = await standings(ada, period=kept.period)
    assert (then[DAY].value_cents, then[DAY].rank) == (100_000, 1)
    assert (await board(ada, DAY, period=kept.period))[0] == (1, "ada")
    badges = (await ada.ranks.ListBadges(pb.ListBadgesRequest())).badges
    assert {badge.badge for badge in badges if badge.HasField("awarded_at")} == {"day-winner", "on-top"}
    at(START + timedelta(days=3))
    await set_reference(venue, "ACME", 1)
    await refresh(venue)
    [yesterday, _] = (await ada.ranks.ListPeriods(pb.ListPeriodsRequest())).periods
    then = await standings(ada, period=yesterday.period)
    assert (then[NET_WORTH].rank, then[NET_WORTH].previous_rank) == (2, 1)


async def test_a_window_is_kept_once_it_is_settled(venue: Venue) -> None:
    await list_by_window(venue, "HERO", price_cents=1_000)
    ada = await venue.player("ada", 1_000_000)
    await refresh(venue)
    assert WINDOW not in await standings(ada)
    operator = await venue.operator()
    window = await create(operator, title="Chapter 1")
    await move(operator, window, OPEN, TRADING)
    await venue.settled()
    await refresh(venue)
    await venue.place(ada, buy("HERO", 100))
    await move(operator, window, TRADE_CLOSE)
    await settle(operator, window)
    await refresh(venue)
    await refresh(venue)
    assert WINDOW not in await standings(ada)
    [kept] = (await ada.ranks.ListPeriods(pb.ListPeriodsRequest())).periods
    assert (kept.period.window_id, kept.title) == (window.window_id, "Chapter 1")
    then = await standings(ada, period=kept.period)
    assert then[WINDOW].value_cents != 0
    error = await refused(ada.ranks.ListRanks(pb.ListRanksRequest(period=pb.RankPeriod(window_id=99))))
    assert error.reason == "NOT_FOUND"


async def test_teams_are_ranked_by_the_average_of_their_members(venue: Venue) -> None:
    venue.database.execute("INSERT INTO teams (name, created_at) VALUES ('reds', now()), ('blues', now())")
    for name, cents, team in (("ada", 100, 1), ("bob", 301, 1), ("cyd", 250, 2)):
        await venue.player(name, cents)
        venue.database.execute("UPDATE players SET team_id = %s WHERE name = %s", team, name)
    await refresh(venue)
    operator = await venue.operator()
    got = await operator.ranks.ListTeamRanks(pb.ListTeamRanksRequest(page_size=1))
    [first] = got.entries
    assert (first.rank, first.team_name, first.members, first.average_cents) == (1, "blues", 1, 250)
    more = pb.ListTeamRanksRequest(page_size=1, page_token=got.next_page_token)
    [second] = (await operator.ranks.ListTeamRanks(more)).entries
    assert (second.rank, second.team_name, second.average_cents) == (2, "reds", 200)
    assert got.total == 2


async def test_leaders_that_change_are_told(venue: Venue) -> None:
    await venue.player("ada", 2_000_000)
    bob = await venue.player("bob", 3_000_000)
    await refresh(venue)
    await venue.transfer(bob, "ada", 2_000_000 - 1)
    await refresh(venue)
    [payload] = venue.rows(
        "SELECT payload FROM events WHERE type = 'rank.changed' AND subject = 'board:net_worth' "
        "ORDER BY id DESC LIMIT 1"
    )[0]
    ids = dict(Player.select(Player.name, Player.id).tuples())
    assert payload["players"][:2] == [
        {"player_id": ids["ada"], "rank": 1, "previous_rank": 2},
        {"player_id": ids["bob"], "rank": 2, "previous_rank": 1},
    ]


async def test_it_is_counted_by_itself_and_by_one_process(venue: Venue) -> None:
    await ranks.keep_up(venue.database, venue.running.settings)
    assert await venue.database.run(ranks.latest) is None  # ranks_seconds is 0
    settings = Settings()
    await asyncio.gather(*(ranks.keep_up(venue.database, settings) for _ in range(8)))
    first = await venue.database.run(ranks.latest)
    assert first is not None
    await ranks.keep_up(venue.database, settings)
    again = await venue.database.run(ranks.latest)
    assert again is not None
    assert again.id == first.id  # thirty seconds have not passed


async def test_ranks_are_read_with_a_services_token_and_changed_only_by_operators(venue: Venue) -> None:
    ada = await venue.player("ada")
    assert (await refused(ada.ranks.RefreshRanks(pb.RefreshRanksRequest()))).reason == "NOT_ALLOWED"
    request = pb.AwardBadgeRequest(player="ada", badge="fair-play")
    assert (await refused(ada.ranks.AwardBadge(request))).reason == "NOT_ALLOWED"
