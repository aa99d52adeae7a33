"""What a noise trader wishes: always something that the exchange can take."""

from random import Random

from bearpit_admin.bots.noise import Sight, Wish, middle_of, wish
from hypothesis import given
from hypothesis import strategies as st

prices = st.integers(0, 100_000)


def wishes(sight: Sight, count: int = 400) -> list[Wish]:
    random = Random(7)
    return [one for _ in range(count) if (one := wish(random, sight)) is not None]


@given(st.integers(), st.builds(Sight, st.just("X"), st.integers(1, 50), prices, prices, prices, prices))
def test_wishes_have_a_price_on_the_tick_and_no_more_shares_than_there_are(seed: int, sight: Sight) -> None:
    made = wish(Random(seed), sight)
    if made is None:
        return
    assert made.quantity >= 1
    assert made.price_cents >= 1
    if made.takes:
        assert made.price_cents == (sight.ask_cents if made.buys else sight.bid_cents)
    else:
        assert made.price_cents % sight.tick_cents == 0
    if not made.buys:
        assert made.quantity <= sight.free_shares


def test_both_sides_are_traded_and_orders_are_left_in_the_book_too() -> None:
    made = wishes(Sight("X", 1, 990, 1_010, 1_000, 1_000))
    assert {(one.buys, one.takes) for one in made} == {(a, b) for a in (True, False) for b in (True, False)}


def test_who_has_no_shares_sells_none() -> None:
    assert all(one.buys for one in wishes(Sight("X", 1, 990, 1_010, 1_000, 0)))


def test_an_empty_book_without_a_trade_is_left_alone() -> None:
    assert wishes(Sight("X", 1, 0, 0, 0, 100)) == []


def test_an_ipo_is_bought_at_its_price() -> None:
    takers = [one for one in wishes(Sight("X", 1, 0, 2_500, 0, 0)) if one.takes]
    assert takers
    assert {one.price_cents for one in takers} == {2_500}


def test_the_same_seed_wishes_the_same() -> None:
    sight = Sight("X", 1, 990, 1_010, 1_000, 50)
    assert wishes(sight) == wishes(sight)


def test_the_middle_is_the_nearest_there_is_to_a_price() -> None:
    assert middle_of(Sight("X", 1, 990, 1_010, 5, 0)) == 1_000
    assert middle_of(Sight("X", 1, 0, 1_010, 995, 0)) == 995
    assert middle_of(Sight("X", 1, 0, 1_010, 0, 0)) == 1_010
