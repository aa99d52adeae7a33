"""What the demo's stocks are worth, week by week."""

import pytest
from bearpit_admin.bots.history import Bar, load, parse

LINES = [
    "symbol,week,open,high,low,close,volume",
    "OLD,2000-01-03,1.00,2.00,0.50,1.5,7",
    "OLD,2000-01-10,1.50,1.60,1.00,1.10,7",
    "NEW,2000-01-10,80,90.5,70.25,88,7",
]


def test_begins_with_the_first_week_that_all_have() -> None:
    history = parse(LINES)
    assert history.bars == {"OLD": (Bar(150, 160, 100, 110),), "NEW": (Bar(8000, 9050, 7025, 8800),)}


@pytest.mark.parametrize(
    ("bar", "path"),
    [
        (Bar(100, 130, 90, 120), (100, 90, 130, 120)),
        (Bar(120, 130, 90, 100), (120, 130, 90, 100)),
    ],
)
def test_a_week_touches_its_open_both_extremes_and_its_close(bar: Bar, path: tuple[int, ...]) -> None:
    assert bar.path() == path


def test_goes_along_the_week() -> None:
    history = parse(LINES)
    assert [history.value("NEW", part / 6) for part in (0, 1, 2, 4)] == [8000, 7512, 7025, 9050]


def test_runs_backwards_where_it_ends_and_never_stops() -> None:
    history = load()
    weeks = len(history.bars["IBM"])
    assert history.value("IBM", weeks + 0.25) == history.value("IBM", weeks - 0.25)
    assert history.value("IBM", 2 * weeks) == history.value("IBM", 0)
    for symbol in history.bars:
        values = [history.value(symbol, turn * weeks / 50) for turn in range(250)]
        assert all(value > 0 for value in values)


def test_the_shipped_history_is_the_real_one() -> None:
    history = load()
    assert set(history.bars) == {"AAPL", "GOOG", "IBM", "MSFT"}
    assert {len(bars) for bars in history.bars.values()} == {446}
    assert history.bars["GOOG"][0] == Bar(5016, 5471, 4813, 5432)
