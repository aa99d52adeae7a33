from collections.abc import Iterable
from dataclasses import replace

import pytest
from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.watchlist import WatchList, WatchRow

from tests.unit.tui.widgets.stage import Stage, lines, tone_names

ACME = WatchRow("ACME", 10_648, 192, 10_647, 10_649, 27_431, history=(3, 1, 2, 5, 4, 6, 8, 7))
ORBX = WatchRow("ORBX", 42_280, -40, 42_270, 42_290, 80_000, history=(1, 2))
NEWT = WatchRow("NEWT", 0, 0, 0, 0, 0)
VANT = WatchRow("VANT", 23_054, 134, 0, 0, 12, halted=True)


class Recorder(Stage):
    """Keeps what the watch list says."""

    def __init__(self, widget: WatchList) -> None:
        super().__init__(widget)
        self.heard: list[tuple[str, str]] = []

    def on_listing_highlighted(self, event: Listing.Highlighted) -> None:
        self.heard.append(("highlighted", event.key))

    def on_listing_selected(self, event: Listing.Selected) -> None:
        self.heard.append(("selected", event.key))


def many(count: int) -> list[WatchRow]:
    return [replace(ACME, symbol=f"S{at:03}") for at in range(count)]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (10, ["AC 106.48▲", "OR 422.80▼", "NE      –", "VA 230.54‖"]),
        (22, ["ACME    106.48▲ 1.92%", "ORBX    422.80▼ 0.40%", "NEWT         –", "VANT    230.54‖  HALT"]),
        (
            30,
            [
                "ACME  106.48▲ 1.92%  ▃▁▂▅▄▆█▇",
                "ORBX  422.80▼ 0.40%        ▁█",
                "NEWT       –",
                "VANT  230.54‖  HALT",
            ],
        ),
        (
            60,
            [
                "        Last Change                  Volume     Bid     Ask",
                "ACME  106.48▲ 1.92%         ▃▁▂▅▄▆█▇  27.4k  106.47  106.49",
                "ORBX  422.80▼ 0.40%               ▁█    80k  422.70  422.90",
                "NEWT       –                              0       –       –",
            ],
        ),
    ],
)
async def test_columns_come_and_go_with_the_width(width: int, expected: list[str]) -> None:
    widget = WatchList()
    async with Stage(widget).run_test(size=(width, 4)):
        widget.set_rows([ACME, ORBX, NEWT, VANT])
        assert lines(widget) == expected


async def test_numbers_end_in_one_column() -> None:
    widget = WatchList()
    async with Stage(widget).run_test(size=(24, 6)):
        widget.set_rows([ACME, ORBX])
        first, second = lines(widget)[:2]
        assert first.index("▲") == second.index("▼")
        assert first.index("%") == second.index("%")


async def test_enter_selects_what_the_keys_went_to() -> None:
    widget = WatchList()
    app = Recorder(widget)
    async with app.run_test(size=(24, 4)) as pilot:
        widget.set_rows([ACME, ORBX, VANT])
        await pilot.press("down", "down", "down", "up", "enter")
        assert widget.key == "ORBX"
        assert app.heard == [
            ("highlighted", "ORBX"),
            ("highlighted", "VANT"),
            ("highlighted", "ORBX"),
            ("selected", "ORBX"),
        ]


async def test_a_click_selects_the_row_below_it() -> None:
    widget = WatchList()
    app = Recorder(widget)
    async with app.run_test(size=(24, 4)) as pilot:
        widget.set_rows([ACME, ORBX, VANT])
        await pilot.click(WatchList, offset=(3, 2))
        await pilot.click(WatchList, offset=(3, 3))
        assert app.heard == [("highlighted", "VANT"), ("selected", "VANT")]


async def test_a_click_on_the_titles_selects_nothing() -> None:
    widget = WatchList()
    app = Recorder(widget)
    async with app.run_test(size=(80, 4)) as pilot:
        widget.set_rows([ACME, ORBX])
        await pilot.pause()
        await pilot.click(WatchList, offset=(3, 0))
        assert app.heard == []
        await pilot.click(WatchList, offset=(3, 1))
        assert app.heard == [("selected", "ACME")]


async def test_the_cursor_stays_in_sight() -> None:
    widget = WatchList()
    async with Stage(widget).run_test(size=(24, 10)) as pilot:
        widget.set_rows(many(500))
        await pilot.press("pagedown", "pagedown")
        assert widget.cursor == 18
        assert widget.cursor in widget.rows_in_sight()
        await pilot.press("end")
        await pilot.pause()
        assert lines(widget)[-1].startswith("S499")
        await pilot.press("home")
        await pilot.pause()
        assert lines(widget)[0].startswith("S000")


async def test_the_cursor_keeps_to_its_symbol_when_rows_are_replaced() -> None:
    widget = WatchList()
    app = Recorder(widget)
    async with app.run_test(size=(24, 10)) as pilot:
        widget.set_rows([ACME, ORBX])
        assert widget.move_to("ORBX")
        widget.set_rows([NEWT, VANT, ACME, ORBX])
        await pilot.pause()
        assert widget.key == "ORBX"
        assert app.heard == [("highlighted", "ORBX")]
        assert not widget.move_to("NONE")


class Painter(WatchList):
    """Counts the rows it is asked to paint again."""

    painted: list[int]

    def refresh_rows(self, places: Iterable[int]) -> None:
        asked = list(places)
        if hasattr(self, "painted"):
            self.painted += asked
        super().refresh_rows(asked)


async def test_only_rows_in_sight_that_differ_are_painted() -> None:
    widget = Painter()
    async with Stage(widget).run_test(size=(24, 10)) as pilot:
        rows = many(500)
        widget.set_rows(rows)
        await pilot.pause()
        widget.painted = []
        widget.update_rows([rows[3], replace(rows[4], last_cents=10_700), replace(rows[400], last_cents=1)])
        widget.update_rows([replace(rows[1], symbol="UNKNOWN")])
        assert widget.painted == [4]
        assert widget.rows[400].last_cents == 1


async def test_a_changed_price_flashes_for_a_while() -> None:
    now = 100.0
    widget = WatchList(clock=lambda: now)
    async with Stage(widget).run_test(size=(24, 4)) as pilot:
        widget.set_rows([NEWT, ACME])
        await pilot.pause()
        plain = tone_names(widget, 1)
        widget.update_rows([replace(ACME, last_cents=10_650)])
        up = tone_names(widget, 1)
        widget.update_rows([replace(ACME, last_cents=10_640)])
        down = tone_names(widget, 1)
        backgrounds = {pieces[1][2] for pieces in (plain, up, down)}
        assert len(backgrounds) == 3
        assert plain[2][2] == up[2][2]
        now += 0.41
        widget.update_rows([NEWT])
        assert tone_names(widget, 1)[1][2] == plain[1][2]


async def test_flashes_go_out_when_no_more_updates_come() -> None:
    now = 100.0
    widget = WatchList(clock=lambda: now)
    async with Stage(widget).run_test(size=(24, 4)) as pilot:
        widget.set_rows([NEWT, ACME])
        await pilot.pause()
        plain = tone_names(widget, 1)
        widget.update_rows([replace(ACME, last_cents=10_650)])
        now += 1.0
        for _ in range(200):
            if tone_names(widget, 1)[1][2] == plain[1][2]:
                break
            await pilot.pause(0.01)
        assert tone_names(widget, 1)[1][2] == plain[1][2]


async def test_stale_quotes_are_grey_and_do_not_flash() -> None:
    widget = WatchList()
    async with Stage(widget).run_test(size=(24, 4)) as pilot:
        widget.set_rows([NEWT, ACME, ORBX])
        await pilot.pause()
        live = [tone_names(widget, y)[1][1] for y in (1, 2)]
        assert live[0] != live[1]
        widget.stale = True
        await pilot.pause()
        widget.update_rows([replace(ACME, last_cents=10_650)])
        grey = [tone_names(widget, y)[1] for y in (1, 2)]
        assert grey[0][1:] == grey[1][1:]


async def test_an_empty_list_answers_the_keys() -> None:
    widget = WatchList()
    async with Stage(widget).run_test(size=(24, 4)) as pilot:
        await pilot.press("down", "up", "end", "home", "pagedown", "enter")
        assert widget.key is None
        assert lines(widget) == [""] * 4


GROUPED = [
    replace(ACME, mark="≡"),
    replace(ORBX, mark="~", group="energy"),
    replace(NEWT, mark="~", group="energy"),
    replace(VANT, mark="~", group="energy"),
    replace(ACME, symbol="ZEPH", mark="◉", group="alone"),
]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (12, ["ACM  106.48▲", "ORB  422.80▼", "NEW       –", "VAN  230.54‖", "ZEP  106.48▲"]),
        (21, ["ACME ≡ 106.48▲ 1.92%", "ORBX ~ 422.80▼ 0.40%", "NEWT ~      –", "VANT ~ 230.54‖  HALT"]),
        (22, ["ACME ≡  106.48▲ 1.92%", "ORBX ~╷ 422.80▼ 0.40%", "NEWT ~│      –", "VANT ~╵ 230.54‖  HALT"]),
        (30, ["ACME ≡  106.48▲ 1.92% ▁▂▅▄▆█▇", "ORBX ~╷ 422.80▼ 0.40%      ▁█"]),
    ],
)
async def test_marks_and_brackets_tell_how_prices_form(width: int, expected: list[str]) -> None:
    widget = WatchList()
    async with Stage(widget).run_test(size=(width, 5)):
        widget.set_rows(GROUPED)
        assert lines(widget)[: len(expected)] == expected
