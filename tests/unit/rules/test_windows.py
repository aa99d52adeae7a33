"""Trading windows: every change of state, the scheduler's way through them, and the windows that follow."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.windows import (
    TRANSITIONS,
    Recurrence,
    Times,
    WindowState,
    check_orders,
    check_transition,
    due,
    following,
    next_chance,
    next_due,
    takes_orders,
)
from hypothesis import given, settings
from hypothesis import strategies as st

S = WindowState
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


NOON = at("2026-07-05T12:00Z")  # a Sunday
CHAPTER = Times(NOON - HOUR, NOON, NOON + 3 * HOUR, NOON + 4 * HOUR, NOON + 5 * HOUR)
BY_HAND = Times()


# States

ALLOWED = {
    (S.CREATED, S.SCHEDULED),
    (S.SCHEDULED, S.OPEN),
    (S.OPEN, S.TRADING),
    (S.TRADING, S.PAUSED),
    (S.PAUSED, S.TRADING),
    (S.TRADING, S.TRADE_CLOSE),
    (S.TRADE_CLOSE, S.SETTLING),
    (S.SETTLING, S.SETTLED),
    (S.SETTLED, S.CLOSED),
} | {(state, S.CANCELLED) for state in S if state not in (S.CLOSED, S.CANCELLED)}


@pytest.mark.parametrize(("before", "after"), sorted(ALLOWED))
def test_a_window_goes_from_state_to_state(before: WindowState, after: WindowState) -> None:
    check_transition(before, after)


@pytest.mark.parametrize(("before", "after"), sorted(set(product(S, S)) - ALLOWED))
def test_there_is_no_other_way_to_change_state(before: WindowState, after: WindowState) -> None:
    with pytest.raises(Refused) as refused:
        check_transition(before, after)
    assert refused.value.reason == "NOT_POSSIBLE_NOW"
    possible = [state.name for state in S if (before, state) in ALLOWED]
    assert refused.value.metadata == {"state": before.name, "allowed": ", ".join(possible)}


def test_the_table_has_every_state() -> None:
    assert set(TRANSITIONS) == set(S)


# Times


@pytest.mark.parametrize(
    ("field", "times"),
    [
        ("trades_at", {"opens_at": NOON, "trades_at": NOON - HOUR}),
        ("trading_ends_at", {"trades_at": NOON, "trading_ends_at": NOON}),
        ("trading_ends_at", {"opens_at": NOON, "trading_ends_at": NOON - HOUR}),
        ("settles_at", {"trading_ends_at": NOON, "settles_at": NOON - HOUR}),
        ("closes_at", {"settles_at": NOON, "closes_at": NOON - HOUR}),
        ("closes_at", {"opens_at": NOON, "closes_at": NOON - HOUR}),
        ("opens_at", {"opens_at": NOON.replace(tzinfo=None)}),
        ("settles_at", {"settles_at": datetime.fromisoformat("2026-07-05T14:00+02:00")}),
    ],
)
def test_times_out_of_order_are_refused_by_name(field: str, times: dict[str, datetime]) -> None:
    with pytest.raises(Refused, match=f"^{field}: ") as refused:
        Times(**times)
    assert (refused.value.reason, refused.value.field) == ("INVALID_FIELD", field)


def test_any_time_may_be_left_to_a_hand() -> None:
    assert Times(opens_at=NOON, closes_at=NOON + HOUR).trades_at is None
    assert all(next_due(state, BY_HAND) is None for state in S)


def test_times_may_fall_together_but_for_the_trading() -> None:
    Times(opens_at=NOON, trades_at=NOON, trading_ends_at=NOON + HOUR, settles_at=NOON + HOUR)


# The scheduler's way


def caught_up(state: WindowState, times: Times, now: datetime) -> list[WindowState]:
    """What a scheduler does that is called at a moment."""
    path = [state]
    while (after := due(path[-1], times, now)) is not None:
        check_transition(path[-1], after)
        path.append(after)
    return path


@pytest.mark.parametrize(
    ("state", "hours", "path"),
    [
        (S.SCHEDULED, -1.1, [S.SCHEDULED]),
        (S.SCHEDULED, -1, [S.SCHEDULED, S.OPEN]),
        (S.OPEN, 0, [S.OPEN, S.TRADING]),
        (S.TRADING, 2.9, [S.TRADING]),
        (S.TRADING, 3, [S.TRADING, S.TRADE_CLOSE]),
        (S.PAUSED, 2.9, [S.PAUSED]),
        (S.TRADE_CLOSE, 4, [S.TRADE_CLOSE, S.SETTLING]),
        (S.SETTLED, 5, [S.SETTLED, S.CLOSED]),
    ],
)
def test_each_transition_has_its_time(state: WindowState, hours: float, path: list[WindowState]) -> None:
    assert caught_up(state, CHAPTER, NOON + hours * HOUR) == path


@pytest.mark.parametrize("state", [S.CREATED, S.SETTLING, S.CLOSED, S.CANCELLED])
def test_drafts_settlements_and_ends_do_not_wait_for_a_time(state: WindowState) -> None:
    assert due(state, CHAPTER, NOON + 1_000 * HOUR) is None


def test_a_scheduler_that_was_away_catches_up_one_by_one() -> None:
    late = NOON + 1_000 * HOUR
    path = [S.SCHEDULED, S.OPEN, S.TRADING, S.TRADE_CLOSE, S.SETTLING]
    assert caught_up(S.SCHEDULED, CHAPTER, late) == path
    assert caught_up(S.SETTLED, CHAPTER, late) == [S.SETTLED, S.CLOSED]


def test_a_window_that_is_paused_at_its_end_resumes_for_it_and_takes_no_order() -> None:
    end = NOON + 3 * HOUR
    assert caught_up(S.PAUSED, CHAPTER, end) == [S.PAUSED, S.TRADING, S.TRADE_CLOSE]
    assert not takes_orders(S.TRADING, CHAPTER, end)
    assert next_chance([(S.TRADING, CHAPTER)], end) is None


def test_what_is_by_hand_stops_the_scheduler() -> None:
    times = Times(opens_at=NOON, trading_ends_at=NOON + HOUR)
    assert caught_up(S.SCHEDULED, times, NOON + 9 * HOUR) == [S.SCHEDULED, S.OPEN]


# Orders


@pytest.mark.parametrize("state", list(S))
def test_orders_are_taken_while_trading_and_else_told_of_the_next_chance(state: WindowState) -> None:
    week = CHAPTER.shifted(timedelta(days=7))
    windows = [(state, CHAPTER), (S.SCHEDULED, week), (S.CREATED, CHAPTER.shifted(2 * HOUR))]
    now = NOON + HOUR
    if state is S.TRADING:
        check_orders("LUFFY", windows, now)
        return
    # What is late but due by its time may take orders any moment.
    chance = now if state in (S.SCHEDULED, S.OPEN) else week.trades_at
    assert chance is not None
    with pytest.raises(Refused) as refused:
        check_orders("LUFFY", windows, now)
    assert refused.value.reason == "WINDOW_NOT_TRADING"
    assert refused.value.metadata == {"next_open": chance.isoformat()}
    assert next_chance(windows, now) == chance


def test_a_chance_that_nobody_knows_is_none() -> None:
    assert next_chance([], NOON) is None
    assert next_chance([(S.SCHEDULED, BY_HAND), (S.PAUSED, CHAPTER)], NOON) is None
    assert next_chance([(S.SCHEDULED, Times(trades_at=NOON))], NOON + HOUR) is None  # opens by hand
    with pytest.raises(Refused, match="not known yet") as refused:
        check_orders("LUFFY", [(S.PAUSED, CHAPTER)], NOON)
    assert refused.value.metadata == {"next_open": ""}


def test_the_earliest_window_is_the_next_chance() -> None:
    windows = [(S.SCHEDULED, CHAPTER.shifted(day * timedelta(days=1))) for day in (3, 1, 2)]
    assert next_chance(windows, NOON) == NOON + timedelta(days=1)


# Windows that recur


def begins(times: Times, rule: str, zone: str, count: int) -> list[datetime]:
    """When the next windows of a series trade, each made after the one before."""
    found = []
    recurrence = Recurrence(rule, times.trades_at or NOON, zone)
    for _ in range(count):
        assert times.trades_at is not None
        times = following(times, recurrence, times.trades_at)
        assert times.trades_at is not None
        found.append(times.trades_at)
    return found


def trading_from(text: str, length: timedelta = HOUR) -> Times:
    return Times(trades_at=at(text), trading_ends_at=at(text) + length)


def test_the_next_window_has_the_same_times_a_week_later() -> None:
    next_one = following(CHAPTER, Recurrence("FREQ=WEEKLY;BYDAY=SU", NOON), NOON)
    assert next_one == CHAPTER.shifted(timedelta(days=7))


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        ("2026-03-22T12:00+01:00", ["2026-03-29T12:00+02:00", "2026-04-05T12:00+02:00"]),
        ("2026-10-18T12:00+02:00", ["2026-10-25T12:00+01:00", "2026-11-01T12:00+01:00"]),
        ("2026-03-22T02:30+01:00", ["2026-03-29T03:30+02:00", "2026-04-05T02:30+02:00"]),  # skipped
        ("2026-10-18T02:30+02:00", ["2026-10-25T02:30+02:00", "2026-11-01T02:30+01:00"]),  # of two, the first
    ],
)
def test_weekly_windows_follow_the_wall_clock(begin: str, expected: list[str]) -> None:
    found = begins(trading_from(begin), "FREQ=WEEKLY;BYDAY=SU", "Europe/Vienna", 2)
    assert found == [at(text) for text in expected]


def test_a_window_through_a_change_of_the_clocks_lasts_as_long_as_the_others() -> None:
    times = trading_from("2026-10-18T01:00+02:00", 6 * HOUR)
    autumn = following(
        times,
        Recurrence("FREQ=WEEKLY", at("2026-10-18T01:00+02:00"), "Europe/Vienna"),
        at("2026-10-18T01:00+02:00"),
    )
    assert autumn.trades_at == at("2026-10-25T01:00+02:00")
    assert autumn.trading_ends_at == at("2026-10-25T06:00+01:00")


@pytest.mark.parametrize("begin", ["2026-03-29T00:30Z", "2026-10-25T00:30Z"])
def test_windows_of_minutes_neither_skip_nor_double_at_a_change_of_the_clocks(begin: str) -> None:
    times = trading_from(begin, timedelta(minutes=4))
    found = [at(begin), *begins(times, "FREQ=MINUTELY;INTERVAL=7", "Europe/Vienna", 30)]
    assert {after - before for before, after in pairwise(found)} == {timedelta(minutes=7)}


@pytest.mark.parametrize(
    ("begin", "first"),
    [
        ("2026-03-28T10:45+01:00", "2026-03-29T09:00+02:00"),
        ("2026-10-24T10:45+02:00", "2026-10-25T09:00+01:00"),
        ("2026-07-04T10:45+02:00", "2026-07-05T09:00+02:00"),
    ],
)
def test_windows_of_minutes_keep_their_hours_over_a_change_of_the_clocks(begin: str, first: str) -> None:
    times = trading_from(begin, timedelta(minutes=4))
    assert begins(times, "FREQ=MINUTELY;INTERVAL=15;BYHOUR=9,10", "Europe/Vienna", 1) == [at(first)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=SECONDLY;INTERVAL=30", ["2026-07-05T12:00:30Z", "2026-07-05T12:01:00Z"]),
        ("FREQ=HOURLY;BYMINUTE=0,30", ["2026-07-05T12:30Z", "2026-07-05T13:00Z"]),
        ("FREQ=DAILY;BYHOUR=9,15;BYMINUTE=30", ["2026-07-05T15:30Z", "2026-07-06T09:30Z"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,WE", ["2026-07-15T12:00Z", "2026-07-19T12:00Z"]),
        ("FREQ=MONTHLY;BYDAY=1SU,3SU", ["2026-07-19T12:00Z", "2026-08-02T12:00Z"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", ["2026-07-31T12:00Z", "2026-08-28T12:00Z"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-07-31T12:00Z", "2026-08-31T12:00Z"]),
    ],
)
def test_rules_are_read_as_rfc_5545_means_them(rule: str, expected: list[str]) -> None:
    found = begins(Times(trades_at=NOON), rule, "UTC", 2)
    assert found == [at(text) for text in expected]


def test_windows_of_a_series_do_not_overlap() -> None:
    times = Times(trades_at=NOON, trading_ends_at=NOON + HOUR, settles_at=NOON + 2 * HOUR)
    assert begins(times, "FREQ=HOURLY", "UTC", 2) == [NOON + 2 * HOUR, NOON + 4 * HOUR]


def test_a_window_that_was_moved_does_not_move_those_that_follow() -> None:
    moved = CHAPTER.shifted(26 * HOUR)
    weekly = Recurrence("FREQ=WEEKLY", NOON)
    assert following(moved, weekly, NOON) == CHAPTER.shifted(timedelta(days=7))


def test_a_series_begins_at_a_time_in_utc() -> None:
    with pytest.raises(Refused, match=r"^begins_at: "):
        Recurrence("FREQ=DAILY", NOON.replace(tzinfo=None))


def test_windows_that_were_missed_can_be_passed_over() -> None:
    a_year_later = NOON + timedelta(days=365, minutes=1)
    for rule in ("FREQ=SECONDLY;INTERVAL=10", "FREQ=WEEKLY;BYDAY=SU"):
        begin = following(Times(trades_at=NOON), Recurrence(rule, NOON), a_year_later).trades_at
        assert begin is not None
        assert a_year_later < begin <= a_year_later + timedelta(days=7)


def test_a_window_that_begins_by_hand_is_not_followed() -> None:
    with pytest.raises(Refused, match=r"^trades_at: "):
        following(BY_HAND, Recurrence("FREQ=DAILY", NOON), NOON)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "DAILY",
        "FREQ=FORTNIGHTLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY",
        "FREQ=SECONDLY;INTERVAL=9",
        "FREQ=MINUTELY;INTERVAL=0",
        "FREQ=MINUTELY;INTERVAL=1440",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=1;INTERVAL=1",
        "FREQ=DAILY;COUNT=3",
        "FREQ=DAILY;UNTIL=20300101T000000Z",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=HOURLY;INTERVAL=7;BYHOUR=13;BYDAY=SU",
        "FREQ=MINUTELY;INTERVAL=7;BYHOUR=13",
        "FREQ=DAILY;BYHOUR=٣",
        "FREQ=DAILY;BYMINUTE=60",
        "FREQ=WEEKLY;BYDAY=1SU",
        "FREQ=WEEKLY;BYDAY=",
        "FREQ=MONTHLY;BYDAY=5SU",
        "FREQ=MONTHLY;BYDAY=MO,1SU",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=8;BYDAY=1SU",
        "FREQ=DAILY;",
        "DTSTART:20260101T000000\nRRULE:FREQ=DAILY",
        "FREQ=DAILY;BYHOUR=" + ",".join(["1"] * 200),
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule: str) -> None:
    with pytest.raises(Refused, match=r"^recurrence: ") as refused:
        Recurrence(rule, NOON)
    assert (refused.value.reason, refused.value.field) == ("INVALID_FIELD", "recurrence")


@pytest.mark.parametrize(
    ("begin", "rule"),
    [
        ("2026-02-01T12:00Z", "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31"),
        ("9999-12-31T12:00Z", "FREQ=DAILY"),
    ],
)
def test_a_rule_that_never_comes_from_where_it_begins_is_refused(begin: str, rule: str) -> None:
    with pytest.raises(Refused, match=r"^recurrence: .* never comes again"):
        following(Times(trades_at=at(begin)), Recurrence(rule, at(begin)), at(begin))


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "Europe", "../../etc/passwd", "x" * 1000])
def test_a_zone_that_there_is_not_is_refused(zone: str) -> None:
    with pytest.raises(Refused, match=r"^time_zone: "):
        Recurrence("FREQ=DAILY", NOON, zone)


rules = st.builds(
    "FREQ={};INTERVAL={}".format,
    st.sampled_from(["MINUTELY", "HOURLY", "DAILY", "WEEKLY"]),
    st.integers(1, 20),
)
zones = st.sampled_from(["UTC", "Europe/Vienna", "Australia/Lord_Howe", "America/New_York", "Asia/Kolkata"])
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC, microsecond=0)
)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(rules, zones, moments, st.integers(0, 10**6))
def test_the_next_window_is_after_the_last_and_the_same_whoever_asks_when(
    rule: str, zone: str, begin: datetime, seconds: int
) -> None:
    recurrence = Recurrence(rule, begin, zone)
    after = begin + timedelta(seconds=seconds)
    found = recurrence.next_after(after)
    assert found > after
    assert recurrence.next_after(after + (found - after) / 2) == found
    assert recurrence.next_after(found - timedelta(microseconds=1)) == found
