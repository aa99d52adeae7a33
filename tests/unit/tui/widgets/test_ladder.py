from collections.abc import Mapping
from unittest.mock import patch

import pytest
from bearpit_tui.widgets.ladder import BookSide, DepthLadder, LadderLevel

from tests.unit.tui.widgets.stage import Stage, lines, tone_names

ASKS = tuple(LadderLevel(10_649 + at, 100 * (at + 1), at + 1) for at in range(20))
BIDS = tuple(LadderLevel(10_647 - at, 100 * (at + 1), at + 1) for at in range(20))
NONE: Mapping[tuple[BookSide, int], int] = {}


class Recorder(Stage):
    """Keeps the prices that were chosen."""

    def __init__(self, widget: DepthLadder) -> None:
        super().__init__(widget)
        self.heard: list[tuple[int, BookSide]] = []

    def on_depth_ladder_price_selected(self, event: DepthLadder.PriceSelected) -> None:
        self.heard.append((event.price_cents, event.side))


async def test_asks_stand_above_the_last_price_and_bids_below() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(36, 7)):
        ladder.set_book(BIDS[:3], ASKS[:3], 10_648, 1, {("ask", 10_651): 150, ("bid", 10_646): 2_400})
        assert lines(ladder) == [
            "               106.51 300        150",
            "               106.50 200",
            "               106.49 100",
            "               106.48  ↕ 0.02",
            "           100 106.47",
            "2.4k       200 106.46",
            "           300 106.45",
        ]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (24, ["         106.49 100    ◆", "         106.48 ↕ 0.02", "     100 106.47"]),
        (12, ["   106.49 #◆", "   106.48", " # 106.47"]),
        (6, [" 106", " 106", " 106"]),
    ],
)
async def test_narrow_ladders_mark_what_they_cannot_spell(width: int, expected: list[str]) -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(width, 3)):
        ladder.set_book(BIDS[:1], ASKS[:1], 10_648, 1, {("ask", 10_649): 123_456})
        assert [line.split() for line in lines(ladder)] == [line.split() for line in expected]


async def test_own_orders_get_a_line_where_the_book_has_none() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(36, 9)):
        ladder.set_book(BIDS[:2], ASKS[:2], 10_648, 1, {("bid", 10_600): 7})
        assert lines(ladder)[7].split() == ["7", "┊106.00"]


async def test_prices_left_out_between_two_levels_are_hinted_at() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(36, 7)):
        asks = (LadderLevel(10_650, 1), LadderLevel(10_655, 1), LadderLevel(10_665, 1))
        ladder.set_book((), asks, 10_650, 5, NONE)
        assert [line.split()[0] for line in lines(ladder)[:4]] == ["┊106.65", "106.55", "106.50", "106.50"]


async def test_a_bar_is_as_long_as_its_share_of_the_largest() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(48, 5)):
        asks = (LadderLevel(10_649, 1), LadderLevel(10_650, 1_000))
        ladder.set_book((), asks, 0, 1, NONE)
        room = 14
        plain = tone_names(ladder, 4)[0][2]
        bars = [
            sum(len(text) for text, _, ground in tone_names(ladder, y) if ground != plain) for y in (0, 1)
        ]
        assert bars == [room, 1]


async def test_without_a_trade_the_middle_shows_a_dash() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(30, 3)):
        ladder.set_book((), (), 0, 1, NONE)
        assert [line.strip() for line in lines(ladder)] == ["", "–", ""]


async def test_keys_choose_a_price_on_either_side_of_the_middle() -> None:
    ladder = DepthLadder()
    app = Recorder(ladder)
    async with app.run_test(size=(36, 9)) as pilot:
        ladder.set_book(BIDS, ASKS, 10_648, 1, NONE)
        await pilot.press("enter")
        await pilot.press("down", "enter", "up", "enter", "up", "enter")
        assert app.heard == [(10_647, "bid"), (10_649, "ask"), (10_650, "ask")]


async def test_the_line_under_the_cursor_tells_how_many_orders_it_is() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(48, 9)) as pilot:
        ladder.set_book(BIDS, ASKS, 10_648, 1, NONE)
        await pilot.press("up", "up")
        assert "200 ×2" in lines(ladder)[2]
        await pilot.press("down", "down")
        assert "1× 100" in lines(ladder)[5]


async def test_a_click_takes_the_price_below_it() -> None:
    ladder = DepthLadder()
    app = Recorder(ladder)
    async with app.run_test(size=(36, 9)) as pilot:
        ladder.set_book(BIDS, ASKS, 10_648, 1, NONE)
        await pilot.click(DepthLadder, offset=(18, 6))
        await pilot.click(DepthLadder, offset=(18, 4))
        assert app.heard == [(10_646, "bid")]


async def test_the_cursor_keeps_to_its_price_or_the_nearest_left() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(36, 9)) as pilot:
        ladder.set_book(BIDS, ASKS, 10_648, 1, NONE)
        await pilot.press("down", "down", "down")
        assert ladder.cursor == ("bid", 10_645)
        ladder.set_book(BIDS[1:], ASKS, 10_648, 1, NONE)
        assert ladder.cursor == ("bid", 10_645)
        ladder.set_book(BIDS[8:], ASKS, 10_648, 1, NONE)
        assert ladder.cursor == ("bid", BIDS[8].price)
        ladder.set_book((), ASKS, 10_648, 1, NONE)
        assert ladder.cursor is None


async def test_it_scrolls_to_the_cursor_and_back_to_the_middle() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(36, 9)) as pilot:
        ladder.set_book(BIDS, ASKS, 10_648, 1, NONE)
        await pilot.press(*["down"] * 12)
        assert "106.36" in lines(ladder)[-1]
        await pilot.press("c")
        assert "106.48" in lines(ladder)[4]
        await pilot.press("pageup")
        assert "106.58" in lines(ladder)[4]


async def test_the_ladder_does_not_sway_when_the_last_price_gets_a_digit_less() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(36, 5)):
        bids, asks = (LadderLevel(9_998, 5),), (LadderLevel(10_001, 5),)
        ladder.set_book(bids, asks, 10_000, 1, NONE)
        before = lines(ladder)[3]
        ladder.set_book(bids, asks, 9_999, 1, NONE)
        assert lines(ladder)[3] == before


async def test_only_lines_that_show_something_else_are_painted() -> None:
    ladder = DepthLadder()
    async with Stage(ladder).run_test(size=(36, 21)) as pilot:
        ladder.set_book(BIDS, ASKS, 10_648, 1, NONE)
        await pilot.pause()
        with patch.object(ladder, "refresh", wraps=ladder.refresh) as refresh:
            ladder.set_book(BIDS, ASKS, 10_648, 1, NONE)
            refresh.assert_not_called()
            ladder.set_book((LadderLevel(10_647, 77), *BIDS[1:]), ASKS, 10_648, 1, NONE)
            (painted,) = refresh.call_args.args
            assert painted.y == 11
