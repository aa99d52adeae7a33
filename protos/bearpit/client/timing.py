"""How long the client waits for what. All in seconds."""

import random
from collections.abc import Callable
from dataclasses import dataclass

DEADLINE = 5.0
"""For a unary call that gives no timeout of its own."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The waits of one client; the defaults suit people and bots, tests take shorter ones."""

    deadline: float = DEADLINE
    refresh_ahead: float = 60.0
    """An access token is renewed this long before it ends."""
    silence: float = 15.0
    """A stream without any frame, heartbeats too, for so long is dead; the server beats every 5 s."""
    backoff: float = 0.25
    """The first wait before a stream is opened again; it doubles with each failure in a row."""
    backoff_limit: float = 8.0
    ping: float = 10.0
    """Between two measurements of the latency."""
    jitter: Callable[[], float] = random.random
    """From 0 to 1; spreads the return of many clients after a restart."""

    def wait(self, failures: int) -> float:
        """How long to wait after so many failures in a row, 1 or more: half of it is chance."""
        whole = min(self.backoff_limit, self.backoff * 2.0 ** min(failures - 1, 16))
        return whole * (0.5 + self.jitter() / 2)
