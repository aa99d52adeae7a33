import pytest
from bearpit_tui.widgets.candles import (
    CandleBar,
    draw_thin,
    draw_volume,
    draw_wide,
    merged,
    moving_average,
    spacing,
)
from bearpit_tui.widgets.canvas import Canvas
from bearpit_tui.widgets.scale import Scale


def bar(start: int, open_: int, high: int, low: int, close: int, volume: int = 0) -> CandleBar:
    return CandleBar(start, open_, high, low, close, volume)


def drawn(candle: CandleBar, *, shapes: bool = False) -> list[str]:
    canvas = Canvas(1, 5)
    draw_thin(canvas, 0, 0, Scale(0, 9, 5), candle, shapes=shapes)
    return [text for text, _ in canvas.rows()]


def test_a_body_stands_between_its_wicks() -> None:
    assert drawn(bar(0, 3, 9, 0, 6)) == ["│", "╽", "┃", "╿", "│"]


def test_a_candle_without_a_range_is_half_a_cell() -> None:
    assert drawn(bar(0, 9, 9, 9, 9)) == ["╹", " ", " ", " ", " "]


def test_without_colour_a_fallen_candle_is_told_by_its_shape() -> None:
    assert drawn(bar(0, 6, 9, 0, 3), shapes=True) == ["│", "▄", "█", "▀", "│"]
    assert drawn(bar(0, 3, 9, 0, 6), shapes=True) == ["│", "╽", "┃", "╿", "│"]


@pytest.mark.parametrize(
    ("candle", "picture"),
    [
        (bar(0, 1, 4, 0, 3), [" │ ", "┏┻┓", "┃ ┃", "┗┳┛", " │ "]),
        (bar(0, 3, 4, 0, 1), [" │ ", "███", "███", "███", " │ "]),
        (bar(0, 2, 4, 0, 2), [" │ ", " │ ", "╺━╸", " │ ", " │ "]),
    ],
)
def test_close_by_a_risen_candle_is_hollow_and_a_fallen_one_solid(
    candle: CandleBar, picture: list[str]
) -> None:
    canvas = Canvas(3, 5)
    draw_wide(canvas, 0, 0, Scale(0, 4, 5), candle, 3)
    assert [text for text, _ in canvas.rows()] == picture


def test_volume_stands_on_its_row_and_the_least_can_be_seen() -> None:
    canvas = Canvas(3, 3)
    for x, volume in enumerate((1000, 500, 1)):
        draw_volume(canvas, x, 2, 3, 1, 1000, bar(0, 1, 1, 1, 1, volume))
    assert [text for text, _ in canvas.rows()] == ["█  ", "█▄ ", "██▁"]


def test_merging_keeps_first_highest_lowest_last_and_sums_volume() -> None:
    bars = [bar(0, 5, 9, 4, 6, 10), bar(60, 6, 7, 1, 2, 20), bar(120, 2, 3, 2, 3, 5)]
    assert merged(bars, 120) == [bar(0, 5, 9, 1, 2, 30), bar(120, 2, 3, 2, 3, 5)]


def test_a_new_bar_does_not_shift_the_merged_ones() -> None:
    bars = [bar(60 * at, at, at, at, at) for at in range(7)]
    assert merged(bars, 180)[:-1] == merged(bars[:-1], 180)


def test_spacing_sees_through_gaps() -> None:
    assert spacing([bar(0, 1, 1, 1, 1), bar(600, 1, 1, 1, 1), bar(660, 1, 1, 1, 1)]) == 60
    assert spacing([]) == 60


def test_an_average_starts_when_it_has_enough_bars() -> None:
    bars = [bar(0, 0, 0, 0, close) for close in (1, 2, 3, 7)]
    assert moving_average(bars, 3) == [None, None, 2, 4]
