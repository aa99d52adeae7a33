"""Mutations that happen once: the same request id with the same body returns the first answer.

A rehearsal (`validate_only`) does all the work in a transaction and rolls it back, so that it can say
neither more nor less than the real thing would.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import scrypt, sha256
from typing import Generic, Protocol, TypeVar

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Origin
from bearpit_server.events.records import Record
from bearpit_server.storage import bulk, requests
from bearpit_server.storage.database import Database


class Mutation(Protocol):
    """What the requests of mutations have in common."""

    @property
    def request_id(self) -> str: ...

    @property
    def validate_only(self) -> bool: ...

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...  # noqa: N802


class Response(Protocol):
    """A protobuf message, kept as bytes."""

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...  # noqa: N802

    def ParseFromString(self, serialized: bytes, /) -> int: ...  # noqa: N802


R = TypeVar("R", bound=Response)


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """What a mutation did: the answer, and what to tell the bus once it is committed.

    `kept` is the answer as it is kept for repetitions, where that must not hold a secret.
    """

    response: R
    records: Sequence[Record] = ()
    kept: R | None = None


class _Rehearsed(Exception):
    """Ends a transaction that shall be rolled back."""


class Once:
    """Runs mutations, each in one transaction with the memory of it."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus

    async def run(
        self,
        request: Mutation,
        origin: Origin,
        answer: type[R],
        work: Callable[[], Done[R]],
        body: bytes | None = None,
    ) -> R:
        """The answer of `work`, done now or, if it was done before, then.

        `work` runs on a thread of the database's, in the transaction. `body` stands for the request
        where the request holds a secret; see `without_secret`. Raises Refused INVALID_FIELD,
        REQUEST_ID_REUSED, or what `work` raises.
        """
        requests.check_id(request.request_id)
        if request.validate_only:
            return await self._database.run(self._rehearse, work)
        method = type(request).__name__
        body = request.SerializeToString(deterministic=True) if body is None else body
        done = await self._database.run(
            _once, origin.actor_id, request.request_id, method, body, answer, work
        )
        self._bus.publish(done.records)
        return done.response

    async def remembered(self, work: Callable[[], Done[R]], rehearsal: bool) -> R:
        """The answer of `work`, which remembers by itself what it has done under which id."""
        if rehearsal:
            return await self._database.run(self._rehearse, work)
        done = await self._database.run(work)
        self._bus.publish(done.records)
        return done.response

    def _rehearse(self, work: Callable[[], Done[R]]) -> R:
        with suppress(_Rehearsed), self._database.transaction():
            response = work().response
            raise _Rehearsed
        return response


def _once(
    actor_id: int, request_id: str, method: str, body: bytes, answer: type[R], work: Callable[[], Done[R]]
) -> Done[R]:
    # Of two like requests at once the second waits here, and then finds the first one's answer.
    bulk.execute("SELECT pg_advisory_xact_lock(%s)", _lock_key(actor_id, request_id))
    earlier = requests.recall(actor_id, request_id, method, body)
    if earlier is not None:
        response = answer()
        response.ParseFromString(earlier)
        return Done(response)
    done = work()
    kept = done.response if done.kept is None else done.kept
    requests.remember(actor_id, request_id, method, body, kept.SerializeToString(deterministic=True))
    return done


def _lock_key(actor_id: int, request_id: str) -> int:
    digest = sha256(f"{actor_id} {request_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def without_secret(bare: Mutation, secret: str) -> bytes:
    """What stands for a request that holds a password: the rest of it, and a slow hash of the password.

    `bare` is the request without it. What is kept of a body is a quick hash; by itself it would let a
    thief of the database try a million passwords a second.
    """
    rest = bare.SerializeToString(deterministic=True)
    salt = sha256(b"bearpit request " + rest).digest()
    return rest + await asyncio.to_thread(scrypt, secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=16)
