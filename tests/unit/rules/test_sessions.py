"""The market's calendar, through the week and through the changes of the clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from bearpit_server.rules.sessions import (
    InvalidSchedule,
    Override,
    Phase,
    Schedule,
    next_change,
    next_open,
    phase_at,
    session_end,
)
from hypothesis import given, settings
from hypothesis import strategies as st

WEEKDAYS = (1, 2, 3, 4, 5)
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
VIENNA = Schedule(WEEKDAYS, "09:00", "17:30", pre_open_minutes=15, time_zone="Europe/Vienna")
NIGHT = Schedule((5,), "22:00", "02:00", time_zone="Europe/Vienna")
# 2026-07-01 is a Wednesday; Vienna is two hours ahead of UTC in summer and one in winter. Its clocks
# go from 02:00 to 03:00 on Sunday 2026-03-29, and from 03:00 back to 02:00 on Sunday 2026-10-25.


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def phase(text: str, schedule: Schedule | None = VIENNA, override: Override = Override.NONE) -> Phase:
    return phase_at(at(text), override, schedule)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("08:44", Phase.CLOSED),
        ("08:45", Phase.PRE_OPEN),
        ("08:59", Phase.PRE_OPEN),
        ("09:00", Phase.OPEN),
        ("17:29", Phase.OPEN),
        ("17:30", Phase.CLOSED),
    ],
)
def test_a_day_goes_from_closed_to_pre_open_to_open_to_closed(time: str, expected: Phase) -> None:
    assert phase(f"2026-07-01T{time}+02:00") is expected


def test_there_is_no_session_on_other_days() -> None:
    assert phase("2026-07-04T12:00+02:00") is Phase.CLOSED


def test_without_a_schedule_the_market_is_closed() -> None:
    now = at("2026-07-01T12:00Z")
    assert phase("2026-07-01T12:00Z", None) is Phase.CLOSED
    assert next_change(now, None) is next_open(now, None) is session_end(now, None) is None


@pytest.mark.parametrize(
    ("override", "expected"),
    [(Override.OPEN, Phase.OPEN), (Override.CLOSED, Phase.CLOSED), (Override.PRE_OPEN, Phase.PRE_OPEN)],
)
@pytest.mark.parametrize("schedule", [VIENNA, None])
def test_the_operators_word_beats_the_schedule(
    override: Override, expected: Phase, schedule: Schedule | None
) -> None:
    for time in ("06:00", "08:50", "12:00"):
        assert phase(f"2026-07-01T{time}+02:00", schedule, override) is expected


def test_a_halt_stops_an_open_market_and_no_other() -> None:
    open_, early, night = (at(f"2026-07-01T{time}+02:00") for time in ("12:00", "08:50", "23:00"))
    assert phase_at(open_, Override.NONE, VIENNA, halted=True) is Phase.HALTED
    assert phase_at(early, Override.NONE, VIENNA, halted=True) is Phase.PRE_OPEN
    assert phase_at(night, Override.NONE, VIENNA, halted=True) is Phase.CLOSED
    assert phase_at(night, Override.OPEN, VIENNA, halted=True) is Phase.HALTED


def test_changes_are_foretold_through_the_week() -> None:
    now = at("2026-07-03T08:00+02:00")  # a Friday
    changes = []
    for _ in range(4):
        change = next_change(now, VIENNA)
        assert change is not None
        changes.append(change)
        now = change
    assert changes == [
        at("2026-07-03T08:45+02:00"),
        at("2026-07-03T09:00+02:00"),
        at("2026-07-03T17:30+02:00"),
        at("2026-07-06T08:45+02:00"),
    ]


def test_a_session_ends_at_its_close_and_the_next_at_the_next() -> None:
    assert session_end(at("2026-07-01T12:00+02:00"), VIENNA) == at("2026-07-01T17:30+02:00")
    assert session_end(at("2026-07-01T17:30+02:00"), VIENNA) == at("2026-07-02T17:30+02:00")
    assert session_end(at("2026-07-03T20:00+02:00"), VIENNA) == at("2026-07-06T17:30+02:00")


def test_the_next_opening_is_after_now() -> None:
    assert next_open(at("2026-07-01T08:50+02:00"), VIENNA) == at("2026-07-01T09:00+02:00")
    assert next_open(at("2026-07-01T09:00+02:00"), VIENNA) == at("2026-07-02T09:00+02:00")


def test_a_session_may_last_past_midnight() -> None:
    assert phase("2026-07-03T23:00+02:00", NIGHT) is Phase.OPEN
    assert phase("2026-07-04T01:59+02:00", NIGHT) is Phase.OPEN
    assert phase("2026-07-04T02:00+02:00", NIGHT) is Phase.CLOSED
    assert phase("2026-07-04T23:00+02:00", NIGHT) is Phase.CLOSED
    assert session_end(at("2026-07-04T00:30+02:00"), NIGHT) == at("2026-07-04T02:00+02:00")


def test_a_pre_opening_may_begin_the_day_before() -> None:
    early = Schedule((1,), "00:10", "12:00", pre_open_minutes=30)
    assert phase("2026-07-05T23:45Z", early) is Phase.PRE_OPEN


def test_a_market_around_the_clock_changes_only_at_the_weekend() -> None:
    around = Schedule(WEEKDAYS, "00:00", "00:00", pre_open_minutes=60)
    assert phase("2026-06-30T23:30Z", around) is Phase.OPEN  # not the pre-opening of the next session
    assert next_change(at("2026-07-01T12:00Z"), around) == at("2026-07-04T00:00Z")
    assert session_end(at("2026-07-01T12:00Z"), around) == at("2026-07-02T00:00Z")
    always = Schedule(EVERY_DAY, "00:00", "00:00")
    assert next_change(at("2026-07-01T12:00Z"), always) is None


# The clocks change


def test_opening_hours_follow_the_wall_clock() -> None:
    friday, monday = at("2026-03-27T12:00+01:00"), at("2026-03-30T12:00+02:00")
    assert next_open(friday, VIENNA) == at("2026-03-30T09:00+02:00")
    assert session_end(friday, VIENNA) == at("2026-03-27T17:30+01:00")
    assert session_end(monday, VIENNA) == at("2026-03-30T17:30+02:00")


def test_a_session_through_the_night_of_spring_is_an_hour_shorter() -> None:
    schedule = Schedule((6,), "22:00", "06:00", time_zone="Europe/Vienna")
    opens = next_open(at("2026-03-28T12:00+01:00"), schedule)
    assert opens == at("2026-03-28T22:00+01:00")
    closes = session_end(opens, schedule)
    assert closes == at("2026-03-29T06:00+02:00")
    assert closes - opens == timedelta(hours=7)


def test_a_time_that_is_skipped_is_the_moment_of_the_jump() -> None:
    schedule = Schedule((7,), "02:30", "03:15", time_zone="Europe/Vienna")
    now = at("2026-03-29T00:00+01:00")
    assert next_open(now, schedule) == at("2026-03-29T03:00+02:00")
    assert session_end(now, schedule) == at("2026-03-29T03:15+02:00")


def test_a_session_that_is_skipped_whole_does_not_take_place() -> None:
    schedule = Schedule((7,), "02:10", "02:50", time_zone="Europe/Vienna")
    assert next_open(at("2026-03-28T12:00+01:00"), schedule) == at("2026-04-05T02:10+02:00")


def test_of_two_equal_times_the_first_counts() -> None:
    schedule = Schedule((7,), "02:15", "04:00", time_zone="Europe/Vienna")
    now = at("2026-10-25T00:00+02:00")
    assert next_open(now, schedule) == at("2026-10-25T02:15+02:00")
    assert session_end(now, schedule) == at("2026-10-25T04:00+01:00")
    assert phase("2026-10-25T02:15+01:00", schedule) is Phase.OPEN


# What a schedule may say


@pytest.mark.parametrize(
    ("field", "schedule"),
    [
        ("days", {"days": ()}),
        ("days", {"days": (0, 1)}),
        ("days", {"days": (1, 8)}),
        ("days", {"days": (1, 1)}),
        ("opens", {"opens": "9:00"}),
        ("opens", {"opens": "24:00"}),
        ("opens", {"opens": ""}),
        ("closes", {"closes": "17:60"}),
        ("closes", {"closes": "17:30:00"}),
        ("closes", {"closes": "17:30\n"}),
        ("pre_open_minutes", {"pre_open_minutes": -1}),
        ("pre_open_minutes", {"pre_open_minutes": 721}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
        ("time_zone", {"time_zone": ""}),
        ("time_zone", {"time_zone": "Europe"}),
        ("time_zone", {"time_zone": "../../etc/passwd"}),
        ("time_zone", {"time_zone": "x" * 1000}),
    ],
)
def test_a_wrong_schedule_names_the_field(field: str, schedule: dict[str, object]) -> None:
    right: dict[str, object] = {"days": (1,), "opens": "09:00", "closes": "17:30"}
    with pytest.raises(ValueError, match=f"^{field}: ") as raised:
        Schedule(**{**right, **schedule})  # type: ignore[arg-type]
    assert isinstance(raised.value, InvalidSchedule)
    assert raised.value.field == field


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
schedules = st.builds(
    Schedule,
    days=st.sets(st.integers(1, 7), min_size=1).map(tuple),
    opens=clocks,
    closes=clocks,
    pre_open_minutes=st.integers(0, 720),
    time_zone=st.sampled_from(
        ["UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata"]
    ),
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(schedules, moments)
def test_the_phase_holds_until_the_next_change(schedule: Schedule, now: datetime) -> None:
    def at_moment(moment: datetime) -> Phase:
        return phase_at(moment, Override.NONE, schedule)

    change = next_change(now, schedule)
    if change is None:
        assert at_moment(now) is Phase.OPEN
        return
    assert now < change
    assert at_moment(change) is not at_moment(now)
    for part in range(1, 8):
        assert at_moment(now + (change - now) * part / 8) is at_moment(now)
    assert at_moment(change - timedelta(seconds=1)) is at_moment(now) or change - now < timedelta(seconds=1)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(schedules, moments)
def test_sessions_open_and_end_as_foretold(schedule: Schedule, now: datetime) -> None:
    opens, ends = next_open(now, schedule), session_end(now, schedule)
    assert opens is not None
    assert ends is not None
    assert now < opens
    assert now < ends
    assert phase_at(opens, Override.NONE, schedule) is Phase.OPEN
    assert phase_at(ends - timedelta(seconds=1), Override.NONE, schedule) is Phase.OPEN
    if phase_at(now, Override.NONE, schedule) is not Phase.OPEN:
        assert opens < ends
