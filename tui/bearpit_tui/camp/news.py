"""What is told to everybody: older headlines, what a window did, and what was read of it on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bearpit.client import Client
from bearpit.v1 import pricing_pb2, windows_pb2
from bearpit_tui import wire
from bearpit_tui.model import Headline
from bearpit_tui.places import data_folder, read_texts, write_private
from bearpit_tui.windows import Windows
from bearpit_tui.wire import moment

PAGE = 100


class Newsroom(Protocol):
    """What is asked about news."""

    async def headlines(self, token: str) -> tuple[list[Headline], str]:
        """Headlines, newest first, and what leads to the next page; empty: this was the last."""

    async def windows(self) -> Windows:
        """The latest windows, newest first, those that are long over too."""

    async def results(self, window_id: int) -> Windows:
        """One window, and what it did to prices."""


class RemoteNewsroom:
    """A server's headlines and windows."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def headlines(self, token: str) -> tuple[list[Headline], str]:
        request = pricing_pb2.ListNewsRequest(page_size=PAGE, page_token=token)
        answer = await self._client.pricing.ListNews(request)
        # Operators are shown those to come as well, which are no news yet.
        return [
            Headline(one.news_id, one.text, tuple(one.symbols), moment(one.published_at), moment(one.ends_at))
            for one in answer.headlines
            if not one.withdrawn
        ], answer.next_page_token

    async def windows(self) -> Windows:
        answer = await self._client.windows.ListWindows(windows_pb2.ListWindowsRequest(page_size=PAGE))
        return wire.windows(windows_pb2.Windows(windows=answer.windows))

    async def results(self, window_id: int) -> Windows:
        answer = await self._client.windows.GetWindow(windows_pb2.GetWindowRequest(window_id=window_id))
        return wire.windows(windows_pb2.Windows(windows=[answer.window], prices=answer.prices))


class ReadMarks:
    """Up to which number each kind of news has been read by a player of a server, kept on this machine."""

    def __init__(self, server: str, player: str) -> None:
        self._whose = f"{player}@{server}"
        self._path = data_folder() / "news_read.json"

    def load(self) -> dict[str, int]:
        """The highest numbers by kind; none: nothing was read."""
        words = read_texts(self._path).get(self._whose, "").split()
        return {word[0]: int(word[1:]) for word in words if word[1:].isdecimal()}

    def save(self, marks: Mapping[str, int]) -> None:
        """Keep them; a folder that cannot be written to is no reason to stop playing."""
        known = read_texts(self._path)
        known[self._whose] = " ".join(f"{kind}{number}" for kind, number in sorted(marks.items()))
        try:
            write_private(self._path, known)
        except OSError:
            return
