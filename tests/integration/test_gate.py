"""What an error looks like from outside, and what becomes of streams whose sign-in ends."""

import asyncio
from typing import Any

import grpc
import peewee as pw
import pytest
from bearpit.client import BearpitError
from bearpit.v1 import market_pb2, trading_pb2, wallet_pb2
from bearpit_server.events.log import HOUSE_ORIGIN
from bearpit_server.identity import players
from bearpit_server.rules.refusals import Refused, not_found

from tests.integration.door import Door

QUOTE = market_pb2.GetInstrumentRequest(symbol="A")
GET_INSTRUMENT = "/bearpit.v1.MarketService/GetInstrument"


async def refused(call: Any) -> BearpitError:
    with pytest.raises(BearpitError) as caught:
        await call
    return caught.value


async def test_a_refusal_arrives_with_code_reason_message_numbers_and_field(door: Door) -> None:
    ada = await door.player("ada")
    door.market.error = Refused("OFF_TICK", "use whole ticks: \N{SNOWMAN}", "price_cents", tick_cents=5)
    error = await refused(ada.market.GetInstrument(QUOTE))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "OFF_TICK")
    assert (error.message, error.field, error.metadata) == (
        "use whole ticks: \N{SNOWMAN}",
        "price_cents",
        {"tick_cents": "5"},
    )
    assert str(error) == error.message


async def test_a_stray_exception_arrives_as_a_number_that_the_log_has_too(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await door.player("ada")
    door.market.error = ZeroDivisionError("the secret is 42")
    error = await refused(ada.market.GetInstrument(QUOTE))
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in error.message + str(error.metadata)
    assert f"incident {error.metadata['incident']} in {GET_INSTRUMENT}" in caplog.text


@pytest.mark.parametrize("error", [pw.OperationalError("gone"), pw.InterfaceError("closed")])
async def test_a_database_that_is_away_is_unavailable(door: Door, error: Exception) -> None:
    ada = await door.player("ada")
    door.market.error = error
    answer = await refused(ada.market.GetInstrument(QUOTE))
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert "gone" not in answer.message
    assert door.market.reached == 4, "the client tries again by itself, and gives up"


async def test_an_error_in_the_middle_of_a_stream_is_translated_too(door: Door) -> None:
    ada = await door.player("ada")
    frames = aiter(ada.market.StreamStatus(market_pb2.StreamStatusRequest()))
    await anext(frames)
    door.market.error = not_found("market", 1)
    door.market.beats.put_nowait(None)
    assert (await refused(anext(frames))).reason == "NOT_FOUND"


async def test_an_rpc_without_an_inside_is_unimplemented(door: Door) -> None:
    ada = await door.player("ada")
    error = await refused(ada.wallet.GetWallet(wallet_pb2.GetWalletRequest()))
    assert error.code is grpc.StatusCode.UNIMPLEMENTED
    unknown: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = (await door.channel()).unary_unary("/no/Such")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await unknown(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def raw(door: Door, body: bytes, metadata: list[tuple[str, str]] | None = None) -> BearpitError:
    """How bytes that our client would not send are answered."""
    client = await door.player("ada")
    bearer = ("authorization", f"Bearer {await client._session.bearer()}")
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = (await door.channel()).unary_unary(GET_INSTRUMENT)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(body, metadata=[bearer, *(metadata or [])], timeout=10)
    assert door.market.reached == 0
    return BearpitError.from_rpc(caught.value)


@pytest.mark.parametrize("body", [b"\x0a\x02\xff\xfe", b"\xff\xff\xff", b"\x0a\x7f"])
async def test_bytes_that_are_no_message_are_an_invalid_argument(door: Door, body: bytes) -> None:
    error = await raw(door, body)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_an_unknown_enum_number_is_an_invalid_argument(door: Door) -> None:
    ada = await door.player("ada")
    request = market_pb2.ListCandlesRequest(symbol="A", period=77)  # type: ignore[arg-type]
    error = await refused(ada.market.ListCandles(request))
    assert (error.code, error.field) == (grpc.StatusCode.INVALID_ARGUMENT, "period")


async def test_a_message_of_more_than_4_mb_is_exhausting(door: Door) -> None:
    assert (await raw(door, b"x" * (4 * 1024 * 1024 + 1))).code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_metadata_of_more_than_16_kb_is_exhausting(door: Door) -> None:
    error = await raw(door, b"", [("much", "x" * 40_000)])
    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_refusal_that_quotes_a_novel_is_cut_short(door: Door) -> None:
    ada = await door.player("ada")
    door.market.error = not_found("instrument", "\N{SNOWMAN}" * 1_000_000)
    error = await refused(ada.market.GetInstrument(QUOTE))
    assert (error.reason, error.metadata["kind"]) == ("NOT_FOUND", "instrument")
    assert len(error.message) == 300


async def test_bytes_that_are_no_message_end_a_stream_of_requests(door: Door) -> None:
    bearer = ("authorization", f"Bearer {await (await door.player('ada'))._session.bearer()}")
    enter: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = (await door.channel()).stream_stream(
        "/bearpit.v1.TradingService/EnterOrders"
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in enter(iter([b"\x08\x01", b"\xff\xff\xff"]), metadata=[bearer]):
            pass
    assert BearpitError.from_rpc(caught.value).reason == "INVALID_FIELD"


async def test_a_bad_entry_of_a_stream_is_left_to_the_service(door: Door) -> None:
    ada = await door.player("ada")
    spec = trading_pb2.OrderSpec(side=77, symbol="\0")  # type: ignore[arg-type]
    entry = trading_pb2.EnterOrdersRequest(correlation=5, place=trading_pb2.PlaceOrderRequest(order=spec))
    assert [answer.correlation async for answer in ada.trading.EnterOrders(iter([entry]))] == [5]


# --- streams --------------------------------------------------------------------------------------


async def test_a_stream_outlives_the_token_that_opened_it(door: Door) -> None:
    ada = await door.player("ada")
    frames = aiter(ada.market.StreamStatus(market_pb2.StreamStatusRequest()))
    await anext(frames)
    door.time.pass_by(hours=5)
    await door.gate.recheck()
    door.market.beats.put_nowait(None)
    assert (await anext(frames)).sequence == 2


async def test_a_stream_ends_when_its_sign_in_does_and_others_go_on(door: Door) -> None:
    ada, eve = await door.player("ada"), await door.player("eve")
    hers, others = [
        aiter(client.market.StreamStatus(market_pb2.StreamStatusRequest())) for client in (ada, eve)
    ]
    await anext(hers)
    await anext(others)
    await (await door.sign_in("ada")).sign_out_everywhere()
    await door.gate.recheck()
    assert (await refused(anext(hers))).reason == "NOT_SIGNED_IN"
    door.market.beats.put_nowait(None)
    await anext(others)


async def test_a_disabled_players_stream_says_why_it_ends(door: Door) -> None:
    ada = await door.player("ada")
    frames = aiter(ada.market.StreamStatus(market_pb2.StreamStatusRequest()))
    await anext(frames)

    def disable() -> None:
        players.set_disabled(players.get("ada"), True, HOUSE_ORIGIN)

    await door.database.run(disable)
    door.time.pass_by(seconds=60.1)
    await door.gate.recheck()
    assert (await refused(anext(frames))).reason == "PLAYER_DISABLED"


async def test_streams_are_ended_when_the_server_stops(door: Door) -> None:
    ada = await door.player("ada")
    frames = aiter(ada.market.StreamStatus(market_pb2.StreamStatusRequest()))
    await anext(frames)
    door.gate.end_streams()
    error = await refused(anext(frames))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_READY")
    async with asyncio.timeout(10):
        while door.gate.open_streams:  # noqa: ASYNC110 - ends when the server's task has
            await asyncio.sleep(0)
