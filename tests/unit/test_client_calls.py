"""What the client does to every call: deadline, request id, retries, and readable errors."""

import json
from typing import Any

import grpc
import pytest
from bearpit.client import BearpitError, contract
from bearpit.v1 import auth_pb2, errors_pb2, market_pb2, trading_pb2, wallet_pb2

from tests.unit.client_stage import Refusal, staged

PLACE = trading_pb2.PlaceOrderRequest
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


async def placed(request: trading_pb2.PlaceOrderRequest) -> trading_pb2.PlaceOrderResponse:
    return trading_pb2.PlaceOrderResponse(order=trading_pb2.Order(order_id=7, spec=request.order))


def failing(times: int, answer: Any, code: grpc.StatusCode = UNAVAILABLE) -> Any:
    """A script that fails so often before it answers."""
    left = [times]

    async def script(request: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise Refusal(code)
        return answer

    return script


# --- request ids ----------------------------------------------------------------------------------


async def test_a_mutation_without_a_request_id_gets_a_new_one_each_time() -> None:
    async with staged() as (stage, client):
        stage.play("PlaceOrder", PLACE, placed)
        request = PLACE(order=trading_pb2.OrderSpec(symbol="A"))
        await client.trading.PlaceOrder(request)
        await client.trading.PlaceOrder(request)
        ids = {request.request_id for request in stage.requests("PlaceOrder")}
        assert len(ids) == 2
        assert all(1 <= len(id_) <= 64 for id_ in ids)
        assert request.request_id == "", "the caller's message is the caller's"


async def test_a_request_id_of_ones_own_stays() -> None:
    async with staged() as (stage, client):
        stage.play("PlaceOrder", PLACE, placed)
        await client.buy("A", 1, request_id="mine")
        assert stage.requests("PlaceOrder")[0].request_id == "mine"


async def test_a_repeated_mutation_keeps_its_request_id() -> None:
    async with staged() as (stage, client):
        stage.play("PlaceOrder", PLACE, failing(2, trading_pb2.PlaceOrderResponse()))
        await client.buy("A", 1)
        requests = stage.requests("PlaceOrder")
        assert len(requests) == 3
        assert len({request.request_id for request in requests}) == 1


async def test_each_of_many_orders_gets_its_own_request_id() -> None:
    async with staged() as (stage, client):

        async def all_placed(request: Any) -> Any:
            return trading_pb2.PlaceOrdersResponse()

        stage.play("PlaceOrders", trading_pb2.PlaceOrdersRequest, all_placed)
        await client.trading.PlaceOrders(
            trading_pb2.PlaceOrdersRequest(orders=[PLACE(), PLACE(request_id="mine"), PLACE()])
        )
        (sent,) = stage.requests("PlaceOrders")
        ids = [order.request_id for order in sent.orders]
        assert ids[1] == "mine"
        assert len(set(ids)) == 3
        assert all(ids)


async def test_entries_of_a_stream_get_request_ids() -> None:
    async with staged() as (stage, client):

        async def echo(requests: Any) -> Any:
            async for request in requests:
                part = getattr(request, request.WhichOneof("entry"))
                order = trading_pb2.Order(request_id=part.request_id)
                response = trading_pb2.PlaceOrderResponse(order=order)
                yield trading_pb2.EnterOrdersResponse(correlation=request.correlation, placed=response)

        stage.play("EnterOrders", trading_pb2.EnterOrdersRequest, echo)
        call = client.trading.EnterOrders()
        ids = []
        for entry in (
            trading_pb2.EnterOrdersRequest(correlation=1, place=PLACE()),
            trading_pb2.EnterOrdersRequest(correlation=2, cancel=trading_pb2.CancelOrderRequest()),
        ):
            await call.write(entry)
            answer = await call.read()
            assert isinstance(answer, trading_pb2.EnterOrdersResponse)
            assert answer.correlation == entry.correlation
            ids.append(answer.placed.order.request_id)
        await call.done_writing()
        assert all(ids)
        assert len(set(ids)) == 2


async def test_looking_for_an_order_does_not_make_up_what_to_look_for() -> None:
    assert "/bearpit.v1.TradingService/GetOrder" not in contract.MUTATIONS
    names = {path.rpartition("/")[2] for path in contract.MUTATIONS}
    assert {"Register", "PlaceOrder", "CancelOrder", "Transfer", "Announce", "EnterOrders"} <= names
    assert not {name for name in names if name.startswith(("Get", "List", "Stream"))}


# --- retries and deadlines ------------------------------------------------------------------------


async def test_an_absent_server_is_asked_again_a_few_times() -> None:
    async with staged() as (stage, client):
        stage.play("GetWallet", wallet_pb2.GetWalletRequest, failing(2, wallet_pb2.GetWalletResponse()))
        await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())
        assert len(stage.asked) == 3


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_nothing_else_is_repeated(code: grpc.StatusCode) -> None:
    async with staged() as (stage, client):
        stage.play("GetWallet", wallet_pb2.GetWalletRequest, failing(1, wallet_pb2.GetWalletResponse(), code))
        with pytest.raises(BearpitError):
            await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())
        assert len(stage.asked) == 1


async def test_what_is_good_once_is_sent_once() -> None:
    async with staged() as (stage, client):
        stage.play("RefreshToken", auth_pb2.RefreshTokenRequest, failing(1, auth_pb2.RefreshTokenResponse()))
        stage.play(
            "ChangePassword", auth_pb2.ChangePasswordRequest, failing(1, auth_pb2.ChangePasswordResponse())
        )
        for call in (client.resume("x"), client.change_password("a", "b")):
            with pytest.raises(BearpitError):
                await call
        assert len(stage.asked) == 2


def test_the_service_config_has_no_timeouts_and_retries_no_stream() -> None:
    config = json.loads(contract.service_config())
    (entry,) = config["methodConfig"]
    assert "timeout" not in entry
    assert entry["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    names = {name["method"] for name in entry["name"]}
    assert not {name for name in names if name.startswith("Stream") or name == "EnterOrders"}
    assert {"PlaceOrders", "ListPlayers", "SignIn"} <= names


async def test_a_call_has_a_deadline_of_five_seconds_unless_it_brings_its_own() -> None:
    async with staged() as (stage, client):
        stage.play("GetWallet", wallet_pb2.GetWalletRequest, failing(0, wallet_pb2.GetWalletResponse()))
        await client.wallet.GetWallet(wallet_pb2.GetWalletRequest())
        await client.wallet.GetWallet(wallet_pb2.GetWalletRequest(), timeout=60)
        left = [remaining for _, _, _, remaining in stage.asked]
        assert 3 < left[0] < 6
        assert 50 < left[1] < 61


# --- errors ---------------------------------------------------------------------------------------


async def test_a_refusal_says_why_in_words_and_numbers() -> None:
    async with staged() as (stage, client):

        async def refuse(request: Any) -> Any:
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", free_cents="7")

        stage.play("PlaceOrder", PLACE, refuse)
        with pytest.raises(BearpitError) as caught:
            await client.buy("A", 1, request_id="mine")
        error = caught.value
        assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS")
        assert (error.metadata, error.request_id) == ({"free_cents": "7"}, "mine")
        assert isinstance(error.__cause__, grpc.aio.AioRpcError)


async def test_a_failed_mutation_tells_the_request_id_to_repeat_it_with() -> None:
    async with staged() as (stage, client):
        stage.play("PlaceOrder", PLACE, failing(9, None))
        with pytest.raises(BearpitError) as caught:
            await client.buy("A", 1)
        assert caught.value.request_id == stage.requests("PlaceOrder")[0].request_id != ""


async def test_a_server_that_is_not_there_is_told_in_plain_words() -> None:
    async with staged() as (stage, client):
        await stage.stop()
        with pytest.raises(BearpitError, match="cannot be reached") as caught:
            await client.market.GetBook(market_pb2.GetBookRequest(symbol="A"))
        assert (caught.value.code, caught.value.reason) == (UNAVAILABLE, "")


@pytest.mark.parametrize("details", [b"\xff\xff", b""])
def test_details_that_are_not_ours_do_not_hide_the_code(details: bytes) -> None:
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", details))
    raw = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, None, trailing, details="no such thing")
    error = BearpitError.from_rpc(raw)
    assert (error.code, error.reason, error.message) == (grpc.StatusCode.NOT_FOUND, "", "no such thing")


def test_a_stream_that_breaks_while_it_is_sent_on_reads_like_a_server_that_went_away() -> None:
    raw = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core"
    )
    error = BearpitError.from_rpc(raw)
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert "cannot be reached" in error.message


def test_one_refusal_of_many_reads_like_an_error_of_its_own() -> None:
    refusal = trading_pb2.Refusal(
        code=8, reason=errors_pb2.REASON_RATE_LIMITED, message="slow", metadata={"retry_after_ms": "250"}
    )
    error = BearpitError.from_refusal(refusal)
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert error.retry_after_seconds == 0.25


# --- trading in a few words -----------------------------------------------------------------------


async def test_a_price_makes_a_limit_order_and_a_stop_price_a_stop() -> None:
    async with staged() as (stage, client):
        stage.play("PlaceOrder", PLACE, placed)
        await client.buy("A", 5)
        await client.sell("A", 5, 100)
        await client.buy("A", 5, stop_price_cents=90)
        await client.sell("A", 5, 80, stop_price_cents=90, validate_only=True)
        specs = [request.order for request in stage.requests("PlaceOrder")]
        assert [spec.type for spec in specs] == [
            trading_pb2.ORDER_TYPE_MARKET,
            trading_pb2.ORDER_TYPE_LIMIT,
            trading_pb2.ORDER_TYPE_STOP,
            trading_pb2.ORDER_TYPE_STOP_LIMIT,
        ]
        assert [spec.side for spec in specs] == [1, 2, 1, 2]
        assert [spec.price_cents for spec in specs] == [0, 100, 0, 80]
        assert [request.validate_only for request in stage.requests("PlaceOrder")] == [False] * 3 + [True]


@pytest.mark.parametrize("host", ["camp.example", "[::1]"])
async def test_a_client_needs_no_port_for_the_usual_one(host: str) -> None:
    from bearpit.client import connect

    async with connect(host) as client:
        assert client.address == f"{host}:7117"


async def test_a_client_that_is_closed_says_so_and_does_not_end_the_process() -> None:
    async with staged() as (_, client):
        pass
    with pytest.raises(RuntimeError, match="closed"):
        _ = client.rollbacks
