"""The market maker's quotes: never crossed, on the grid, leaning against the inventory."""

from bearpit_admin.bots.quoting import Quote, Resting, Style, changes, quotes, step_of
from hypothesis import given
from hypothesis import strategies as st

STYLE = Style(levels=4, quantity=100, inventory_limit=1_000)
values = st.integers(1, 10_000_000)
ticks = st.integers(1, 100)
excesses = st.integers(-3_000, 3_000)
offsets = st.integers(0, 3)


@given(values, ticks, excesses, offsets)
def test_quotes_never_cross_and_are_prices_that_the_exchange_takes(
    value: int, tick: int, excess: int, offset: int
) -> None:
    made = quotes(value, tick, excess, Style(levels=4, offset_steps=offset, inventory_limit=1_000))
    bids = [quote.price_cents for quote in made if quote.buys]
    asks = [quote.price_cents for quote in made if not quote.buys]
    assert all(price >= tick and price % tick == 0 for price in bids + asks)
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    if bids and asks:
        assert bids[0] < asks[0]


@given(st.integers(1_000, 10_000_000), ticks)
def test_a_maker_with_what_it_should_have_quotes_on_both_sides_of_the_value(value: int, tick: int) -> None:
    made = quotes(value, tick, 0, STYLE)
    assert max(quote.price_cents for quote in made if quote.buys) <= value
    assert min(quote.price_cents for quote in made if not quote.buys) >= value


@given(values, ticks, excesses, excesses)
def test_who_holds_more_quotes_no_higher(value: int, tick: int, one: int, other: int) -> None:
    poor, rich = sorted((one, other))
    for buys in (True, False):
        less = [quote.price_cents for quote in quotes(value, tick, rich, STYLE) if quote.buys is buys]
        more = [quote.price_cents for quote in quotes(value, tick, poor, STYLE) if quote.buys is buys]
        if less and more:
            assert less[0] <= more[0]


def test_a_full_maker_buys_no_more_and_an_empty_one_sells_no_more() -> None:
    assert {quote.buys for quote in quotes(10_000, 1, 1_000, STYLE)} == {False}
    assert {quote.buys for quote in quotes(10_000, 1, -1_000, STYLE)} == {True}


def test_levels_lie_on_round_prices() -> None:
    assert [step_of(value, 1) for value in (300, 1_000, 2_600, 8_000, 40_000)] == [1, 2, 5, 10, 50]
    assert [quote.price_cents for quote in quotes(8_003, 1, 0, STYLE)] == [
        7_990, 7_980, 7_970, 7_960,
        8_010, 8_020, 8_030, 8_040,
    ]  # fmt: skip


@given(st.integers(5_000, 9_000), st.integers(5_000, 9_000))
def test_changes_lead_from_what_rests_to_what_is_wanted(before: int, after: int) -> None:
    old, new = quotes(before, 1, 0, STYLE), quotes(after, 1, 0, STYLE)
    resting = [
        Resting(number, quote.buys, quote.price_cents, quote.quantity) for number, quote in enumerate(old)
    ]
    cancel, place = changes(resting, new)
    stays = [Quote(one.buys, one.price_cents, one.remaining) for one in resting if one.order_id not in cancel]
    assert sorted((one.buys, one.price_cents) for one in stays + place) == sorted(
        (quote.buys, quote.price_cents) for quote in new
    )


def test_an_unchanged_value_changes_nothing() -> None:
    made = quotes(8_000, 1, 0, STYLE)
    resting = [
        Resting(number, quote.buys, quote.price_cents, quote.quantity) for number, quote in enumerate(made)
    ]
    assert changes(resting, made) == ([], [])


def test_a_quote_that_is_nearly_used_up_and_one_that_is_there_twice_are_replaced() -> None:
    quote = Quote(True, 100, 50)
    assert changes([Resting(1, True, 100, 24)], [quote]) == ([1], [quote])
    assert changes([Resting(1, True, 100, 25)], [quote]) == ([], [])
    assert changes([Resting(1, True, 100, 50), Resting(2, True, 100, 50)], [quote]) == ([2], [])
