"""How often somebody may call: token buckets, one for each player, address and name that calls."""

import math
import time
from collections.abc import Callable
from ipaddress import IPv6Address

from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.settings import Settings

MAX_BUCKETS = 100_000
"""In each class; beyond it the longest unused are forgotten, which can only be kind to their owners."""
NAME_SHARE = 2
"""A name may be tried so many times as often as one address may try: a prankster cannot use it all up."""


class Buckets:
    """Token buckets of one class, each kept as one number: the moment at which it is full again.

    A bucket holds what `amount` is in a `period`, and refills evenly. A key that is not there has a full
    one. Over any span of time a key gets at most the capacity and what refills meanwhile; a cost above
    the capacity is granted by a full bucket, and paid back before the next.
    """

    def __init__(self, period: float, clock: Callable[[], float], limit: int = MAX_BUCKETS) -> None:
        self._period = period
        self._clock = clock
        self._limit = limit
        self._full_at: dict[str | int, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str | int, amount: int, cost: int = 1) -> float:
        """Take `cost` from the bucket of `key`; 0 if it was there, else how many seconds to wait first.

        `amount` is what the period allows; 0: anything.
        """
        if not amount:
            return 0.0
        now = self._clock()
        interval = self._period / amount
        full_at = max(self._full_at.pop(key, now), now)
        missing = full_at - now + min(cost, amount) * interval - self._period
        if missing > 1e-9:
            self._full_at[key] = full_at
            return missing
        self._full_at[key] = full_at + cost * interval
        if len(self._full_at) > self._limit:
            self._evict(now)
        return 0.0

    def wait(self, key: str | int, amount: int) -> float:
        """How many seconds until one could be taken from the bucket of `key`; 0: now."""
        if not amount:
            return 0.0
        missing = self._full_at.get(key, 0.0) - self._clock() + self._period / amount - self._period
        return missing if missing > 1e-9 else 0.0

    def _evict(self, now: float) -> None:
        """Forget the full ones, which lose nothing by it, and of the others the longest unused tenth."""
        kept = [(key, full_at) for key, full_at in self._full_at.items() if full_at > now]
        surplus = max(0, len(kept) - self._limit * 9 // 10)
        self._full_at = dict(kept[surplus:])


class Rates:
    """The limits of the game. All are settings, read at each call; 0 turns one off."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.refused = 0
        """Calls refused since the start."""
        self._settings = settings
        self._callers = Buckets(1.0, clock)
        self._addresses = Buckets(1.0, clock)
        self._orders = Buckets(1.0, clock)
        self._sign_in_addresses = Buckets(60.0, clock)
        self._sign_in_names = Buckets(60.0, clock)

    def call_from(self, address: str) -> None:
        """Count a call of an address. Raises Refused RATE_LIMITED."""
        wait = self._addresses.take(address, self._settings.number("rate_address_per_second"))
        if wait:
            raise self._too_many("calls from your address", wait)

    def call_by(self, caller: int | str) -> None:
        """Count a call of a player or a service. Raises Refused RATE_LIMITED."""
        wait = self.calls_wait(caller, 1)
        if wait:
            raise self._too_many("calls", wait)

    def calls_wait(self, caller: int | str, count: int) -> float:
        """Count so many calls of a player or a service; 0, or how many seconds to wait before they are."""
        return self._callers.take(caller, self._settings.number("rate_player_per_second"), count)

    def sign_in_from(self, address: str) -> None:
        """Count a try at signing in or registering. Raises Refused RATE_LIMITED."""
        wait = self._sign_in_addresses.take(address, self._settings.number("rate_sign_in_per_minute"))
        if wait:
            raise self._too_many("sign-ins from your address", wait)

    def sign_in_as(self, name: str) -> None:
        """Count a try at a name, from wherever. Raises Refused RATE_LIMITED."""
        amount = NAME_SHARE * self._settings.number("rate_sign_in_per_minute")
        wait = self._sign_in_names.take(name.lower()[:32], amount)
        if wait:
            raise self._too_many("sign-ins with this name", wait)

    def orders_by(self, player_id: int, count: int) -> None:
        """Count orders of a player. Raises Refused RATE_LIMITED."""
        wait = self.orders_wait(player_id, count)
        if wait:
            raise self._too_many("orders", wait)

    def orders_wait(self, player_id: int, count: int) -> float:
        """Count orders of a player; 0, or how many seconds to wait before they are counted."""
        return self._orders.take(player_id, self._settings.number("rate_orders_per_second"), count)

    def _too_many(self, what: str, wait: float) -> Refused:
        self.refused += 1
        return _too_many(what, wait)


class Guesses:
    """The limits on wrong codes: who has tried too many is refused before his next one is looked at.

    Right ones cost nothing. `player_id` 0 is whoever registers: only the address is counted then.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._players = Buckets(60.0, clock)
        self._addresses = Buckets(60.0, clock)

    def check(self, player_id: int, address: str) -> None:
        """Raises Refused RATE_LIMITED after too many wrong codes."""
        wait = self._addresses.wait(address, self._settings.number("redeem_guesses_per_minute_address"))
        if player_id:
            wait = max(
                wait, self._players.wait(player_id, self._settings.number("redeem_guesses_per_minute"))
            )
        if wait:
            raise _too_many("wrong codes", wait)

    def count(self, player_id: int, address: str) -> None:
        """Count a wrong code."""
        self._addresses.take(address, self._settings.number("redeem_guesses_per_minute_address"))
        if player_id:
            self._players.take(player_id, self._settings.number("redeem_guesses_per_minute"))


def _too_many(what: str, wait: float) -> Refused:
    after_ms = math.ceil(wait * 1000 - 1e-6)
    return Refused("RATE_LIMITED", f"too many {what}; try again in {after_ms} ms", retry_after_ms=after_ms)


def address_of(peer: str) -> str:
    """The address in what gRPC calls a peer, without its port; of IPv6 the /64, which is one household's."""
    kind, _, rest = peer.partition(":")
    if kind == "ipv4":
        return rest.rpartition(":")[0]
    if kind == "ipv6":
        host = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]").partition("%")[0]
        try:
            address = IPv6Address(host)
        except ValueError:
            return host
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return kind
