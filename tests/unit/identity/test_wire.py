"""Whatever bytes come, a message is either sound or refused."""

import contextlib

import pytest
from bearpit.v1 import admin_pb2, auth_pb2, market_pb2, trading_pb2
from bearpit_server.rules.refusals import Refused
from bearpit_server.services import wire
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st


@given(
    st.binary(max_size=200), st.sampled_from([trading_pb2.PlaceOrderRequest, admin_pb2.UpdateSettingsRequest])
)
def test_any_bytes_parse_or_are_refused(raw: bytes, kind: type[Message]) -> None:
    with contextlib.suppress(Refused):
        wire.check(wire.parse(kind.FromString, raw))


def test_malformed_utf8_is_refused() -> None:
    with pytest.raises(Refused, match="UTF-8"):
        wire.parse(auth_pb2.SignInRequest.FromString, b"\x0a\x02\xff\xfe")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (auth_pb2.SignInRequest(name="a\0b"), "name"),
        (market_pb2.StreamPricesRequest(symbols=["A", "\0"]), "symbols"),
        (admin_pb2.UpdateSettingsRequest(values={"a": "\0"}), "values"),
        (admin_pb2.UpdateSettingsRequest(values={"\0": "a"}), "values"),
        (market_pb2.ListCandlesRequest(period=99), "period"),  # type: ignore[arg-type]
        (admin_pb2.CreatePlayerRequest(roles=[1, -1]), "roles"),  # type: ignore[list-item]
        (trading_pb2.PlaceOrderRequest(order=trading_pb2.OrderSpec(side=7)), "side"),  # type: ignore[arg-type]
        (trading_pb2.PlaceOrderRequest(order=trading_pb2.OrderSpec(symbol="\0")), "symbol"),
        (market_pb2.ListCandlesRequest(before=Timestamp(seconds=10**15)), "timestamp"),
        (market_pb2.GetVolumeRequest(end=Timestamp(nanos=-1)), "timestamp"),
    ],
)
def test_names_the_field_that_cannot_be(message: Message, field: str) -> None:
    with pytest.raises(Refused) as caught:
        wire.check(wire.parse(type(message).FromString, message.SerializeToString()))
    assert (caught.value.reason, caught.value.field) == ("INVALID_FIELD", field)


def test_one_bad_order_of_many_is_left_to_the_service() -> None:
    bad = trading_pb2.PlaceOrderRequest(order=trading_pb2.OrderSpec(side=7))  # type: ignore[arg-type]
    wire.check(trading_pb2.PlaceOrdersRequest(orders=[bad]))


def test_a_sound_message_passes() -> None:
    spec = trading_pb2.OrderSpec(symbol="A", side=trading_pb2.SIDE_BUY)
    wire.check(trading_pb2.PlaceOrderRequest(order=spec, request_id="x"))
    wire.check(market_pb2.ListCandlesRequest(before=Timestamp(seconds=1)))
