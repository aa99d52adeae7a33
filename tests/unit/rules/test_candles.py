"""Candles: what they say of their trades, and where they begin."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from bearpit_server.rules.candles import (
    DAY,
    HOUR,
    MINUTE,
    PERIODS,
    QUARTER,
    STORED_FROM,
    Candle,
    bucket,
    fold,
    merge,
)
from hypothesis import given, settings
from hypothesis import strategies as st

VIENNA = ZoneInfo("Europe/Vienna")
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Europe/Vienna",
        "America/New_York",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Africa/Cairo",  # skips midnight in spring
        "America/Havana",  # has midnight twice in autumn
        "Asia/Beirut",
        "Pacific/Apia",
        "America/Nuuk",
    )
]
moments = st.integers(
    int(datetime(2012, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2035, 1, 1, tzinfo=UTC).timestamp())
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def test_a_candle_tells_first_last_highest_lowest_and_sums() -> None:
    candle = fold(at("2026-07-01T09:00Z"), [(100, 5), (104, 1), (98, 10), (101, 4)])
    assert candle == Candle(
        start=at("2026-07-01T09:00Z"),
        open_cents=100,
        high_cents=104,
        low_cents=98,
        close_cents=101,
        volume=20,
        value_cents=500 + 104 + 980 + 404,
        trades=4,
    )


def test_there_is_no_candle_without_a_trade() -> None:
    with pytest.raises(ValueError, match="needs a trade"):
        fold(0, [])


@pytest.mark.parametrize(
    ("period", "start"),
    [("1m", "10:37"), ("5m", "10:35"), ("15m", "10:30"), ("1h", "10:00")],
)
def test_short_periods_begin_on_the_clock(period: str, start: str) -> None:
    assert bucket(at("2026-07-01T10:37:59Z"), PERIODS[period]) == at(f"2026-07-01T{start}:00Z")


def test_a_day_begins_at_midnight_in_the_zone() -> None:
    assert bucket(at("2026-07-01T23:30+02:00"), DAY, VIENNA) == at("2026-07-01T00:00+02:00")
    assert bucket(at("2026-07-02T00:00+02:00"), DAY, VIENNA) == at("2026-07-02T00:00+02:00")


def test_a_day_is_as_long_as_the_clocks_make_it() -> None:
    assert bucket(at("2026-03-29T23:59+02:00"), DAY, VIENNA) == at("2026-03-29T00:00+01:00")  # 23 hours
    assert bucket(at("2026-10-25T23:59+01:00"), DAY, VIENNA) == at("2026-10-25T00:00+02:00")  # 25 hours


def test_a_day_without_a_midnight_begins_when_the_clocks_have_jumped() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    assert bucket(at("2026-04-24T12:00+03:00"), DAY, cairo) == at("2026-04-24T01:00+03:00")


@settings(deadline=None, derandomize=True)
@given(moments, st.sampled_from(list(PERIODS.values())), st.sampled_from(ZONES))
def test_a_moment_lies_in_its_own_span(moment: int, period: int, zone: ZoneInfo) -> None:
    start = bucket(moment, period, zone)
    assert start <= moment < start + period + (HOUR if period == DAY else 0)
    assert bucket(start, period, zone) == start
    assert start % MINUTE == 0


@settings(deadline=None, derandomize=True)
@given(moments, st.sampled_from(ZONES))
def test_every_longer_span_begins_with_one_it_is_made_of(moment: int, zone: ZoneInfo) -> None:
    for period, stored in STORED_FROM.items():
        start = bucket(moment, period, zone)
        assert bucket(start, stored, zone) == start
        assert bucket(bucket(moment, stored, zone), period, zone) == start


trades = st.lists(
    st.tuples(st.integers(0, 3 * DAY), st.integers(1, 1000), st.integers(1, 50)), min_size=1, max_size=60
)


@settings(deadline=None, derandomize=True)
@given(trades, st.sampled_from([5 * MINUTE, HOUR, DAY]), st.sampled_from(ZONES))
def test_merged_candles_are_those_of_the_trades(
    trades: list[tuple[int, int, int]], period: int, zone: ZoneInfo
) -> None:
    begin = at("2026-10-24T00:00Z")
    ordered = sorted((begin + second, price, shares) for second, price, shares in trades)
    assert merge(_candles(ordered, STORED_FROM[period], zone), period, zone) == _candles(
        ordered, period, zone
    )


def _candles(trades: list[tuple[int, int, int]], period: int, zone: ZoneInfo) -> list[Candle]:
    spans: dict[int, list[tuple[int, int]]] = {}
    for moment, price, shares in trades:
        spans.setdefault(bucket(moment, period, zone), []).append((price, shares))
    return [fold(start, folded) for start, folded in spans.items()]


def test_only_two_periods_are_stored() -> None:
    assert set(STORED_FROM) == set(PERIODS.values())
    assert set(STORED_FROM.values()) == {MINUTE, QUARTER}
