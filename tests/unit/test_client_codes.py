"""What people paste, read as the server reads it."""

import pytest
from bearpit.client.codes import code_in, link_to
from bearpit_server.rules.codes import NUMBERS, grouped, normalise, text_of
from bearpit_server.rules.codes import link_to as servers_link_to
from bearpit_server.rules.refusals import Refused
from hypothesis import given
from hypothesis import strategies as st

CODES = st.integers(0, NUMBERS - 1).map(text_of).map(grouped)


@given(CODES, st.sampled_from(["{}", " {} ", '"{}"', "«{}»", "({}).", "`{}`", "\n{}\n"]), st.booleans())
def test_a_code_is_found_however_it_is_pasted(code: str, around: str, as_link: bool) -> None:
    bare = link_to(code) if as_link else code.lower()
    assert code_in(around.format(bare)) == code


@given(CODES)
def test_a_link_is_found_among_words(code: str) -> None:
    assert code_in(f"Your code: <{link_to(code)}>, good until Monday") == code
    assert code_in(link_to(code).upper() + "/") == code
    assert link_to(code) == servers_link_to(normalise(code))


@given(st.text(max_size=80))
def test_what_the_server_takes_is_not_changed_by_tidying(text: str) -> None:
    try:
        wanted = normalise(text)
    except Refused:
        return
    assert normalise(code_in(text)) == wanted


@pytest.mark.parametrize("text", ["", "hello", "1234", "https://a.example/0000-0000-00000"])
def test_what_is_no_code_stays_for_the_server_to_judge(text: str) -> None:
    assert code_in(text) == text
