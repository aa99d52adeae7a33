"""Mutations that are sent twice: the same request id with the same body returns the first answer."""

from collections.abc import Sequence
from hashlib import sha256

from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.storage import bulk
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Request

MAX_ID = 64


def check_id(request_id: str) -> str:
    """The id, if it is one. Raises Refused INVALID_FIELD."""
    if not 1 <= len(request_id) <= MAX_ID or not request_id.isprintable():
        raise invalid("request_id", f"give 1 to {MAX_ID} printable characters, new for each request")
    return request_id


def body_hash(body: bytes) -> bytes:
    """What stands for a request's body."""
    return sha256(body).digest()[:16]


def reused(request_id: str) -> Refused:
    """The refusal of an id that came with another body before."""
    return Refused(
        "REQUEST_ID_REUSED",
        "this request_id was used for something else before; make a new one",
        "request_id",
        request_id=request_id,
    )


def recall(actor_id: int, request_id: str, method: str, body: bytes) -> bytes | None:
    """The first answer to this request, if it was done before. Raises Refused REQUEST_ID_REUSED.

    Call it inside the transaction, after the locks that two like requests would both need, or be ready
    for `remember` to fail: the primary key decides.
    """
    row = Request.get_or_none((Request.actor_id == actor_id) & (Request.request_id == request_id))
    if row is None:
        return None
    if row.method != method or bytes(row.body_hash) != body_hash(body):
        raise reused(request_id)
    return bytes(row.response)


def remember(actor_id: int, request_id: str, method: str, body: bytes, response: bytes) -> None:
    """Keep the answer, in the transaction that did the work."""
    Request.create(
        actor_id=actor_id,
        request_id=request_id,
        method=method,
        body_hash=body_hash(body),
        response=response,
        created_at=now(),
    )


def remember_all(writes: bulk.Writes, done: Sequence[tuple[int, str, str, bytes, bytes]]) -> None:
    """Keep many answers: actor, request id, method, body, response. One that is kept already stays."""
    if done:
        actors, ids, methods, bodies, responses = zip(*done, strict=True)
        bulk.insert_requests(writes, actors, ids, methods, [*map(body_hash, bodies)], responses, now())
