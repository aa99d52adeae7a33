from unittest.mock import patch

import pytest
from bearpit_tui.widgets.candles import CandleBar
from bearpit_tui.widgets.chart import ZOOMS, CandleChart

from tests.unit.tui.widgets.stage import Stage, lines


def bars(count: int) -> list[CandleBar]:
    """A saw that rises by a point a bar for ten bars and then falls for ten."""
    made = []
    for at in range(count):
        phase = at % 20
        close = 10_000 + 100 * (phase if phase < 10 else 20 - phase)
        open_ = close - 100 if phase < 10 else close + 100
        made.append(CandleBar(60 * at, open_, max(open_, close) + 20, min(open_, close) - 20, close, at))
    return made


async def test_it_says_that_there_is_nothing_yet() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(40, 9)):
        shown = lines(chart)
        assert shown[0].startswith("ACME 1m")
        assert shown[4].strip() == "no trades yet"


async def test_the_header_names_the_last_bar() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(90, 20)):
        chart.set_candles(bars(30))
        assert lines(chart)[0] == "ACME 1m 00:29 O108.00 H109.20 L107.80 C109.00 ▲ V29  MA9 MA21"


async def test_a_narrow_header_leaves_out_whole_figures() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(40, 20)):
        chart.set_candles(bars(30))
        assert lines(chart)[0] == "ACME 1m 00:29 O108.00 H109.20 L107.80 C"


async def test_the_axis_names_round_prices_and_tags_the_last() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(60, 24)):
        chart.set_candles(bars(30))
        column = [line[52:].strip() for line in lines(chart)[1:18]]
        named = [price for price in column if price]
        assert named == ["110.00", "109.00", "105.00", "100.00"]


async def test_times_are_round_and_do_not_touch() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(80, 24)):
        chart.set_candles(bars(200))
        assert lines(chart)[-1].split() == ["02:15", "02:30", "02:45", "03:00", "03:15"]


async def test_a_time_label_of_ones_own_is_used() -> None:
    chart = CandleChart("ACME", "1m", time_label=lambda epoch: f"t{epoch}")
    async with Stage(chart).run_test(size=(80, 24)):
        chart.set_candles(bars(3))
        assert "t120" in lines(chart)[0]


async def test_an_update_replaces_the_last_bar_or_appends_the_next() -> None:
    chart = CandleChart()
    async with Stage(chart).run_test(size=(80, 24)):
        first = bars(1)[0]
        chart.update_last(first)
        chart.update_last(CandleBar(0, 1, 2, 1, 2, 9))
        assert chart.bars == (CandleBar(0, 1, 2, 1, 2, 9),)
        chart.update_last(CandleBar(60, 2, 2, 2, 2, 1))
        assert len(chart.bars) == 2


async def test_long_periods_grow_from_their_first_bar() -> None:
    chart = CandleChart()
    async with Stage(chart).run_test(size=(60, 24)):
        for bar in bars(24):
            chart.append(CandleBar(bar.start_epoch * 60, bar.open, bar.high, bar.low, bar.close, 1))
        assert lines(chart)[-1].split() == ["12:00"]


async def test_only_rows_that_came_out_different_are_painted() -> None:
    chart = CandleChart()
    async with Stage(chart).run_test(size=(80, 40)) as pilot:
        chart.set_candles(bars(60))
        await pilot.pause()
        with patch.object(chart, "refresh", wraps=chart.refresh) as refresh:
            last = chart.bars[-1]
            chart.update_last(last)
            refresh.assert_not_called()
            chart.update_last(
                CandleBar(last.start_epoch, last.open, last.high, last.low, last.close + 5, last.volume)
            )
            assert 0 < len(refresh.call_args.args) < 8


async def test_panning_shows_the_past_and_new_bars_do_not_move_it() -> None:
    chart = CandleChart()
    async with Stage(chart).run_test(size=(60, 24)) as pilot:
        chart.set_candles(bars(300))
        latest = lines(chart)
        await pilot.press("left", "left", "left")
        past = lines(chart)
        assert past[-1] != latest[-1]
        chart.append(CandleBar(60 * 300, 10_000, 10_020, 9_980, 10_000, 1))
        assert lines(chart)[-1] == past[-1]
        await pilot.press("end")
        assert "04:30" in lines(chart)[-1]
        await pilot.press(*["pageup"] * 20)
        assert "00:15" in lines(chart)[-1]


async def test_zoom_goes_from_many_bars_a_cell_to_many_cells_a_bar() -> None:
    chart = CandleChart()
    async with Stage(chart).run_test(size=(60, 24)):
        chart.set_candles(bars(300))
        chart.action_zoom(20)
        assert any("┏━━━┓" in line or "█████" in line for line in lines(chart)[1:18])
        chart.action_zoom(-len(ZOOMS) - 5)
        assert "03:00" in lines(chart)[-1]


async def test_the_crosshair_reads_the_bar_under_it() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(80, 24)) as pilot:
        chart.set_candles(bars(40))
        await pilot.press("shift+left")
        assert "00:39" in lines(chart)[0]
        await pilot.press("shift+left", "shift+left")
        assert "00:37" in lines(chart)[0]
        assert any("┊" in line for line in lines(chart))
        chart.action_clear_cross()
        assert not any("┊" in line for line in lines(chart))


async def test_the_mouse_carries_the_crosshair() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(80, 24)) as pilot:
        chart.set_candles(bars(200))
        await pilot.hover(CandleChart, offset=(10, 5))
        await pilot.pause()
        crossed = lines(chart)
        column = {line.index("┊") for line in crossed if "┊" in line}
        assert column == {10}
        assert "┄" in crossed[5]


async def test_a_frozen_chart_says_so() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(80, 24)):
        chart.set_candles(bars(5))
        chart.frozen = True
        assert "FROZEN" in lines(chart)[0]


async def test_it_fits_a_new_size_at_once() -> None:
    chart = CandleChart("ACME", "1m")
    async with Stage(chart).run_test(size=(80, 24)) as pilot:
        chart.set_candles(bars(50))
        await pilot.resize_terminal(50, 12)
        await pilot.pause()
        assert len(lines(chart)) == 12
        assert all(chart.render_line(y).cell_length == 50 for y in range(12))


@pytest.mark.parametrize("no_color", [False, True])
async def test_without_colour_fallen_candles_have_a_shape_of_their_own(
    no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    chart = CandleChart()
    async with Stage(chart).run_test(size=(60, 10)):
        chart.set_candles(bars(40))
        assert any("█" in line for line in lines(chart)[1:9]) is no_color
