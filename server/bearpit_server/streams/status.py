"""What is read again as a whole whenever it may have changed: the market's status, the windows, the duels."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Generic

from bearpit_server.events.records import DuelChange, StatusChange, WindowChange
from bearpit_server.streams.latest import Latest, Refresh, Topic
from bearpit_server.streams.subscription import C, Encode, F, OpenStreams, heartbeat, snapshot, update


class StatusHub(Generic[C, F]):
    """Feeds subscribers of one thing, whatever that is: `read` reads it."""

    def __init__(
        self, read: Callable[[], Awaitable[C]], encode: Encode[C, F], open_streams: OpenStreams
    ) -> None:
        self.encode = encode
        self._read = read
        self._open_streams = open_streams
        self._topic: _Status[C, F] | None = None
        self._refresh = Refresh(self._show, self._fail, open_streams.timers)

    def feed(self, records: Sequence[StatusChange | WindowChange | DuelChange]) -> None:
        """Hear that it may have changed."""
        if self._topic is not None:
            self._refresh.touch()

    def subscribe(self) -> Latest[C | None, F]:
        """Subscribe. Raises Refused NOT_READY when the server is stopping."""
        topic = self._topic or _Status(self, self._open_streams)
        subscription = Latest(topic, self._open_streams)
        if self._topic is None:
            self._topic = topic
            self._refresh.touch()
        return subscription

    def drop(self) -> None:
        """Nobody watches any more."""
        self._topic = None

    async def _show(self) -> None:
        status = await self._read()
        if self._topic is not None:
            self._topic.show(status)
            self._topic.wake()

    def _fail(self, error: Exception) -> None:
        if self._topic is not None:
            self._topic.fail(error)


class _Status(Topic[C | None, F], Generic[C, F]):
    """What is shown; None until it has been read."""

    def __init__(self, hub: StatusHub[C, F], open_streams: OpenStreams) -> None:
        super().__init__(count(1), None, open_streams.timers)
        self._hub = hub

    @property
    def is_known(self) -> bool:
        return self.state is not None

    def left(self) -> None:
        self._hub.drop()

    def _encode_snapshot(self, number: int) -> F:
        assert self.state is not None, "what is shown is known"
        return self._hub.encode(snapshot(number, self.state))

    def _encode_update(self, number: int, seen: int, state: C | None) -> F:
        assert self.state is not None, "what is shown is known"
        return self._hub.encode(update(number, self.state))

    def _encode_heartbeat(self, number: int) -> F:
        return self._hub.encode(heartbeat(number))
