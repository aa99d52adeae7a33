"""Token buckets: over no span of time does anybody get more than the limit allows."""

import pytest
from bearpit_server.identity.rates import Buckets, Rates, address_of
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.settings import Settings
from hypothesis import given
from hypothesis import strategies as st


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 8)), max_size=60)


@given(STEPS, st.integers(1, 20), st.sampled_from([1.0, 60.0]))
def test_no_span_of_time_brings_more_than_the_capacity_and_the_refill(
    steps: list[tuple[float, int]], amount: int, period: float
) -> None:
    clock = Clock()
    buckets = Buckets(period, clock)
    granted: list[tuple[float, int]] = []
    for pause, cost in steps:
        clock.now += pause
        cost = min(cost, amount)
        if not buckets.take("ada", amount, cost):
            granted.append((clock.now, cost))
    for i, (begin, _) in enumerate(granted):
        total = 0
        for at, cost in granted[i:]:
            total += cost
            assert total <= amount + (at - begin) * amount / period + 1e-6


@given(STEPS, st.integers(1, 20))
def test_who_waits_as_long_as_told_is_let_in(steps: list[tuple[float, int]], amount: int) -> None:
    clock = Clock()
    buckets = Buckets(1.0, clock)
    for pause, cost in steps:
        clock.now += pause
        wait = buckets.take("ada", amount, cost)
        if wait:
            clock.now += wait + 1e-6
            assert buckets.take("ada", amount, cost) == 0


def test_a_batch_above_the_capacity_is_granted_by_a_full_bucket_and_paid_back() -> None:
    clock = Clock()
    buckets = Buckets(1.0, clock)
    assert buckets.take("ada", 200, 1_000) == 0
    assert buckets.take("ada", 200, 1) == pytest.approx(4.005)


def test_zero_turns_a_limit_off() -> None:
    buckets = Buckets(1.0, Clock())
    assert all(buckets.take("ada", 0, 1_000) == 0 for _ in range(100))
    assert len(buckets) == 0


def test_a_refused_try_costs_nothing() -> None:
    clock = Clock()
    buckets = Buckets(1.0, clock)
    buckets.take("ada", 1)
    waits = [buckets.take("ada", 1) for _ in range(10)]
    assert waits == [waits[0]] * 10


def test_buckets_of_many_names_take_bounded_room_and_busy_ones_stay() -> None:
    clock = Clock()
    buckets = Buckets(60.0, clock, limit=100)
    for i in range(1_000):
        buckets.take(f"name{i}", 1)
        assert buckets.take("ada", 1) > 0 or i == 0
        assert len(buckets) <= 101


def test_a_full_bucket_is_forgotten_first() -> None:
    clock = Clock()
    buckets = Buckets(1.0, clock, limit=10)
    for i in range(10):
        buckets.take(i, 1)
    clock.now += 1.5
    buckets.take("ada", 1)
    assert len(buckets) == 1


def test_a_name_may_be_tried_twice_as_often_as_one_address_may_try() -> None:
    settings = Settings()
    rates = Rates(settings, Clock())
    allowed = settings.number("rate_sign_in_per_minute")
    for _ in range(allowed):
        rates.sign_in_from("10.0.0.1")
        rates.sign_in_as("Ada")
    with pytest.raises(Refused) as caught:
        rates.sign_in_from("10.0.0.1")
    assert caught.value.reason == "RATE_LIMITED"
    assert int(caught.value.metadata["retry_after_ms"]) == 60_000 // allowed
    for _ in range(allowed):
        rates.sign_in_as("ADA")
    with pytest.raises(Refused):
        rates.sign_in_as("ada")
    assert rates.refused == 2


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.1.2.3:5555", "10.1.2.3"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:5555", "2001:db8:1:2::"),
        ("ipv6:[2001:db8:1:2:ffff::1]:5555", "2001:db8:1:2::"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5555", "fe80::"),
        ("ipv6:[::ffff:10.1.2.3]:5555", "10.1.2.3"),
        ("unix:/tmp/socket", "unix"),
        ("unix:", "unix"),
        ("", ""),
    ],
)
def test_an_address_is_the_peer_without_its_port_and_of_ipv6_the_network(peer: str, address: str) -> None:
    assert address_of(peer) == address
