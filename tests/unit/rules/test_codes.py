"""The text of codes: what is read is what was written, and every slip of a finger is seen."""

from datetime import UTC, datetime, timedelta

import pytest
from bearpit_server.rules.codes import (
    ALPHABET,
    LONGEST_DISCOUNT,
    NUMBERS,
    Discount,
    discounted,
    grouped,
    link_to,
    normalise,
    text_of,
)
from bearpit_server.rules.refusals import Refused
from hypothesis import given
from hypothesis import strategies as st

CODES = st.integers(0, NUMBERS - 1).map(text_of)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = 86_400


def is_refused(text: str) -> bool:
    """Whether it is no code."""
    try:
        normalise(text)
    except Refused as refused:
        return (refused.reason, refused.field) == ("CODE_MISTYPED", "code")
    return False


@given(CODES)
def test_what_is_printed_is_read(code: str) -> None:
    assert normalise(code) == normalise(grouped(code)) == normalise(link_to(code)) == code


@given(CODES, st.data())
def test_case_spaces_and_hyphens_do_not_matter(code: str, data: st.DataObject) -> None:
    between = st.sampled_from(["", "", " ", "-", " - ", "–", "\u00a0", "\n", "."])
    looks_like = {"0": "0oO", "1": "1iIlL"}
    typed = ""
    for symbol in code:
        typed += data.draw(between) + data.draw(
            st.sampled_from(looks_like.get(symbol, symbol + symbol.lower()))
        )
    assert normalise(typed + data.draw(between)) == code


@given(CODES, st.integers(0, 12), st.sampled_from(ALPHABET))
def test_every_wrong_character_is_seen(code: str, place: int, symbol: str) -> None:
    wrong = code[:place] + symbol + code[place + 1 :]
    assert is_refused(wrong) == (wrong != code)


@given(CODES, st.integers(0, 12), st.integers(0, 12))
def test_every_swap_of_two_characters_is_seen(code: str, one: int, other: int) -> None:
    symbols = [*code]
    symbols[one], symbols[other] = symbols[other], symbols[one]
    assert is_refused("".join(symbols)) == (symbols != [*code])


@given(CODES, st.integers(0, 12), st.sampled_from(ALPHABET))
def test_one_character_too_few_or_too_many_is_seen(code: str, place: int, symbol: str) -> None:
    assert is_refused(code[:place] + code[place + 1 :])
    assert is_refused(code[:place] + symbol + code[place:])


@given(st.text(max_size=300))
def test_no_text_is_more_than_refused(text: str) -> None:
    if not is_refused(text):
        assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "bearpit://redeem/", "U" * 13, "ß" * 13, "ſ" * 13, "١" * 13, "\0" * 13, "0" * 12, "0" * 14,
        "0" * 100_000, "https://evil.example/0000-0000-00000", "bearpit://pay/0000-0000-00000", "%s%n{}",
        "0000-0000-00000?x=1",
    ],
)  # fmt: skip
def test_what_is_no_code_is_no_code(text: str) -> None:
    assert is_refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "0000-0000-00000",
        "BEARPIT://REDEEM/0000-0000-00000",
        " bearpit://redeem/0000000000000/ ",
        "ooooOOOO00000",
    ],
)
def test_a_link_is_as_good_as_its_code(text: str) -> None:
    assert normalise(text) == "0" * 13


def test_a_refusal_says_what_to_look_for() -> None:
    said = {}
    for text in ("0000-0000-0000", "0000-0000-000U0", "0000-0000-00001", "0000-0000-000\x1b0"):
        with pytest.raises(Refused) as caught:
            normalise(text)
        said[text] = caught.value.message
    assert [*said.values()] == [
        "code: a code has 13 characters, this has 12; look again",
        "code: 'U' is not in any code; look again",
        "code: a character is wrong, or two have changed places; compare it with what is printed",
        "code: something is there that is not in any code; look again",
    ]


def test_a_coupon_counts_from_when_it_is_redeemed() -> None:
    alone = Discount(5_000, NOW + timedelta(days=1))
    assert discounted(None, 5_000, DAY, NOW) == alone
    assert discounted(Discount(10_000, NOW), 5_000, DAY, NOW) == alone


def test_a_better_coupon_takes_the_place_of_a_worse_one() -> None:
    running = Discount(1_000, NOW + timedelta(days=9))
    assert discounted(running, 5_000, DAY, NOW) == Discount(5_000, NOW + timedelta(days=1))


def test_a_coupon_as_good_adds_its_time() -> None:
    running = Discount(5_000, NOW + timedelta(hours=1))
    assert discounted(running, 5_000, DAY, NOW) == Discount(5_000, NOW + timedelta(days=1, hours=1))


def test_a_worse_coupon_is_kept_for_later() -> None:
    running = Discount(5_050, NOW + timedelta(hours=1))
    with pytest.raises(Refused) as caught:
        discounted(running, 1_000, DAY, NOW)
    assert caught.value.reason == "NOT_POSSIBLE_NOW"
    assert caught.value.message == (
        "your discount of 50.50 % is better than 10 %; redeem this code when that has run out, "
        "at 2026-11-21 13:00 UTC"
    )


@given(
    st.integers(1, 10_000), st.integers(1, 10_000), st.integers(60, 366 * DAY), st.integers(-DAY, 4_000 * DAY)
)
def test_no_coupon_makes_a_discount_worse(running_bps: int, off_bps: int, lifetime: int, left: int) -> None:
    running = Discount(running_bps, NOW + timedelta(seconds=left))
    try:
        then = discounted(running, off_bps, lifetime, NOW)
    except Refused:
        assert running.until > NOW
        return
    assert then.off_bps >= off_bps
    assert then.until >= NOW + timedelta(seconds=lifetime)
    assert then.off_bps >= running.off_bps or left <= 0
    assert then.until <= NOW + max(LONGEST_DISCOUNT, timedelta(seconds=lifetime))
