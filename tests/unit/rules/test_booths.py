"""What a visit is worth, and how fast a booth counts."""

from datetime import UTC, datetime, timedelta

import pytest
from bearpit_server.rules import booths
from bearpit_server.rules.refusals import Refused
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_no_reward_of_its_own_is_the_games() -> None:
    assert booths.check_reward(0) is None
    assert booths.check_reward(10**15) == 10**15
    for cents in (-1, 10**15 + 1, 2**63 - 1):
        with pytest.raises(Refused):
            booths.check_reward(cents)


@given(st.lists(st.integers(0, 60_000), max_size=12), st.integers(0, 6))
def test_one_more_is_counted_exactly_when_fewer_were_in_the_last_minute(ago: list[int], most: int) -> None:
    latest = sorted((NOW - timedelta(milliseconds=each) for each in ago), reverse=True)
    within = sum(each < 60_000 for each in ago)
    if not most or within < most:
        booths.check_pace(latest[:most], most, NOW)
        return
    with pytest.raises(Refused) as refused:
        booths.check_pace(latest[:most], most, NOW)
    wait = timedelta(milliseconds=int(refused.value.metadata["retry_after_ms"]))
    assert timedelta() < wait <= booths.MINUTE
    booths.check_pace(latest[:most], most, NOW + wait)
    with pytest.raises(Refused):
        booths.check_pace(latest[:most], most, NOW + wait - timedelta(milliseconds=1))
