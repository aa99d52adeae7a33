"""Trading windows: which one matters, what is said of it, and of what it did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bearpit_tui.details import DETAILS
from bearpit_tui.details.scene import Scene
from bearpit_tui.mechanisms import MECHANISMS
from bearpit_tui.model import Instrument, Phase, Quote, Status
from bearpit_tui.moments import ago, countdown, when
from bearpit_tui.screens.windows import results_text, windows_text
from bearpit_tui.state import State
from bearpit_tui.windows import Settled, Window, Windows, WindowState

NOW = datetime(2026, 3, 2, 14, 31, 7, tzinfo=UTC)
SOON = NOW + timedelta(seconds=92)
NOVA = frozenset({"NOVA"})


def said(state: State, width: int = 40, now: datetime = NOW) -> str:
    """The detail of the chosen instrument as text."""
    lines, _ = DETAILS[state.instruments[state.selected].mechanism](Scene(state, now, UTC), width)
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def market(window: Window | None, *prices: Settled) -> State:
    windows = Windows((window,) if window is not None else (), prices)
    instrument = Instrument("NOVA", "Nova Space", "window")
    quote = Quote("NOVA", 12_40, ask_cents=12_40, priced_at_ms=1)
    return State(
        selected="NOVA",
        instruments={"NOVA": instrument},
        quotes={"NOVA": quote},
        windows=windows,
        status=Status(Phase.OPEN),
    )


@pytest.mark.parametrize(
    ("left", "words"), [(92, "1:32"), (0, "0:00"), (-5, "0:00"), (59.9, "0:59"), (7510, "2:05:10")]
)
def test_what_is_left_is_counted_down(left: float, words: str) -> None:
    assert countdown(timedelta(seconds=left)) == words


def test_times_to_come_are_the_more_exact_the_nearer() -> None:
    assert when(SOON, NOW, UTC) == "in 1:32"
    assert when(NOW + timedelta(hours=3), NOW, UTC) == "17:31"
    assert when(NOW + timedelta(days=3), NOW, UTC) == "Thu 14:31"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.44, "0.4 s"), (-1, "0.0 s"), (12, "12 s"), (130, "2 min"), (7300, "2 h")]
)
def test_ages_grow_coarser(seconds: float, words: str) -> None:
    assert ago(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("title", "kind", "number", "name"),
    [
        ("The long night", "chapter", 12, "Chapter 12 · The long night"),
        ("Chapter 12: The long night", "chapter", 12, "Chapter 12: The long night"),
        ("", "week", 3, "Week 3"),
        ("", "", 0, "Window 9"),
    ],
)
def test_a_window_is_named_as_people_call_it(title: str, kind: str, number: int, name: str) -> None:
    assert Window(9, title, kind, number).name == name


def test_the_window_under_way_matters_then_the_next_then_the_last() -> None:
    later = Window(4, state=WindowState.SCHEDULED, next_change_at=NOW + timedelta(days=8))
    following = Window(3, state=WindowState.SCHEDULED, next_change_at=NOW + timedelta(days=1))
    under_way = Window(2, state=WindowState.PAUSED)
    over = Window(1, state=WindowState.CLOSED)
    assert Windows((later, following, under_way, over)).of("NOVA") is under_way
    assert Windows((later, following, over)).of("NOVA") is following
    assert Windows((over,)).of("NOVA") is over
    assert Windows((Window(1, symbols=NOVA),)).of("PIKE") is None


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (
            Window(1, "", "chapter", 1, WindowState.TRADING, next_state=WindowState.TRADE_CLOSE,
                   next_change_at=SOON),
            "▶ TRADING  1:32\nIn 1:32 trading ends, then prices are settled.",
        ),
        (
            Window(1, state=WindowState.SCHEDULED, next_state=WindowState.OPEN,
                   next_change_at=NOW + timedelta(days=2)),
            "■ SCHEDULED  Wed 14:31\nAt Wed 14:31 it is announced, and its prices stand.",
        ),
        (Window(1, state=WindowState.SETTLING, symbols=NOVA, settled=0), "being found: 0 of 1 done."),
        (Window(1, state=WindowState.PAUSED, next_chance_at=SOON), "PAUSED\nOrders are taken again in 1:32."),
        (Window(1, state=WindowState.TRADING), "▶ TRADING\nThe operators say when it goes on."),
        (Window(1, state=WindowState.CANCELLED), "■ CALLED OFF"),
        (Window(1, state=WindowState.CLOSED, reversed=True), "(reversed)"),
        (None, "No window is planned"),
    ],
)  # fmt: skip
def test_a_window_says_where_it_is_and_what_comes_next(window: Window | None, words: str) -> None:
    assert words in said(market(window), 60)


def test_the_countdown_goes_on_and_its_bar_fills() -> None:
    window = Window(
        1,
        state=WindowState.TRADING,
        next_state=WindowState.TRADE_CLOSE,
        next_change_at=SOON,
        changed_at=NOW - timedelta(seconds=92),
    )
    assert "█" * 10 + "·" * 10 + "\n" in said(market(window), 20)
    assert "█" * 20 + "\n" in said(market(window), 20, SOON)
    assert "1:31" in said(market(window), 20, NOW + timedelta(seconds=1))


def test_a_settled_price_is_told_with_its_reason_and_the_other_movers() -> None:
    window = Window(1, "", "week", 3, WindowState.SETTLED, settled=3)
    state = market(
        window,
        Settled("NOVA", 12_00, 12_86, 7_20, "+7.2 %: demand of 12 players"),
        Settled("PIKE", 10_00, 8_00, -20_00, corrected=True),
        Settled("PIKE", 10_00, 9_00, -10_00),
        Settled("REST", 5_00, 5_00, 0),
    )
    words = said(state, 60)
    assert "Result of Week 3\n12.00 → 12.86  ▲ 7.20%\nWhy +7.2 %: demand of 12 players" in words
    assert "PIKE ▼ 10.00%  10.00 → 9.00" in words
    assert "20.00%" not in words
    assert "REST" not in words


def test_results_go_from_the_best_to_the_worst_and_count_them() -> None:
    window = Window(1, "", "week", 3, WindowState.SETTLED, settled=3, reversed=True)
    prices = (
        Settled("AAA", 10_00, 8_00, -20_00, "sales"),
        Settled("BBB", 10_00, 12_00, 20_00, "demand"),
        Settled("CCC", 10_00, 10_00, 0),
        Settled("DDD", 10_00, 30_00, 200_00, "a fraud", corrected=True),
        Settled("DDD", 10_00, 11_00, 10_00, "demand"),
    )
    text = results_text(Windows((window,), prices), 160).plain
    assert "1 rose" not in text
    assert "2 rose, 1 fell, 1 stayed" in text
    assert [line[:3] for line in text.splitlines()[4:]] == ["BBB", "DDD", "DDD", "CCC", "AAA"]
    assert "reversed: its trading was taken back" in text
    assert "200.00%  corrected" in text
    assert "no reason was given" in text
    assert results_text(Windows(), 80).plain == "No window has been settled yet."


def test_reasons_stand_below_where_there_is_no_room_beside() -> None:
    window = Window(1, state=WindowState.SETTLED)
    reason = "demand of 12 players, of whom one had two thirds, bounded at 5 %"
    windows = Windows((window,), (Settled("AAA", 10_00, 10_50, 5_00, reason),))
    assert f"5.00%  {reason}" in results_text(windows, 160).plain
    lines = results_text(windows, 60).plain.splitlines()
    assert lines[-2:] == ["     demand of 12 players, of whom one had two", "     thirds, bounded at 5 %"]
    assert max(len(line) for line in lines) <= 52


def test_windows_are_listed_with_what_comes_next() -> None:
    trading = Window(
        2, "Now", state=WindowState.TRADING, next_state=WindowState.TRADE_CLOSE, next_change_at=SOON
    )
    paused = Window(1, "Then", state=WindowState.PAUSED, next_chance_at=SOON)
    text = windows_text(Windows((trading, paused)), NOW, UTC).plain
    assert text == (
        "Now\n  trading  → trading is over in 1:32\nThen\n  paused   orders are taken again in 1:32"
    )
    assert windows_text(Windows(), NOW, UTC).plain == "No trading windows are planned."


# The other mechanisms -----------------------------------------------------------------------------------


def fed(**quote: int) -> State:
    instrument = Instrument("FLUX", mechanism="feed", group="energy")
    return replace(
        market(None),
        selected="FLUX",
        instruments={"FLUX": instrument},
        quotes={"FLUX": Quote("FLUX", **quote)},  # type: ignore[arg-type]
    )


MADE = int(NOW.timestamp() * 1000) - 400


def test_a_feed_is_shown_as_a_dealer() -> None:
    state = fed(bid_cents=12_38, ask_cents=12_42, bid_quantity=70, ask_quantity=2500, priced_at_ms=MADE)
    words = said(state)
    assert "House sells  12.42  2.5k left" in words
    assert "House buys   12.38  takes 70" in words
    assert "Spread  0.04  0.32%" in words
    assert "Priced  0.4 s ago" in words


def test_an_old_price_is_warned_of_while_the_market_is_open() -> None:
    state = fed(bid_cents=12_38, ask_cents=12_42, priced_at_ms=MADE)
    later = NOW + timedelta(seconds=20)
    assert "! Old: priced 20 s ago" in said(state, now=later)
    shut = replace(state, status=Status(Phase.CLOSED))
    assert "it stands while the market is not" in said(shut, 60, later)
    assert "no price yet" in said(fed())
    assert "House sells  nothing now" in said(fed())


def test_pools_are_ranked_by_attention_with_what_comes_next() -> None:
    listed = {
        symbol: Instrument(symbol, mechanism="attention", group=group)
        for symbol, group in (("AAA", "fame"), ("BBB", "fame"), ("CCC", "other"))
    }
    quotes = {
        "AAA": Quote("AAA", last_cents=10_00, attention_bps=20_00, indicative_cents=9_00, priced_at_ms=1),
        "BBB": Quote("BBB", last_cents=20_00, attention_bps=80_00, indicative_cents=20_24, priced_at_ms=1),
        "CCC": Quote("CCC"),
    }
    state = replace(market(None), selected="AAA", instruments=listed, quotes=quotes)
    lines = said(state, 40).splitlines()
    assert lines[:6] == [
        "◉ Attention · fame",
        "",
        " BBB 20.00 next ≈ 20.24 ▲ 1.20%",
        " " + "█" * 32 + " 80.00%",
        "▸AAA 10.00 next ≈  9.00 ▼ 10.00%",
        " " + "█" * 8 + "·" * 24 + " 20.00%",
    ]
    assert DETAILS["attention"](Scene(state, NOW, UTC), 40)[1] == 4


@pytest.mark.parametrize("width", range(0, 60, 7))
@pytest.mark.parametrize("mechanism", sorted(set(MECHANISMS) - {"order_book"}))
def test_no_detail_minds_how_little_is_known_or_fits(mechanism: str, width: int) -> None:
    state = replace(market(None), instruments={"NOVA": Instrument("NOVA", mechanism=mechanism)})
    assert said(state, width)
    assert said(replace(state, quotes={"NOVA": Quote("NOVA")}), width)
