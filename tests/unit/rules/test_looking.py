"""Looks: how long they count, and that nobody gives more than the others by making more of them."""

import pytest
from bearpit_server.rules.looking import MAX_GLANCES, MAX_OPEN, Looking, merge
from hypothesis import given
from hypothesis import strategies as st

ANN, BEN = 1, 2
OCEAN, BEACH, SNOW = 11, 12, 17
CAP = 1_000

acts = st.lists(
    st.tuples(
        st.sampled_from(["open", "close", "glance", "reset"]),
        st.sampled_from([ANN, BEN]),
        st.integers(OCEAN, SNOW),
        st.integers(0, 3_000),
    ),
    max_size=40,
)


@pytest.fixture
def looking() -> Looking:
    return Looking(half_life_ms=1_000)


def test_who_looks_at_one_thing_gives_it_all_he_can(looking: Looking) -> None:
    looking.open(ANN, OCEAN, 0)
    assert looking.scores(400, CAP) == {OCEAN: CAP}


def test_what_a_player_can_give_is_split_over_what_he_looks_at(looking: Looking) -> None:
    for instrument in (OCEAN, BEACH, SNOW):
        looking.open(ANN, instrument, 0)
    looking.open(BEN, SNOW, 0)
    assert looking.scores(0, CAP) == {OCEAN: 333, BEACH: 333, SNOW: 1_333}


def test_two_screens_on_one_instrument_count_once_until_both_are_closed(looking: Looking) -> None:
    looking.open(ANN, OCEAN, 0)
    looking.open(ANN, OCEAN, 1)
    looking.open(ANN, BEACH, 2)
    assert looking.scores(3, CAP) == {OCEAN: 500, BEACH: 500}
    looking.close(ANN, OCEAN, 4)
    assert looking.scores(5, CAP) == {OCEAN: 500, BEACH: 500}
    looking.close(ANN, OCEAN, 6)
    assert looking.scores(7, CAP) == {BEACH: CAP}


def test_closing_ends_a_look_and_nothing_of_it_is_kept(looking: Looking) -> None:
    looking.open(ANN, OCEAN, 0)
    looking.close(ANN, OCEAN, 100)
    assert looking.scores(100, CAP) == {}
    assert len(looking) == 0


def test_closing_what_is_not_open_does_nothing(looking: Looking) -> None:
    looking.close(ANN, OCEAN, 0)
    looking.open(ANN, BEACH, 0)
    looking.close(ANN, OCEAN, 0)
    assert looking.scores(0, CAP) == {BEACH: CAP}


def test_a_glance_loses_half_of_its_strength_with_each_half_life(looking: Looking) -> None:
    looking.glance(ANN, OCEAN, 0)
    assert [looking.scores(at, CAP) for at in (0, 1_000, 2_000)] == [
        {OCEAN: 1_000},
        {OCEAN: 500},
        {OCEAN: 250},
    ]
    assert looking.scores(10**9, CAP) == {}


def test_a_glance_fades_against_what_is_open(looking: Looking) -> None:
    looking.open(ANN, OCEAN, 0)
    looking.glance(ANN, BEACH, 0)
    assert looking.scores(0, CAP) == {OCEAN: 500, BEACH: 500}
    assert looking.scores(2_000, CAP) == {OCEAN: 800, BEACH: 200}


def test_a_glance_at_what_is_open_adds_nothing(looking: Looking) -> None:
    looking.open(ANN, OCEAN, 0)
    looking.open(ANN, BEACH, 0)
    looking.glance(ANN, OCEAN, 0)
    assert looking.scores(0, CAP) == {OCEAN: 500, BEACH: 500}


def test_a_thousand_glances_are_worth_the_last_of_them(looking: Looking) -> None:
    for at in range(1_000):
        looking.glance(ANN, OCEAN, at)
    looking.glance(BEN, BEACH, 999)
    assert looking.scores(1_999, CAP) == {OCEAN: 500, BEACH: 500}


def test_a_clock_that_steps_back_makes_nothing_stronger(looking: Looking) -> None:
    looking.glance(ANN, OCEAN, 1_000)
    looking.glance(ANN, OCEAN, 0)
    assert looking.scores(0, CAP) == {OCEAN: CAP}
    assert looking.scores(2_000, CAP) == {OCEAN: 500}


def test_glances_are_used_up_by_a_reset_and_open_looks_count_anew(looking: Looking) -> None:
    looking.open(ANN, OCEAN, 0)
    looking.glance(ANN, BEACH, 0)
    looking.glance(BEN, BEACH, 0)
    looking.reset(500)
    assert looking.scores(500, CAP) == {OCEAN: CAP}
    assert len(looking) == 1


def test_a_glance_made_after_the_moment_of_a_reset_is_for_the_next_interval(looking: Looking) -> None:
    looking.glance(ANN, OCEAN, 500)
    looking.glance(ANN, BEACH, 501)
    looking.reset(500)
    assert looking.scores(501, CAP) == {BEACH: CAP}


def test_only_so_many_glances_of_a_player_are_remembered_the_latest(looking: Looking) -> None:
    for instrument in range(MAX_GLANCES + 10):
        looking.glance(ANN, instrument, instrument)
    assert set(looking.scores(MAX_GLANCES + 10, 10**6)) == set(range(10, MAX_GLANCES + 10))


def test_only_so_many_open_looks_of_a_player_are_noticed(looking: Looking) -> None:
    for instrument in range(MAX_OPEN + 10):
        looking.open(ANN, instrument, 0)
    assert set(looking.scores(0, CAP)) == set(range(MAX_OPEN))
    for instrument in range(MAX_OPEN + 10):
        looking.close(ANN, instrument, 0)
    assert len(looking) == 0


@given(acts)
def test_no_player_ever_gives_more_than_the_cap(given_acts: list[tuple[str, int, int, int]]) -> None:
    looking = Looking(half_life_ms=700)
    for act, player, instrument, at in given_acts:
        do(looking, act, player, instrument, at)
        scores = looking.scores(at, CAP)
        assert sum(scores.values()) <= CAP * len(looking) <= CAP * 2
        assert min(scores.values(), default=1) > 0


@given(acts, acts)
def test_what_one_player_does_changes_nothing_of_what_another_gives(
    his: list[tuple[str, int, int, int]], hers: list[tuple[str, int, int, int]]
) -> None:
    together, ann, ben = Looking(700), Looking(700), Looking(700)
    for act, _, instrument, at in hers:
        do(together, act, ANN, instrument, at)
        do(ann, act, ANN, instrument, at)
        if act == "reset":
            do(ben, act, BEN, instrument, at)
    for act, _, instrument, at in his:
        do(together, act, BEN, instrument, at)
        do(ben, act, BEN, instrument, at)
        if act == "reset":
            do(ann, act, ANN, instrument, at)
    assert together.scores(3_000, CAP) == merge(ann.scores(3_000, CAP), ben.scores(3_000, CAP))


@given(acts, st.integers(OCEAN, SNOW), st.integers(0, 3_000))
def test_no_one_gives_an_instrument_more_than_who_has_only_it_open(
    given_acts: list[tuple[str, int, int, int]], instrument: int, at: int
) -> None:
    looking = Looking(700)
    for act, _, looked_at, when in given_acts:
        do(looking, act, ANN, looked_at, when)
    assert looking.scores(at, CAP).get(instrument, 0) <= CAP


def test_scores_of_several_processes_are_added() -> None:
    assert merge({OCEAN: 3, BEACH: 1}, {}, {OCEAN: 4, SNOW: 2}) == {OCEAN: 7, BEACH: 1, SNOW: 2}
    assert merge() == {}


def do(looking: Looking, act: str, player: int, instrument: int, at: int) -> None:
    match act:
        case "open":
            looking.open(player, instrument, at)
        case "close":
            looking.close(player, instrument, at)
        case "glance":
            looking.glance(player, instrument, at)
        case "reset":
            looking.reset(at)
