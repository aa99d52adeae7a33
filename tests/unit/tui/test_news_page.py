"""The news: everything that was said to all, read or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.inbox import Kind, Notification
from bearpit_tui.model import Announcement, Headline, Priority
from bearpit_tui.pages.news import NewsPage

from tests.unit.tui.fake_gateway import LOST, FakeGateway
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import SIZES, Screens
from tests.unit.tui.visit import Visit, visiting

SIZED = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")

LUNCH = Announcement(
    7,
    "Lunch is served",
    "Lena",
    NOW - timedelta(minutes=3),
    NOW + timedelta(hours=1),
    "In the **main hall**:\n\n- soup\n- bread\n\nSee [the menu](https://camp.example/menu).",
    Priority.IMPORTANT,
)
PAST = Notification(
    5, Kind.ANNOUNCEMENT, "Welcome to the camp", "Be *kind*.", "announcement:2", at=NOW - timedelta(hours=20)
)


@pytest.fixture(autouse=True)
def said(gateway: FakeGateway) -> None:
    gateway.status = replace(gateway.status, announcements=(LUNCH,))
    gateway.letters.kept.append(PAST)


def news_of(visit: Visit) -> NewsPage:
    assert isinstance(visit.page, NewsPage)
    return visit.page


@SIZED
async def test_looks(app: BearpitApp, screens: Screens, size: tuple[int, int]) -> None:
    async with visiting(app, "n", size=size) as visit:
        await visit.until(lambda: len(news_of(visit).table.rows) > 20)
        await visit.sees("main hall")
        screens.check(f"news_{size[0]}x{size[1]}", visit.text)


@SIZED
async def test_results_look(app: BearpitApp, screens: Screens, size: tuple[int, int]) -> None:
    async with visiting(app, "n", size=size) as visit:
        await visit.until(lambda: len(news_of(visit).table.rows) > 20)
        news_of(visit).table.move_to("w3")
        await visit.sees("239.59")
        await visit.pilot.pause()
        screens.check(f"news_results_{size[0]}x{size[1]}", visit.text)


async def test_the_past_is_there_and_marked_as_over(app: BearpitApp) -> None:
    async with visiting(app, "n") as visit:
        await visit.until(lambda: news_of(visit).table.move_to("a2"))
        await visit.sees("Be kind.")
        await visit.sees("· over")


async def test_what_was_shown_is_read_the_next_time(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "n") as visit:
        await visit.until(lambda: len(news_of(visit).table.rows) > 20)
        assert all(one.unread for one in news_of(visit).table.rows)
        await visit.press("escape")
        await visit.until(lambda: visit.at_trade)
        news = Headline(31, "A bear was seen", (), NOW, NOW)
        gateway.status = replace(gateway.status, headlines=(news,))
        gateway.send("status", gateway.status)
        await visit.press("n")
        await visit.sees("1 not read")
        assert [one.key for one in news_of(visit).table.rows if one.unread] == ["h31"]
        await visit.press("r")
        await visit.until(lambda: "not read" not in visit.text)


async def test_f_shows_one_kind_and_round(app: BearpitApp) -> None:
    async with visiting(app, "n") as visit:
        await visit.until(lambda: len(news_of(visit).table.rows) > 20)
        for words, kind in (("News: headlines", "h"), ("News: operators", "a"), ("News: windows", "w")):
            await visit.press("f")
            await visit.sees(words)
            assert {one.kind for one in news_of(visit).table.rows} == {kind}
        await visit.press("f")
        await visit.until(lambda: len(news_of(visit).table.rows) > 20)


async def test_older_headlines_come_as_one_goes_down(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "n") as visit:
        await visit.until(lambda: len(news_of(visit).table.rows) > 20)
        await visit.press("end")
        await visit.until(lambda: "h1" in {one.key for one in news_of(visit).table.rows})
        assert gateway.made("headlines") == ["", "20"]


async def test_news_to_come_is_no_news(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.newsroom.told.insert(0, Headline(99, "Tomorrow", (), NOW + timedelta(hours=9)))
    async with visiting(app, "n") as visit:
        await visit.until(lambda: len(news_of(visit).table.rows) > 20)
        assert "Tomorrow" not in visit.text


async def test_a_failure_is_told_and_what_the_feed_has_stays(app: BearpitApp, gateway: FakeGateway) -> None:
    gateway.fail("letters", LOST)
    async with visiting(app, "n") as visit:
        await visit.until(lambda: "cannot be reached" in visit.said)
        assert "Lunch is served" in visit.text
