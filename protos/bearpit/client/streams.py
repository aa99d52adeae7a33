"""A stream that outlives its connection: opened again after a failure, resumed from its last number."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Literal, Protocol, TypeVar

import grpc

from bearpit.client.errors import BearpitError
from bearpit.client.timing import Timing

PATIENCE = 5
"""After so many failures in a row that look like a fault, not like an absence, the stream gives up."""

_ABSENCES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
_FAULTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED)
_PASSING = ("RATE_LIMITED", "SLOW_CONSUMER")


class Frame(Protocol):
    """What the frames of all streams have in common: `oneof frame {snapshot, update, heartbeat}`."""

    @property
    def sequence(self) -> int: ...

    def WhichOneof(self, oneof_group: Literal["frame"], /) -> str | None: ...  # noqa: N802


Q = TypeVar("Q")
F = TypeVar("F", bound=Frame)


async def follow(
    open_after: Callable[[int], grpc.aio.UnaryStreamCall[Q, F]],
    after: int,
    timing: Timing,
    *,
    resumes: bool,
    is_closed: Callable[[], bool],
) -> AsyncGenerator[F, None]:
    """Yield snapshots and updates for ever, through lost connections and restarts of the server.

    `open_after(n)` opens the stream to go on after the number n; 0: from a snapshot. A stream that
    does not resume begins with a snapshot each time. Heartbeats are watched for and not yielded.
    Ends when the client is closed; raises BearpitError for what no waiting cures.
    """
    failures = 0
    began = False
    while not is_closed():
        wait = 0.0
        call = open_after(after if resumes else 0)
        try:
            frames = aiter(call)
            while True:
                async with asyncio.timeout(timing.silence):
                    frame = await anext(frames, None)
                if frame is None:  # the server ended it in good order: it is stopping
                    break
                failures = 0
                began = True
                after = frame.sequence
                if frame.WhichOneof("frame") != "heartbeat":
                    yield frame
        except BearpitError as error:
            if error.reason == "RESUME_TOO_OLD" and after:
                after = 0
                continue
            if is_closed():
                return
            if not _may_pass(error, failures + 1, began):
                raise
            wait = error.retry_after_seconds
        except TimeoutError:
            pass  # dead, or the way to it is
        except asyncio.CancelledError:
            task = asyncio.current_task()
            # A closing channel cancels its calls; that is the end of the stream, not of our caller.
            if is_closed() and task is not None and not task.cancelling():
                return
            raise
        finally:
            call.cancel()
        failures += 1
        await asyncio.sleep(max(wait, timing.wait(failures)))


def _may_pass(error: BearpitError, failures: int, began: bool) -> bool:
    if error.code in _ABSENCES or error.reason in _PASSING:
        return True
    if error.reason == "NOT_SIGNED_IN":
        return began and failures == 1  # the token ended meanwhile; opening again renews it
    return error.code in _FAULTS and failures < PATIENCE
