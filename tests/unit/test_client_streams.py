"""Streams that go on: through lost connections, restarts, silences and tokens that end."""

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import grpc
import pytest
from bearpit.client import BearpitError, Connection, Timing
from bearpit.v1 import auth_pb2, market_pb2, trading_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client_stage import QUICK, Refusal, staged, until

ASK = trading_pb2.StreamOrdersRequest
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def snapshot(sequence: int) -> trading_pb2.StreamOrdersResponse:
    return trading_pb2.StreamOrdersResponse(sequence=sequence, snapshot=trading_pb2.OrdersSnapshot())


def update(sequence: int) -> trading_pb2.StreamOrdersResponse:
    return trading_pb2.StreamOrdersResponse(sequence=sequence, update=trading_pb2.OrderUpdate())


def heartbeat(sequence: int) -> trading_pb2.StreamOrdersResponse:
    return trading_pb2.StreamOrdersResponse(sequence=sequence, heartbeat=market_pb2.Heartbeat())


def acts(*acts: list[Any]) -> Any:
    """A script of several openings: each gives its frames, raises its refusals, or hangs at `...`."""
    left = list(acts)

    async def script(request: Any) -> Any:
        for step in left.pop(0):
            if step is ...:
                await asyncio.Event().wait()
            elif isinstance(step, Refusal):
                raise step
            else:
                yield step

    return script


async def take(stream: Any, count: int) -> list[int]:
    async with contextlib.aclosing(stream):
        return [(await anext(stream)).sequence for _ in range(count)]


async def test_goes_on_after_the_last_number_when_the_connection_is_lost() -> None:
    async with staged() as (stage, client):
        script = acts([snapshot(3), update(4), Refusal(UNAVAILABLE)], [update(5), ...])
        stage.play("StreamOrders", ASK, script)
        assert await take(client.stream_orders(), 3) == [3, 4, 5]
        assert [request.after_sequence for request in stage.requests("StreamOrders")] == [0, 4]


async def test_begins_where_it_is_told() -> None:
    async with staged() as (stage, client):
        stage.play("StreamOrders", ASK, acts([update(18), ...]))
        assert await take(client.stream_orders(after=17), 1) == [18]
        assert stage.requests("StreamOrders")[0].after_sequence == 17


async def test_takes_a_fresh_snapshot_when_the_number_is_too_old() -> None:
    async with staged() as (stage, client):
        too_old = Refusal(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOO_OLD")
        stage.play("StreamOrders", ASK, acts([too_old], [snapshot(40), update(41), ...]))
        assert await take(client.stream_orders(after=2), 2) == [40, 41]
        assert [request.after_sequence for request in stage.requests("StreamOrders")] == [2, 0]


async def test_goes_on_when_the_server_ends_the_stream_in_good_order() -> None:
    async with staged() as (stage, client):
        stage.play("StreamOrders", ASK, acts([snapshot(1)], [update(2), ...]))
        assert await take(client.stream_orders(), 2) == [1, 2]


async def test_outlives_a_restart_of_the_server() -> None:
    async with staged() as (stage, client):
        stage.play("StreamOrders", ASK, acts([snapshot(1), ...], [update(2), ...]))
        stream = client.stream_orders()
        assert (await anext(stream)).sequence == 1
        await stage.stop()
        await stage.start()
        assert await take(stream, 1) == [2]


async def test_heartbeats_are_not_handed_on_but_count_as_numbers() -> None:
    async with staged() as (stage, client):
        stage.play(
            "StreamOrders", ASK, acts([snapshot(1), heartbeat(6), Refusal(UNAVAILABLE)], [update(7), ...])
        )
        assert await take(client.stream_orders(), 2) == [1, 7]
        assert stage.requests("StreamOrders")[1].after_sequence == 6


async def test_a_stream_that_says_nothing_for_too_long_is_opened_again() -> None:
    async with staged(replace(QUICK, silence=0.2)) as (stage, client):
        stage.play("StreamOrders", ASK, acts([snapshot(1), ...], [update(2), ...]))
        assert await take(client.stream_orders(), 2) == [1, 2]


async def test_prices_begin_with_a_snapshot_each_time() -> None:
    def frame(sequence: int) -> market_pb2.StreamPricesResponse:
        return market_pb2.StreamPricesResponse(sequence=sequence, snapshot=market_pb2.Quotes())

    async with staged() as (stage, client):
        script = acts([frame(1), Refusal(UNAVAILABLE)], [frame(1), ...])
        stage.play("StreamPrices", market_pb2.StreamPricesRequest, script)
        assert await take(client.stream_prices(["A", "B"]), 2) == [1, 1]
        assert [list(request.symbols) for request in stage.requests("StreamPrices")] == [["A", "B"]] * 2


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
        Refusal(grpc.StatusCode.PERMISSION_DENIED, "PLAYER_DISABLED"),
        Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
        Refusal(grpc.StatusCode.FAILED_PRECONDITION, "LIMIT_EXCEEDED"),
        Refusal(grpc.StatusCode.UNIMPLEMENTED),
        Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_what_no_waiting_cures_is_raised(refusal: Refusal) -> None:
    async with staged() as (stage, client):
        stage.play("StreamOrders", ASK, acts([snapshot(1), refusal]))
        stream = client.stream_orders()
        await anext(stream)
        with pytest.raises(BearpitError) as caught:
            await anext(stream)
        assert (caught.value.code, caught.value.reason) == (refusal.code, refusal.reason)


@pytest.mark.parametrize("reason", ["SLOW_CONSUMER", "RATE_LIMITED"])
async def test_what_waiting_cures_is_waited_for(reason: str) -> None:
    async with staged() as (stage, client):
        passing = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, retry_after_ms="1")
        stage.play("StreamOrders", ASK, acts([snapshot(1), passing], [passing], [update(2), ...]))
        assert await take(client.stream_orders(), 2) == [1, 2]


async def test_a_fault_is_tried_again_a_few_times_only() -> None:
    async with staged() as (stage, client):
        fault = Refusal(grpc.StatusCode.INTERNAL, "INTERNAL")
        stage.play("StreamOrders", ASK, acts(*[[fault]] * 9))
        with pytest.raises(BearpitError):
            await anext(client.stream_orders())
        assert len(stage.asked) == 5


async def test_an_absent_server_is_waited_for_as_long_as_it_takes() -> None:
    async with staged() as (stage, client):
        stage.play("StreamOrders", ASK, acts(*[[Refusal(UNAVAILABLE)]] * 30, [snapshot(1), ...]))
        assert await take(client.stream_orders(), 1) == [1]


def tokens(number: int) -> auth_pb2.Tokens:
    ends = Timestamp(seconds=2**33)
    return auth_pb2.Tokens(
        access_token=f"access {number}", access_expires_at=ends, refresh_token=f"refresh {number}"
    )


async def renewed(request: auth_pb2.RefreshTokenRequest) -> auth_pb2.RefreshTokenResponse:
    return auth_pb2.RefreshTokenResponse(tokens=tokens(2))


ENDED = Refusal(grpc.StatusCode.UNAUTHENTICATED, "NOT_SIGNED_IN")


@pytest.mark.parametrize(
    "script", [acts([ENDED], [snapshot(1), ...]), acts([snapshot(1), ENDED], [ENDED], [...])]
)
async def test_a_token_that_ended_is_renewed_and_the_stream_goes_on(script: Any) -> None:
    async with staged() as (stage, client):
        stage.play("RefreshToken", auth_pb2.RefreshTokenRequest, renewed)
        stage.play("StreamOrders", ASK, script)
        client._session.take(tokens(1))
        stream = client.stream_orders()
        assert (await anext(stream)).sequence == 1
        following = asyncio.ensure_future(anext(stream))
        await until(lambda: stage.asked[-1][2].get("authorization") == "Bearer access 2")
        following.cancel()
        await asyncio.wait([following])
        assert len(stage.requests("RefreshToken")) == 1


async def test_a_stream_of_somebody_who_is_not_signed_in_raises() -> None:
    async with staged() as (stage, client):
        stage.play("StreamOrders", ASK, acts([ENDED]))
        with pytest.raises(BearpitError) as caught:
            await anext(client.stream_orders())
        assert caught.value.reason == "NOT_SIGNED_IN"


async def test_closing_the_client_ends_its_streams_and_nothing_else() -> None:
    async with staged() as (stage, client):
        stage.play("StreamOrders", ASK, acts([snapshot(1), ...]))
        seen: list[int] = []

        async def listen() -> str:
            async for frame in client.stream_orders():
                seen.append(frame.sequence)
            return "ended"

        listener = asyncio.ensure_future(listen())
        await until(lambda: bool(seen))
        await client.close()
        assert await listener == "ended"


async def test_cancelling_who_listens_cancels_as_usual() -> None:
    async with staged() as (stage, client):
        stage.play("StreamOrders", ASK, acts([...]))
        listener = asyncio.ensure_future(anext(client.stream_orders()))
        await until(lambda: bool(stage.asked))
        listener.cancel()
        await asyncio.wait([listener])
        assert listener.cancelled()


async def test_the_state_of_the_connection_is_told_as_it_changes() -> None:
    async with staged(replace(QUICK, ping=0.01)) as (stage, client):
        states: list[str] = []

        def note(connection: Connection) -> None:
            states.append(connection.state)

        async def reached(state: str) -> None:
            await until(lambda: client.connection.state == state)

        assert client.connection.state == "connecting"
        stop = client.connection.subscribe(note)
        await reached("live")
        await stage.stop()
        await reached("lost")
        assert client.connection.latency_ms is None
        await stage.start()
        await reached("live")
        stop()
        count = len(states)
        await stage.stop()
        await until(lambda: client.connection.state != "live")
        assert len(states) == count


@given(st.integers(1, 200), st.floats(0, 1))
def test_the_wait_grows_to_its_limit_and_half_of_it_is_chance(failures: int, jitter: float) -> None:
    timing = Timing(jitter=lambda: jitter)
    whole = min(timing.backoff_limit, timing.backoff * 2.0 ** min(failures - 1, 60))
    assert whole / 2 <= timing.wait(failures) <= whole
