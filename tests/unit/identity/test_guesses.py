"""The limits on wrong codes: looking costs nothing, being wrong does."""

import pytest
from bearpit_server.identity.rates import Buckets, Guesses
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

ADA, BOB = 1, 2
A_PLAYER, AN_ADDRESS = 10, 120
"""Wrong codes a minute, as the settings have it."""


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 3), max_size=40), st.integers(0, 20))
def test_looking_at_a_bucket_says_what_taking_from_it_would(pauses: list[float], amount: int) -> None:
    clock = Clock()
    buckets = Buckets(1.0, clock)
    for pause in pauses:
        clock.now += pause
        looked = buckets.wait("ada", amount)
        assert looked == pytest.approx(buckets.take("ada", amount), abs=1e-6)


def wrong(guesses: Guesses, player_id: int, address: str = "there") -> bool:
    """Try a wrong code; whether it was looked at."""
    try:
        guesses.check(player_id, address)
    except Refused as refused:
        return refused.reason != "RATE_LIMITED"
    guesses.count(player_id, address)
    return True


def test_a_player_has_so_many_wrong_codes_a_minute() -> None:
    clock = Clock()
    guesses = Guesses(Settings(), clock)
    assert [wrong(guesses, ADA) for _ in range(15)] == [True] * A_PLAYER + [False] * 5
    assert wrong(guesses, BOB)
    clock.now += 60 / A_PLAYER
    assert [wrong(guesses, ADA) for _ in range(2)] == [True, False]


def test_a_player_who_goes_elsewhere_is_still_counted() -> None:
    guesses = Guesses(Settings(), Clock())
    assert sum(wrong(guesses, ADA, f"address {number}") for number in range(50)) == A_PLAYER


def test_an_address_has_its_own_number_whoever_tries() -> None:
    guesses = Guesses(Settings(), Clock())
    assert sum(wrong(guesses, player_id) for player_id in range(100, 200) for _ in range(2)) == AN_ADDRESS
    assert wrong(guesses, ADA, "elsewhere")
    assert not wrong(guesses, ADA)


def test_who_registers_is_counted_by_the_address_alone() -> None:
    guesses = Guesses(Settings(), Clock())
    assert sum(wrong(guesses, 0) for _ in range(200)) == AN_ADDRESS
    assert wrong(guesses, 0, "elsewhere")
