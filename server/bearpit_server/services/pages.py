"""Page tokens: where a list goes on, bound to the query that it belongs to."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol, TypeVar

from bearpit_server.rules.refusals import Refused, invalid

DEFAULT_SIZE = 100
MAX_SIZE = 1_000
MAX_TOKEN = 256
_SEAL = 9
"""Bytes of the digest in a token. It tells tokens of ours from others; there is no secret to guard."""
_INT64_MAX = 2**63 - 1

T = TypeVar("T")


class ListRequest(Protocol):
    """What the requests of lists have in common."""

    page_size: int
    page_token: str

    def ParseFromString(self, serialized: bytes, /) -> int: ...  # noqa: N802

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...  # noqa: N802


class Page:
    """One page of a list: read `limit` rows after `after`, then `close` it over them.

    `owner` goes into the token too, where the same request means something else for each caller.
    """

    def __init__(self, request: ListRequest, owner: int = 0, default_size: int = DEFAULT_SIZE) -> None:
        """Raises Refused INVALID_FIELD for the size, BAD_PAGE_TOKEN for a token of another query."""
        if not 0 <= request.page_size <= MAX_SIZE:
            raise invalid("page_size", f"give a number from 1 to {MAX_SIZE}, or 0 for {default_size}")
        self._size = request.page_size or default_size
        self._query = _query(request, owner)
        self.after = self._open(request.page_token) if request.page_token else ""

    @property
    def limit(self) -> int:
        """One row more than goes onto the page: it tells whether there is another."""
        return self._size + 1

    @property
    def after_id(self) -> int | None:
        """The last page's last id; None on the first page. Raises Refused BAD_PAGE_TOKEN."""
        ids = self.after_numbers(1)
        return ids[0] if ids else None

    def after_numbers(self, count: int) -> tuple[int, ...]:
        """So many numbers: the last page's last key; none on the first. Raises Refused BAD_PAGE_TOKEN."""
        if not self.after:
            return ()
        parts = self.after.split("-")
        if len(parts) != count or any(not (part.isascii() and part.isdigit()) for part in parts):
            raise _bad_token()
        if max(map(int, parts)) > _INT64_MAX:
            raise _bad_token()
        return tuple(map(int, parts))

    def close(self, rows: Sequence[T], key: Callable[[T], object]) -> tuple[Sequence[T], str]:
        """The rows of this page, and the token of the next; empty: this was the last."""
        if len(rows) <= self._size:
            return rows, ""
        page = rows[: self._size]
        return page, self._seal(str(key(page[-1])))

    def _seal(self, key: str) -> str:
        return urlsafe_b64encode(self._digest(key) + key.encode()).decode().rstrip("=")

    def _open(self, token: str) -> str:
        if len(token) > MAX_TOKEN:
            raise _bad_token()
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
            key = raw[_SEAL:].decode()
        except (NotBase64, ValueError):
            raise _bad_token() from None
        if not key or raw[:_SEAL] != self._digest(key) or self._seal(key) != token:
            raise _bad_token()
        return key

    def _digest(self, key: str) -> bytes:
        return sha256(self._query + key.encode()).digest()[:_SEAL]


def _query(request: ListRequest, owner: int) -> bytes:
    """What a token is bound to: everything of the request but which page, and how large."""
    bare = type(request)()
    bare.ParseFromString(request.SerializeToString())
    bare.page_size = 0
    bare.page_token = ""
    return sha256(
        f"{type(request).__name__} {owner} ".encode() + bare.SerializeToString(deterministic=True)
    ).digest()


def _bad_token() -> Refused:
    return Refused(
        "BAD_PAGE_TOKEN",
        "this page token is not of this list; begin again without one",
        "page_token",
    )
