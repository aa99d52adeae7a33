"""The command line's language."""

import pytest
from bearpit_tui.commands import (
    Amend,
    Cancel,
    CancelAll,
    Command,
    CommandError,
    Context,
    Do,
    Explain,
    Place,
    Select,
    parse,
    parse_cents,
    parse_quantity,
    render,
)
from bearpit_tui.completions import complete
from bearpit_tui.drafts import Draft, Kind, Life, Side
from hypothesis import given
from hypothesis import strategies as st

NAMES = {"AAPL": "Apple", "MSFT": "Microsoft", "MKT": "Market Street", "1K": "One Kilo", "BRK.B": "Berkshire"}
CONTEXT = Context("AAPL", NAMES, {"AAPL": 70}, (12, 17))
BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("buy 100 AAPL @ 12.40", Place(Draft(BUY, 100, "AAPL", price_cents=1240))),
        ("buy 100 aapl 12.40", Place(Draft(BUY, 100, "AAPL", price_cents=1240))),
        ("BUY AAPL 100 @12.4", Place(Draft(BUY, 100, "AAPL", price_cents=1240))),
        ("b 100@12.40", Place(Draft(BUY, 100, "AAPL", price_cents=1240))),
        ("buy 1,000 shares of msft at $12,40", Place(Draft(BUY, 1000, "MSFT", price_cents=1240))),
        ("buy 2.5k msft limit 3", Place(Draft(BUY, 2500, "MSFT", price_cents=300))),
        ("  buy   5   brk.b   @   1 ", Place(Draft(BUY, 5, "BRK.B", price_cents=100))),
        ("sell 50 mkt", Place(Draft(SELL, 50, "AAPL", Kind.MARKET))),
        ("s 50 market msft", Place(Draft(SELL, 50, "MSFT", Kind.MARKET))),
        ("sell all mkt", Place(Draft(SELL, 70, "AAPL", Kind.MARKET))),
        ("sell 50 mkt @ 11", Place(Draft(SELL, 50, "AAPL", Kind.MARKET, 1100))),
        ("buy 10 AAPL stop 13.00 @ 13.10", Place(Draft(BUY, 10, "AAPL", Kind.STOP_LIMIT, 1310, 1300))),
        ("sell 10 stop 9", Place(Draft(SELL, 10, "AAPL", Kind.STOP, 0, 900))),
        ("sell 10 stop 9 mkt @ 8", Place(Draft(SELL, 10, "AAPL", Kind.STOP, 800, 900))),
        (
            "buy 10 @ 3 day post",
            Place(Draft(BUY, 10, "AAPL", price_cents=300, life=Life.DAY, post_only=True)),
        ),
        ("buy 10 @ 3 FOK", Place(Draft(BUY, 10, "AAPL", price_cents=300, life=Life.FOK))),
        ("buy 5 $MKT mkt", Place(Draft(BUY, 5, "MKT", Kind.MARKET))),
        ("buy 5 1k @ 2", Place(Draft(BUY, 5, "1K", price_cents=200))),
        ("cancel 17", Cancel(17)),
        ("cancel #17", Cancel(17)),
        ("x 17", Cancel(17)),
        ("cancel all", CancelAll()),
        ("cancel all msft", CancelAll("MSFT")),
        ("cancel msft", CancelAll("MSFT")),
        ("amend 17 50 @ 12.30", Amend(17, 50, 1230)),
        ("amend 17 @ 12.30", Amend(17, 0, 1230)),
        ("amend 17 stop 11 @ 10", Amend(17, 0, 1000, 1100)),
        ("why 17", Explain(17)),
        ("msft", Select("MSFT")),
        ("$MKT", Select("MKT")),
        ("mkt", Select("MKT")),
        ("help", Do("help")),
        ("?", Do("help")),
        ("results", Do("results")),
        ("windows", Do("windows")),
        ("headlines", Do("news")),
        ("quit", Do("quit")),
    ],
)
def test_understands(text: str, command: Command) -> None:
    assert parse(text, CONTEXT) == command


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Type a symbol, or buy 100 AAPL @ 12.40"),
        ("buy", "How many shares? Type buy 100 AAPL @ 12.40"),
        ("buy 100", "or buy 100 AAPL mkt"),
        ("buy 100 @", "A price is missing at the end"),
        ("buy 7.5 @ 3", "not a whole number of shares"),
        ("buy 5 @ 1.234", "finer than a cent"),
        ("buy 5 @ 0", "above 0.00"),
        ("buy 0 @ 5", "not a number of shares to trade"),
        ("buy 5 aple @ 3", "Did you mean AAPL?"),
        ("buy 5 aapl msft @ 3", '"msft" is one word too many'),
        ("buy all mkt", "Type a number: buy 100 AAPL"),
        ("sell all msft mkt", "no free shares of MSFT"),
        ("byu 100 aapl @ 3", 'Did you mean "buy 100 aapl @ 3"?'),
        ("apl", "Did you mean AAPL?"),
        ("zzzzzz", "Press / and type a part of its name"),
        ("cancel", "cancel 17, or cancel all"),
        ("cancel seventeen", "Type cancel 17"),
        ("cancel 0", "Type cancel 17"),
        ("why", "Which order? Type its number: why 17"),
        ("amend 17", "To what?"),
        ("amend 17 50 60", "one word too many"),
    ],
)
def test_tells_what_to_type_instead(text: str, words: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(text, CONTEXT)
    assert words in str(caught.value)


def test_a_slash_typed_once_more_is_no_matter() -> None:
    assert parse("/buy 5 AAPL @ 12.40", CONTEXT) == parse("buy 5 AAPL @ 12.40", CONTEXT)


def test_takes_any_symbol_while_none_are_known() -> None:
    assert parse("buy 5 ZZZ @ 1", Context()) == Place(Draft(BUY, 5, "ZZZ", price_cents=100))
    with pytest.raises(CommandError, match="Of which instrument"):
        parse("buy 5 @ 1", Context())


@pytest.mark.parametrize(
    ("text", "cents"),
    [("12.4", 1240), ("12,40", 1240), ("1,240", 124_000), ("$.5", 50), ("1'000.00", 100_000)],
)
def test_reads_prices(text: str, cents: int) -> None:
    assert parse_cents(text) == cents


def test_reads_quantities() -> None:
    assert [parse_quantity(text) for text in ("7", "1k", "1.5M", "2,000")] == [7, 1000, 1_500_000, 2000]


symbols = st.sampled_from(sorted(NAMES))
amounts = st.integers(1, 10**12)
prices = st.just(0) | amounts


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    kind = draw(st.sampled_from(Kind))
    return Draft(
        side=draw(st.sampled_from(Side)),
        quantity=draw(amounts),
        symbol=draw(symbols),
        kind=kind,
        price_cents=draw(amounts if kind in (Kind.LIMIT, Kind.STOP_LIMIT) else prices),
        stop_cents=draw(amounts) if kind in (Kind.STOP, Kind.STOP_LIMIT) else 0,
        life=draw(st.sampled_from(Life)),
        post_only=draw(st.booleans()),
    )


commands = st.one_of(
    st.builds(Place, drafts()),
    st.builds(Amend, amounts, amounts, prices, prices),
    st.builds(Cancel, amounts),
    st.builds(CancelAll, st.just("") | symbols),
    st.builds(Select, symbols),
    st.builds(Explain, amounts),
    st.just(Do("help")),
    st.just(Do("quit")),
)


@given(commands)
def test_understands_what_it_writes(command: Command) -> None:
    assert parse(render(command), CONTEXT) == command


WORDS = (
    "buy sell b cancel amend why all @ @@ stop mkt 100 1k 12.40 $ $AAPL aapl #17 17 day post -1 ٣ ½ . , @12"
)
words = st.sampled_from(WORDS.split())


@given(
    st.text(max_size=60) | st.lists(words, max_size=8).map(" ".join), st.sampled_from([CONTEXT, Context()])
)
def test_never_fails_otherwise_than_in_words(text: str, context: Context) -> None:
    said = "understood"
    try:
        parse(text, context)
    except CommandError as error:
        said = str(error)
    assert said.strip()
    complete(text, context)


def lines(text: str) -> list[str]:
    return [one.line for one in complete(text, CONTEXT)]


def test_completes_symbols_by_their_start_and_by_their_name() -> None:
    assert lines("aa") == ["AAPL"]
    assert lines("micro") == ["MSFT"]
    assert lines("buy 100 ms") == ["buy 100 MSFT"]
    assert lines("b") == ["BRK.B", "buy "]


def test_completes_orders_newest_first() -> None:
    assert lines("cancel ") == ["cancel 17", "cancel 12", "cancel all"]
    assert lines("why 1") == ["why 17", "why 12"]


def test_completes_no_numbers() -> None:
    assert lines("buy 1") == []
    assert lines("help a") == []


def test_a_completed_symbol_that_is_a_word_is_marked() -> None:
    assert lines("buy 5 mk") == ["buy 5 $MKT"]
