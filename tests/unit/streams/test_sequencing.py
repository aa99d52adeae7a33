"""Records that come in any order leave in theirs."""

from bearpit_server.streams.sequencing import Sequencer
from hypothesis import given
from hypothesis import strategies as st

arrivals = st.integers(1, 30).flatmap(
    lambda length: st.tuples(
        st.permutations(range(1, length + 1)), st.lists(st.integers(1, length), max_size=10)
    )
)


@given(arrivals, st.integers(0, 40))
def test_every_record_leaves_once_and_in_order_however_they_come(
    come: tuple[list[int], list[int]], begins: int
) -> None:
    order, again = come
    sequencer: Sequencer[str] = Sequencer()
    left = []
    for index, number in enumerate([*order, *again]):
        if index == begins:
            left += sequencer.advance(0)
        left += sequencer.push(number, f"record {number}")
    left += sequencer.advance(0)
    assert left == [(number, f"record {number}") for number in range(1, len(order) + 1)]
    assert not len(sequencer)


@given(st.sets(st.integers(1, 30)), st.integers(0, 30))
def test_advancing_gives_up_what_is_missing_and_keeps_what_follows(numbers: set[int], to: int) -> None:
    sequencer: Sequencer[int] = Sequencer()
    for number in numbers:
        sequencer.push(number, number)
    left = [number for number, _ in sequencer.advance(to)]
    missing = min(set(range(to + 1, 32)) - numbers)
    assert left == list(range(to + 1, missing))
    assert sequencer.last == missing - 1
    assert len(sequencer) == len({number for number in numbers if number > missing})
    assert sequencer.highest == max((number for number in numbers if number > missing), default=0)


def test_nothing_leaves_before_it_is_known_where_to_begin() -> None:
    sequencer: Sequencer[str] = Sequencer()
    assert sequencer.push(6, "six") == []
    assert sequencer.push(7, "seven") == []
    assert sequencer.advance(6) == [(7, "seven")]


def test_it_never_goes_back() -> None:
    sequencer: Sequencer[str] = Sequencer()
    sequencer.advance(5)
    assert sequencer.advance(3) == []
    assert sequencer.push(4, "four") == []
    assert sequencer.last == 5
