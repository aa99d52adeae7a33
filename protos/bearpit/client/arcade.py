"""An arcade machine's side: points taken for a play and given for a score, each once, whatever gets lost.

async with connect("127.0.0.1:7117") as client:
    client.use_service_token(secret)  # from `bearpit-admin arcade create pinball`
    machine = Machine(client)
    await machine.take("ada", 500)
    await machine.give("ada", 1_200, score=88)
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from bearpit.client.errors import BearpitError
from bearpit.client.game import Client
from bearpit.client.timing import Timing
from bearpit.v1 import arcade_pb2 as pb

PATIENCE_SECONDS = 30.0

_UNKNOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)

T = TypeVar("T")


class Machine:
    """A machine that makes up its transaction ids, and asks again under the same one when no answer comes.

    A call raises BearpitError when it is refused, and when there is no answer for `patience` seconds. Then
    nobody knows whether it was done; the error's `request_id` is the transaction id to go on with.
    """

    def __init__(
        self, client: Client, patience: float = PATIENCE_SECONDS, timing: Timing | None = None
    ) -> None:
        self._client = client
        self._patience = patience
        self._timing = timing or Timing()

    async def take(
        self, player: str, amount_cents: int, *, note: str = "", transaction_id: str = ""
    ) -> pb.Transaction:
        """Take points for a play. Raises BearpitError INSUFFICIENT_FUNDS, LIMIT_EXCEEDED and others."""
        request = pb.TakePointsRequest(
            player=player, amount_cents=amount_cents, transaction_id=transaction_id or _new_id(), note=note
        )
        answer = await self._until_answered(
            request.transaction_id, lambda: self._client.arcade.TakePoints(request)
        )
        return answer.transaction

    async def give(
        self, player: str, amount_cents: int, *, score: int = 0, note: str = "", transaction_id: str = ""
    ) -> pb.Transaction:
        """Give points for a score. Raises BearpitError LIMIT_EXCEEDED and others."""
        request = pb.GivePointsRequest(
            player=player,
            amount_cents=amount_cents,
            transaction_id=transaction_id or _new_id(),
            score=score,
            note=note,
        )
        answer = await self._until_answered(
            request.transaction_id, lambda: self._client.arcade.GivePoints(request)
        )
        return answer.transaction

    async def can_take(self, player: str, amount_cents: int) -> bool:
        """Whether so much could be taken now. Raises BearpitError where that is not a question of points."""
        request = pb.TakePointsRequest(
            player=player, amount_cents=amount_cents, transaction_id=_new_id(), validate_only=True
        )
        try:
            await self._until_answered(
                request.transaction_id, lambda: self._client.arcade.TakePoints(request)
            )
        except BearpitError as error:
            if error.reason in ("INSUFFICIENT_FUNDS", "LIMIT_EXCEEDED"):
                return False
            raise
        return True

    async def _until_answered(self, transaction_id: str, call: Callable[[], Awaitable[T]]) -> T:
        ends = time.monotonic() + self._patience
        failures = 0
        while True:
            try:
                return await call()
            except BearpitError as error:
                failures += 1
                wait = max(error.retry_after_seconds, self._timing.wait(failures))
                passes = error.code in _UNKNOWN or error.reason == "RATE_LIMITED"
                if not passes or time.monotonic() + wait > ends:
                    error.request_id = transaction_id
                    raise
                await asyncio.sleep(wait)


def _new_id() -> str:
    return uuid.uuid4().hex
