"""Posting to the outside, by HTTP: nothing of the environment, no redirects, no cookies.

httpx is imported when there is something to post: it is a tenth of what a server has to load, and many games
send nothing.
"""

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from bearpit_server.channels.base import Failure

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

MAX_RESPONSE = 16 * 1024
"""Bytes of an answer that are read; none of it is ever shown."""

_WORDS = {
    "ConnectError": "no connection could be made",
    "InvalidURL": "the URL cannot be used",
    "RemoteProtocolError": "the answer was not HTTP, or was cut off",
}

for _chatty in ("httpx", "httpcore"):
    # They log every URL. Telegram's has the bot's token in it, and webhooks' may hold secrets of players.
    logging.getLogger(_chatty).setLevel(logging.WARNING)


def parse(url: str) -> "httpx.URL":
    """A URL as it is connected to. Raises Failure."""
    import httpx

    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        raise Failure(_WORDS["InvalidURL"]) from None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: its status, its headers, and the beginning of the rest as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@cache
def _usual_authorities() -> ssl.SSLContext:
    """Whom everybody trusts. Reading them takes as long as starting all the rest of a server."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


class Post:
    """Connections to the outside, none of which is kept.

    A kept one could serve another name at the same number, to which its certificate does not belong. There
    is no timeout: `base.deliver` has one for all of it.
    """

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust

    @cached_property
    def _client(self) -> "httpx.AsyncClient":
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx

        return httpx.AsyncClient(
            verify=self._trust or _usual_authorities(),
            trust_env=False,
            follow_redirects=False,
            timeout=None,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def post(
        self, url: "str | httpx.URL", content: bytes, headers: Mapping[str, str], host: str | None = None
    ) -> Answer:
        """Post JSON. `host`: the name that a certificate has to be of, where the URL has a number.

        Raises Failure without an answer.
        """
        import httpx

        try:
            async with self._client.stream(
                "POST",
                url,
                content=content,
                headers={"content-type": "application/json", "accept-encoding": "identity", **headers},
                extensions={"sni_hostname": host} if host else None,
            ) as response:
                return Answer(response.status_code, response.headers, await _read(response))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # Not its text: it may name what only the server should know.
            kind = type(error).__name__
            logger.debug("a delivery failed: %s", kind)
            raise Failure(_WORDS.get(kind, "the connection failed")) from None

    async def close(self) -> None:
        """End all connections."""
        if "_client" in self.__dict__:
            await self._client.aclose()


async def _read(response: "httpx.Response") -> bytes:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= MAX_RESPONSE:
            break
    return body[:MAX_RESPONSE]
