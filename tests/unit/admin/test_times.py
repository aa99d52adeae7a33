"""Spans and moments, as people write them."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import typer
from bearpit_admin.times import parse_moment, parse_span, parse_zone, timestamp

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is in Tokyo."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
    assert os.environ.get("TZ") != "Asia/Tokyo"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("45m", 2_700), ("2h", 7_200), ("1d", 86_400), ("1h30m", 5_400), ("0s", 0)],
)
def test_a_span_is_read_in_seconds(text: str, seconds: int) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "+5m", "5 m", "1.5h", "5w", "soon", "٣m", "5m\n"])
def test_what_is_no_span_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="45m"):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("+5m", datetime(2026, 11, 21, 12, 5, tzinfo=UTC)),
        ("+1h30m", datetime(2026, 11, 21, 13, 30, tzinfo=UTC)),
        ("-2h", datetime(2026, 11, 21, 10, 0, tzinfo=UTC)),
        ("2026-11-21T18:00Z", datetime(2026, 11, 21, 18, 0, tzinfo=UTC)),
        ("2026-11-21T18:00+02:00", datetime(2026, 11, 21, 16, 0, tzinfo=UTC)),
        ("2026-11-21 18:00:30.250Z", datetime(2026, 11, 21, 18, 0, 30, 250_000, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_from_now_or_from_a_calendar(text: str, moment: datetime) -> None:
    assert parse_moment(text, now=NOW) == moment


@pytest.mark.usefixtures("in_tokyo")
def test_a_moment_without_an_offset_is_meant_where_the_operator_is() -> None:
    assert parse_moment("2026-11-21T18:00") == datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.usefixtures("in_tokyo")
def test_a_moment_without_an_offset_is_meant_in_the_zone_that_is_named() -> None:
    assert parse_moment("2026-07-01T18:00", "Europe/Vienna") == datetime(2026, 7, 1, 16, 0, tzinfo=UTC)
    assert parse_moment("2026-07-01T18:00Z", "Europe/Vienna") == datetime(2026, 7, 1, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "5m", "+", "+5", "18:00", "2026-13-01", "-2h1"])
def test_what_is_no_moment_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"\+5m"):
        parse_moment(text, now=NOW)


@pytest.mark.parametrize("name", ["Vienna", "Europe", "../etc/passwd", "/etc/localtime", "a\0b"])
def test_what_is_no_zone_is_a_usage_error(name: str) -> None:
    with pytest.raises(typer.BadParameter, match="Europe/Vienna"):
        parse_zone(name)


def test_a_moment_is_sent_to_the_microsecond() -> None:
    at = datetime(2026, 11, 21, 12, 0, 0, 123_456, tzinfo=UTC)
    assert timestamp(at).ToDatetime(UTC) == at
