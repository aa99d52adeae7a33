"""A team's name, size and code."""

import random

import pytest
from bearpit_server.rules import teams
from bearpit_server.rules.refusals import Refused
from hypothesis import given
from hypothesis import strategies as st


@given(st.randoms())
def test_a_code_is_found_again_however_it_is_typed(chance: random.Random) -> None:
    code = teams.make_code(lambda most: chance.randrange(most))
    assert teams.bare(code) == teams.bare(teams.shown(code)) == code
    assert teams.bare(f" {teams.shown(code).lower()} ".replace("-", " - ")) == code


@given(st.text(max_size=20))
def test_a_text_is_a_code_or_is_refused(text: str) -> None:
    typed = text.replace("-", "").replace(" ", "").upper()
    if len(typed) == teams.CODE and set(typed) <= set(teams.ALPHABET):
        assert teams.bare(text) == typed
        return
    with pytest.raises(Refused) as refused:
        teams.bare(text)
    assert refused.value.reason == "INVALID_FIELD"


def test_letters_that_look_alike_are_in_no_code() -> None:
    assert not set("01OI") & set(teams.ALPHABET)
    assert len(set(teams.ALPHABET)) == 32


@pytest.mark.parametrize(
    "name", ["", " ", "x" * 41, "two\nlines", " led", "trailing ", "bell\a", "\u202ertl"]
)
def test_a_name_is_one_line_of_up_to_forty_characters(name: str) -> None:
    with pytest.raises(Refused) as refused:
        teams.check_name(name)
    assert refused.value.field == "name"


def test_a_name_may_be_in_any_script() -> None:
    for name in ("x", "小隊一", "École 7", "x" * 40):
        assert teams.check_name(name) == name


@pytest.mark.parametrize(
    ("wanted", "members", "expected"), [(0, 9, None), (9, 9, 9), (1, 0, 1), (1_000_000, 0, 1_000_000)]
)
def test_a_team_takes_as_many_as_are_in_it_or_more(wanted: int, members: int, expected: int | None) -> None:
    assert teams.check_size(wanted, members) == expected


@pytest.mark.parametrize(("wanted", "members"), [(-1, 0), (1_000_001, 0), (8, 9), (2**63 - 1, 0)])
def test_a_size_that_cannot_be_is_refused(wanted: int, members: int) -> None:
    with pytest.raises(Refused):
        teams.check_size(wanted, members)
