"""Lines that are built often and painted seldom."""

from unittest.mock import patch

import pytest
from bearpit_tui.widgets.facts import Facts, Line, wrapped
from textual.geometry import Region

from tests.unit.tui.widgets.stage import Stage, lines


def plain(*texts: str) -> tuple[list[Line], int]:
    return [[(text, ())] for text in texts], 0


async def test_only_lines_that_differ_are_painted() -> None:
    facts = Facts()
    async with Stage(facts).run_test(size=(20, 5)) as pilot:
        facts.show("A", lambda width: plain("trading", "1:32", "price"))
        await pilot.pause()
        with patch.object(facts, "refresh") as refresh:
            facts.show("A", lambda width: plain("trading", "1:32", "price"))
            refresh.assert_not_called()
            facts.show("A", lambda width: plain("trading", "1:31", "price"))
            refresh.assert_called_once_with(Region(0, 1, 20, 1))
        assert lines(facts) == ["trading", "1:31", "price", "", ""]


async def test_what_does_not_fit_is_scrolled_to_and_leaves_room_for_the_bar() -> None:
    facts = Facts()
    widths: list[int] = []

    def build(width: int) -> tuple[list[Line], int]:
        widths.append(width)
        return plain(*(str(at) for at in range(9)))

    async with Stage(facts).run_test(size=(20, 5)) as pilot:
        facts.show("A", build)
        await pilot.pause()
        await pilot.press("down", "down")
        assert lines(facts)[0] == "2"
        assert widths[-1] == 19
        facts.show("A", build)
        assert lines(facts)[0] == "2"
        facts.show("B", build)
        await pilot.pause()
        assert lines(facts)[0] == "0"


async def test_the_line_it_points_at_is_in_sight() -> None:
    facts = Facts()
    async with Stage(facts).run_test(size=(20, 5)) as pilot:
        facts.show("A", lambda width: ([[(str(at), ())] for at in range(30)], 20))
        await pilot.pause()
        assert "20" in lines(facts)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (30, ["the house trades at one price"]),
        (10, ["the house", "trades at", "one price"]),
        (4, ["the", "hous", "e", "trad", "es", "at", "one", "pric", "e"]),
    ],
)
def test_texts_are_wrapped_at_words_if_they_can_be(width: int, expected: list[str]) -> None:
    made = ["".join(text for text, _ in line) for line in wrapped("the house trades at one price", width)]
    assert made == expected


@pytest.mark.parametrize("width", [0, 1, 2])
def test_wide_letters_are_wrapped_in_any_room(width: int) -> None:
    assert list(wrapped("夜が長い", width))
