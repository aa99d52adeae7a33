"""Recordings: what is read from a CSV file, and what is refused with its line and column."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from bearpit_server.rules import recordings
from bearpit_server.rules.mechanisms.base import Bar
from bearpit_server.rules.recordings import parse
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.units import MAX_PRICE_CENTS
from hypothesis import given, settings
from hypothesis import strategies as st


def day(number: int) -> datetime:
    return datetime(2026, 7, number, tzinfo=UTC)


def only(text: str) -> list[Bar]:
    (bars,) = parse(text).values()
    return bars


def test_a_symbol_column_makes_a_series_of_each() -> None:
    made = parse(
        "symbol,week,open,high,low,close,volume\n"
        "AAPL,2000-02-28,3.81,4.24,3.81,4.11,475665138\n"
        "IBM,2000-02-28,74.95,80.83,73.12,79.36,43769386\n"
        "AAPL,2000-03-06,4.05,4.15,3.80,4.04,355749740\n"
    )
    assert list(made) == ["AAPL", "IBM"]
    assert made["AAPL"] == [
        Bar(datetime(2000, 2, 28, tzinfo=UTC), 381, 424, 381, 411, 475665138),
        Bar(datetime(2000, 3, 6, tzinfo=UTC), 405, 415, 380, 404, 355749740),
    ]
    assert [bar.close_cents for bar in made["IBM"]] == [7936]


def test_date_and_close_are_enough() -> None:
    assert parse("Date,Close\n2026-07-01,12.5\n") == {"": [Bar(day(1), 1250, 1250, 1250, 1250, 0)]}


def test_columns_come_in_any_case_and_order_and_others_are_not_looked_at() -> None:
    text = "\ufeffAdj Close, VOLUME ,Low,CLOSE,Open,High,Date\r\n?,7.9,1,2,1.5,3,2026-07-01\r\n"
    assert only(text) == [Bar(day(1), 150, 300, 100, 200, 7)]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_and_tabs_part_columns_too(delimiter: str) -> None:
    assert only("date,close\n2026-07-01,2".replace(",", delimiter))[0].close_cents == 200


def test_a_high_and_low_that_are_not_given_are_open_and_close() -> None:
    assert only("date,open,close\n2026-07-01,3,2") == [Bar(day(1), 300, 300, 200, 200, 0)]


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-07-01", day(1)),
        ("20260701", day(1)),
        ("2026-07-01T09:30:00", day(1) + timedelta(hours=9.5)),
        ("2026-07-01 09:30", day(1) + timedelta(hours=9.5)),
        ("2026-07-01T09:30:00Z", day(1) + timedelta(hours=9.5)),
        ("2026-07-01T09:30:00+02:00", day(1) + timedelta(hours=7.5)),
        ("1782864000", day(1)),
        ("1782864000.5", day(1) + timedelta(seconds=0.5)),
        ("1782864000000", day(1)),
        ("1782864000000000", day(1)),
        ("946684800", datetime(2000, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_written_in_many_ways(written: str, at: datetime) -> None:
    assert only(f"timestamp,close\n{written},1")[0].at == at


def test_date_and_time_may_be_two_columns() -> None:
    assert only("date,time,close\n2026-07-01,09:30,1")[0].at == day(1) + timedelta(hours=9.5)


def test_bars_are_put_in_order() -> None:
    made = only("date,close\n2026-07-03,3\n2026-07-01,1\n\n2026-07-02,2\n")
    assert [bar.close_cents for bar in made] == [100, 200, 300]


@pytest.mark.parametrize(
    ("points", "cents"),
    [
        ("0.015", 2),
        ("0.025", 2),
        ("0.0250001", 3),
        ("1e2", 100_00),
        ("10000000", MAX_PRICE_CENTS),
        ("7.", 700),
    ],
)
def test_prices_are_rounded_to_whole_cents_half_to_even(points: str, cents: int) -> None:
    assert only(f"date,close\n2026-07-01,{points}")[0].close_cents == cents


def test_a_scale_keeps_what_cents_would_lose() -> None:
    (bars,) = parse("date,close\n2026-07-01,0.00123", 1_000_000_0).values()
    assert bars[0].close_cents == 123


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: column close: there is none"),
        ("date,open\n", "line 1: column close: there is none"),
        ("open,close\n1,1", "line 1: column date: there is none"),
        ("date,close,Close\n", "line 1: column close: there is another"),
        ("date,close\n", "there are no bars"),
        ("date,close\n2026-07-01,1\n2026-07-02,x", "line 3: column close: 'x' is not a number"),
        ("date,close\n2026-07-01,", "line 2: column close: '' is not a number"),
        ("date,close\n2026-07-01,nan", "line 2: column close: 'nan'"),
        ("date,close\n2026-07-01,1_000", "line 2: column close: '1_000'"),
        ("date,close\n2026-07-01,-1", "line 2: column close: '-1'"),
        ("date,close\n2026-07-01,१", "line 2: column close"),
        ("date,close\n2026-07-01,0.001", "line 2: column close: 0.001 points are not"),
        ("date,close\n2026-07-01,1e99", "line 2: column close: give at most"),
        ("date,close\n2026-07-01,10000001", "line 2: column close: 10000001 points are not"),
        ("date,close\n2026-07-01,1,234", "line 2: has 3 columns in place of 2"),
        ("date,close\n2026-13-01,1", "line 2: column date: '2026-13-01' is not"),
        ("timestamp,close\n99999999999999999,1", "line 2: column timestamp"),
        ("date,close\n0001-01-01T00:00+14:00,1", "line 2: column date"),
        ("date,close\n2026-07-01,1\n2026-07-01T00:00Z,2", "line 3: there is a bar at 2026-07-01"),
        ("date,open,high,low,close\n2026-07-01,5,4,1,2", "line 2: column high: is below"),
        ("date,open,high,low,close\n2026-07-01,3,4,2.5,2", "line 2: column low: is above"),
        ("date,close,volume\n2026-07-01,1,-3", "line 2: column volume"),
        ("date,close,volume\n2026-07-01,1,1e16", "line 2: column volume: give at most"),
        ("ticker,date,close\n,2026-07-01,1", "line 2: column ticker: give 1 to 40"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(text)
    assert refused.value.reason == "INVALID_FIELD"
    assert refused.value.field == "csv"
    assert told in refused.value.message


def test_the_same_day_of_two_symbols_is_no_duplicate() -> None:
    assert len(parse("name,date,close\nA,2026-07-01,1\nB,2026-07-01,1")) == 2


def test_a_file_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MAX_ROWS", 2)
    text = "date,close\n2026-07-01,1\n2026-07-02,1\n"
    assert len(only(text)) == 2
    with pytest.raises(Refused, match="line 4: give at most 2 bars"):
        parse(text + "2026-07-03,1\n")


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=60), st.sampled_from(["", "date,close\n", "date,open,high,low,close,volume\n"]))
def test_any_text_is_read_or_refused(text: str, header: str) -> None:
    with suppress(Refused):
        made = parse(header + text)
        assert all(bar.low_cents <= bar.close_cents <= bar.high_cents for bar in made[""])
