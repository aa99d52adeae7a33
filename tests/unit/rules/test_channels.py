"""Which addresses channels take, and how long they wait."""

from ipaddress import ip_address

import pytest
from bearpit_server.rules.channels import (
    LONGEST_PAUSE_SECONDS,
    check_chat,
    check_url,
    is_public,
    pause_seconds,
)
from bearpit_server.rules.refusals import Refused
from hypothesis import given
from hypothesis import strategies as st

PRIVATE = (
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::3",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1.1.1.1", "fec0::1", "::7f00:1",
)  # fmt: skip
PUBLIC = ("1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101")


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_of_somebodys_own_network_is_public(address: str) -> None:
    assert not is_public([ip_address(address)])
    assert not is_public([ip_address("1.1.1.1"), ip_address(address)]), "one of many is enough"


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public([ip_address(address)])


def test_no_address_at_all_is_not_public() -> None:
    assert not is_public([])


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "INVALID_FIELD"),
        ("http://example.org/hook", "INVALID_FIELD"),
        ("ftp://example.org", "INVALID_FIELD"),
        ("https://", "INVALID_FIELD"),
        ("https://user@example.org/", "INVALID_FIELD"),
        ("https://:secret@example.org/", "INVALID_FIELD"),
        ("https://example.org/#part", "INVALID_FIELD"),
        ("https://example.org/a b", "INVALID_FIELD"),
        ("https://exämple.org/", "INVALID_FIELD"),
        ("https://example.org:99999/", "INVALID_FIELD"),
        ("https://[::1/", "INVALID_FIELD"),
        ("https://example.org/" + "x" * 500, "INVALID_FIELD"),
        ("https://example.org/\r\nHost: other", "INVALID_FIELD"),
        ("https://localhost/hook", "ADDRESS_NOT_ALLOWED"),
        ("https://db/hook", "ADDRESS_NOT_ALLOWED"),
        ("https://db.internal/hook", "ADDRESS_NOT_ALLOWED"),
        ("https://LOCALHOST./hook", "ADDRESS_NOT_ALLOWED"),
        ("https://127.0.0.1/hook", "ADDRESS_NOT_ALLOWED"),
        ("https://[::1]/hook", "ADDRESS_NOT_ALLOWED"),
        ("https://169.254.169.254/latest/meta-data", "ADDRESS_NOT_ALLOWED"),
    ],
)
def test_a_url_that_leads_nowhere_good_is_refused(url: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(url, private_allowed=False)
    assert refused.value.reason == reason


def test_a_camps_own_network_may_be_allowed() -> None:
    for url in ("http://127.0.0.1:8080/hook", "https://db.internal/", "http://kiosk/"):
        assert check_url(url, private_allowed=True) == url
    assert check_url("https://example.org:8443/hook?key=1", private_allowed=False)


def test_only_private_chats_can_be_confirmed() -> None:
    assert check_chat("00123456") == "123456"
    for chat in ("", "0", "-100123", "@channel", "12a", "٣", "9" * 30, str(2**52)):
        with pytest.raises(Refused):
            check_chat(chat)


@given(st.integers(1, 60), st.integers(1, 3_600), st.integers(0, 999), st.integers(0, 999))
def test_each_pause_is_longer_than_the_one_before_until_the_longest(
    attempts: int, base: int, jitter: int, other: int
) -> None:
    first, next_ = pause_seconds(attempts, base, jitter), pause_seconds(attempts + 1, base, other)
    assert 1 <= first <= LONGEST_PAUSE_SECONDS * 5 // 4
    assert next_ >= first or next_ >= LONGEST_PAUSE_SECONDS * 3 // 4
