import pytest
from bearpit_tui.widgets.sparkline import sparkline
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("history", "width", "line"),
    [
        ((), 3, "   "),
        ((5,), 3, "  ▃"),
        ((1, 8), 4, "  ▁█"),
        ((9, 1, 2, 3, 4, 5, 6, 7, 8), 8, "▁▂▃▄▅▆▇█"),
        ((1, 2), 0, ""),
        ((1, 2), -1, ""),
    ],
)
def test_the_latest_values_stand_at_the_right(history: tuple[int, ...], width: int, line: str) -> None:
    assert sparkline(history, width) == line


@given(st.lists(st.integers(-(2**63), 2**63 - 1)).map(tuple), st.integers(0, 60))
def test_it_is_as_wide_as_asked(history: tuple[int, ...], width: int) -> None:
    assert len(sparkline(history, width)) == width
