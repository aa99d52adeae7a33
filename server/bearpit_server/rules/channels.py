"""Channels: what kinds there are, which addresses they take, when a delivery is tried again."""

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from bearpit_server.rules.refusals import Refused, invalid

MAX_URL = 500
CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 8
CODE_MINUTES = 10
CODE_TRIES = 5
GROWTH = 4
"""How many times longer each pause is than the one before."""
LONGEST_PAUSE_SECONDS = 6 * 60 * 60
JITTER_PARTS = 1_000
"""Jitter is given in parts of this: 0 to 999."""
_MAX_CHAT = 2**52
"""Telegram's own bound on ids."""


class Kind(IntEnum):
    """By what a channel delivers; the numbers are the contract's."""

    WEBHOOK = 1
    TELEGRAM = 2


class State(IntEnum):
    """Whether a channel delivers; the numbers are the contract's."""

    PENDING = 1
    CONFIRMED = 2
    BROKEN = 3


class DeliveryState(IntEnum):
    """What became of a delivery."""

    WAITING = 1
    DELIVERED = 2
    DEAD = 3


def check_url(url: str, private_allowed: bool) -> str:
    """A webhook's URL, if it may be one. Raises Refused INVALID_FIELD or ADDRESS_NOT_ALLOWED.

    What its host's name stands for is looked at with each delivery: names can change their addresses.
    """
    if not 1 <= len(url) <= MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise invalid("address", f"give a URL of at most {MAX_URL} ASCII characters, without blanks")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise invalid("address", "this is not a URL") from None
    schemes = ("https", "http") if private_allowed else ("https",)
    if parts.scheme not in schemes or not host:
        raise invalid("address", f"give a URL that begins with {' or '.join(f'{s}://' for s in schemes)}")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise invalid("address", "leave out the user, the password and the fragment")
    if not private_allowed and not _may_be_public(host):
        raise not_allowed()
    return url


def _may_be_public(host: str) -> bool:
    try:
        return is_public([ip_address(host)])
    except ValueError:
        return "." in host.rstrip(".") and not host.rstrip(".").endswith(
            (".localhost", ".local", ".internal")
        )


def is_public(addresses: Iterable[IPv4Address | IPv6Address]) -> bool:
    """Whether all of these, and there is one, are of the open internet, and not of anybody's own network.

    An IPv6 address that carries an IPv4 one is as public as that is.
    """
    found = [_carried(address) for address in addresses]
    return bool(found) and all(map(_is_public, found))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
    if not inside and address in _TRANSLATED:
        inside = IPv4Address(int(address) & 0xFFFF_FFFF)
    return inside or address


class _Prefix:
    """RFC 6052's prefix, behind which a gateway turns IPv6 into IPv4."""

    _FIRST = int(IPv6Address("64:ff9b::"))

    def __contains__(self, address: IPv6Address) -> bool:
        return int(address) >> 32 == self._FIRST >> 32


_TRANSLATED = _Prefix()


def not_allowed() -> Refused:
    """The refusal of an address in the server's own network."""
    return Refused(
        "ADDRESS_NOT_ALLOWED",
        "address: this is not on the open internet; give a public address, or ask the operators about "
        "the setting webhook_private_addresses",
        "address",
    )


def check_chat(address: str) -> str:
    """A Telegram user's id, as the number of the private chat with that user. Raises Refused INVALID_FIELD.

    Groups and channels have negative ids, and are refused: whoever reads along there could confirm them.
    """
    if not (address.isascii() and address.isdigit()) or not 0 < int(address[:20]) < _MAX_CHAT:
        raise invalid("address", "give your Telegram user's id, a positive number")
    return str(int(address))


def pause_seconds(attempts: int, base_seconds: int, jitter: int) -> int:
    """How long to wait after so many attempts, from 1: four times longer each time, a quarter more or less.

    `jitter` is 0 to 999, by chance, so that what failed together is not tried again together.
    """
    assert attempts >= 1 and 0 <= jitter < JITTER_PARTS, (attempts, jitter)
    growth: int = GROWTH ** min(attempts - 1, 20)
    pause = min(base_seconds * growth, LONGEST_PAUSE_SECONDS)
    return max(pause * (750 + jitter // 2) // 1_000, 1)
