"""The other sides of channels, over real connections: receivers of webhooks, and Telegram's Bot API.

What they check is written from the specifications' texts, apart from what the server does.
"""

import asyncio
import hashlib
import hmac
import json
import re
import ssl
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bearpit_server.storage import clock

OK, NO_CONTENT = 200, 204
TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Posted:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """What was posted."""
        return json.loads(self.body)


Answer = tuple[int, dict[str, str], bytes] | None
"""Status, headers, body; None: the connection is cut without an answer."""


def verified(posted: Posted, secret: str) -> bool:
    """Whether a message is genuine, by the text of the Standard Webhooks specification.

    The signed content is the id, the timestamp and the body, joined by full stops; the header has signatures
    with their versions, separated by blanks; a timestamp must not be too far from now.
    """
    headers = posted.headers
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(clock.now().timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        return False
    content = b".".join([message_id.encode(), timestamp.encode(), posted.body])
    key = b64decode(re.fullmatch(r"whsec_(.+)", secret)[1])  # type: ignore[index]
    mine = b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    offered = [part.split(",", 1) for part in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(mine, theirs) for version, theirs in offered)


class Receiver:
    """An HTTP/1.1 server that remembers what was posted to it and answers as it is told to."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.statuses: list[int] = []
        """What to answer next; when there are none left, 204."""
        self.headers: dict[str, str] = {}
        self.hangs = False
        """Whether it takes requests and answers nothing."""
        self.port = 0
        self.asked = asyncio.Condition()
        self._let_go = asyncio.Event()

    def url(self, path: str = "/hook", scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Where it listens."""
        return f"{scheme}://{host}:{self.port}{path}"

    async def until(self, count: int) -> list[Posted]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(20), self.asked:
            await self.asked.wait_for(lambda: len(self.posted) >= count)
        return self.posted

    async def answer(self, posted: Posted) -> Answer:
        """What to answer; subclasses speak a protocol."""
        if self.hangs:
            await self._let_go.wait()
            return None
        status = self.statuses.pop(0) if self.statuses else NO_CONTENT
        return None if status == 0 else (status, self.headers, b"")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while posted := await _read(reader):
                async with self.asked:
                    self.posted.append(posted)
                    self.asked.notify_all()
                answer = await self.answer(posted)
                if answer is None:
                    break
                status, headers, body = answer
                lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    def let_go(self) -> None:
        """Cut the connections that hang."""
        self._let_go.set()


async def _read(reader: asyncio.StreamReader) -> Posted | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    method, path, version = first.split(" ")
    assert (method, version) == ("POST", "HTTP/1.1"), first
    return Posted(path, headers, await reader.readexactly(int(headers["content-length"])))


class BotApi(Receiver):
    """Telegram's Bot API, as far as sendMessage goes; its answers have the shapes of its documentation."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token
        self.chats: set[int] = set()
        """Who has started the bot."""
        self.blocked: set[int] = set()
        self.flood_seconds = 0
        """Answer 429 to the next message, asking for that long a pause."""
        self.messages: list[dict[str, Any]] = []

    @property
    def base(self) -> str:
        """What stands before /bot<token>/."""
        return f"http://127.0.0.1:{self.port}"

    def texts(self, chat: int) -> list[str]:
        """What a chat has been told."""
        return [message["text"] for message in self.messages if message["chat"]["id"] == chat]

    async def answer(self, posted: Posted) -> Answer:
        """As api.telegram.org does."""
        if self.hangs or self.statuses:
            return await super().answer(posted)
        found = re.fullmatch(r"/bot([^/]+)/(\w+)", posted.path)
        if not found or found[1] != self._token:
            return _telegram(401, "Unauthorized")
        if found[2] != "sendMessage" or posted.headers["content-type"] != "application/json":
            return _telegram(404, "Not Found")
        return self._send_message(posted.json)

    def _send_message(self, message: dict[str, Any]) -> Answer:
        chat, text = message["chat_id"], message["text"]
        if self.flood_seconds:
            seconds, self.flood_seconds = self.flood_seconds, 0
            more = {"parameters": {"retry_after": seconds}}
            return _telegram(429, f"Too Many Requests: retry after {seconds}", **more)
        if chat in self.blocked:
            return _telegram(403, "Forbidden: bot was blocked by the user")
        if chat not in self.chats:
            return _telegram(400, "Bad Request: chat not found")
        if not text:
            return _telegram(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4_096:
            return _telegram(400, "Bad Request: message is too long")
        result = {
            "message_id": len(self.messages) + 1,
            "from": {"id": 7, "is_bot": True, "first_name": "Bearpit", "username": "bearpit_bot"},
            "chat": {"id": chat, "first_name": "Ada", "type": "private"},
            "date": int(clock.now().timestamp()),
            "text": text,
        }
        self.messages.append(result)
        body = json.dumps({"ok": True, "result": result}).encode()
        return OK, {"content-type": "application/json"}, body


def _telegram(code: int, description: str, **more: object) -> Answer:
    body = json.dumps({"ok": False, "error_code": code, "description": description, **more}).encode()
    return code, {"content-type": "application/json"}, body


@asynccontextmanager
async def listening(receiver: Receiver, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that can be reached, on a port of its own, or the one that it had before."""
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", receiver.port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.let_go()
        server.close()
        await server.wait_closed()
