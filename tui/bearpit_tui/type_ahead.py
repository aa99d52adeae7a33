"""Keys that come faster than they are handled, from a slow line or a quick hand: each waits its turn.

Textual gives a key to the widget that has the focus when the key arrives. If the key before is still on its
way and will move the focus, that is the wrong one: of `/buy 10 ONI`, sent at once, the `b` would open a
ticket for another stock, and the enter would send it.
"""

from __future__ import annotations

from collections import deque

from textual import events
from textual.app import App
from textual.message import Message

LOST_SECONDS = 0.5
"""After which a key whose widget has gone meanwhile holds up no other."""


class KeyHandled(Message):
    """Goes the way of a key, behind it: when it is at the app, the key has done what it does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TypeAhead(App[None]):
    """Handles keys, and what is pasted, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key | events.Paste] = deque()
        self._number = 0
        self._under_way = False

    async def on_event(self, event: events.Event) -> None:
        """Keep keys that come while one is under way."""
        if not isinstance(event, (events.Key, events.Paste)) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if not self._under_way:
            await self._type()
        elif len(self._typed) == 1:
            number = self._number
            self.set_timer(LOST_SECONDS, lambda: self._go_on(number))

    async def _type(self) -> None:
        """Hand keys on until one is under way."""
        while self._typed and not self._under_way:
            event = self._typed.popleft()
            widget = self.focused or self.screen
            await super().on_event(event)
            if event.is_forwarded:
                self._number += 1
                self._under_way = widget.post_message(KeyHandled(self._number))

    async def on_key_handled(self, message: KeyHandled) -> None:
        """What the key has asked for by `call_later`, such as the focus, comes first."""
        self.call_later(self._go_on, message.number)

    async def _go_on(self, number: int) -> None:
        if number == self._number:
            self._under_way = False
            await self._type()
