"""Lists of the server's, which come in pages."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from bearpit_admin.remote import run

if TYPE_CHECKING:
    from bearpit.client import Client

PAGE = 1_000
"""What is asked for at once, which is what the server gives at most."""


class Asking(Protocol):
    """What the requests of lists have in common."""

    page_size: int
    page_token: str


class Paged(Protocol):
    """What the answers of lists have in common."""

    @property
    def next_page_token(self) -> str: ...


Q = TypeVar("Q", bound=Asking)
P = TypeVar("P", bound=Paged)
A = TypeVar("A")


def listed(
    call_of: "Callable[[Client], Callable[[Q], Awaitable[P]]]",
    request: Q,
    items: Callable[[P], Sequence[A]],
    limit: int,
) -> list[A]:
    """A list's rows, up to `limit`; 0: all. Raises Failure."""
    return run(lambda client: pages(call_of(client), request, items, limit))


async def pages(
    call: Callable[[Q], Awaitable[P]], request: Q, items: Callable[[P], Sequence[A]], limit: int
) -> list[A]:
    """A list's rows, page after page, up to `limit`; 0: all."""
    found: list[A] = []
    request.page_token = ""
    while True:
        request.page_size = min(limit - len(found) if limit else PAGE, PAGE)
        answer = await call(request)
        found += items(answer)
        request.page_token = answer.next_page_token
        if not request.page_token or (limit and len(found) >= limit):
            return found
