"""Every RPC there is, found by its descriptor, and whatever is sent to it."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit.v1 import (
    admin_pb2,
    trading_pb2,
)
from bearpit_server.services.permissions import ACCESS
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.floor import Steps
from tests.integration.machines import bounds
from tests.integration.rpcs import FAULTS, METHODS, OK, UNAUTHENTICATED, send
from tests.orders import buy, sell
from tests.postgres import Postgres
from tests.windows import create, list_by_window

OURS = {path: method for path, method in METHODS.items() if path.startswith("/bearpit.")}
UNARY = sorted(path for path, method in OURS.items() if not method.server_streaming)
STREAMS = sorted(
    path for path, method in OURS.items() if method.server_streaming and not method.client_streaming
)
FUZZ = bounds(12)


@pytest.fixture(scope="module")
def steps(postgres: Postgres) -> Iterator[Steps]:
    with Steps(postgres).opened() as made:
        made.run(furnish(made))
        yield made


@pytest.fixture(autouse=True)
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No fault is logged, whatever is sent."""
    yield
    faults = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert not faults, [(record.getMessage(), record.exc_info) for record in faults]


async def furnish(steps: Steps) -> None:
    """A little of everything, so that random requests find something."""
    await steps.floor.list_instrument("ACME", fee_bps=10)
    await steps.floor.list_instrument("BETA", lot=10, tick_cents=5)
    await list_by_window(steps.floor, "CHAP")
    await create(await steps.floor.operator())
    await steps.floor.settled()
    ada = await steps.floor.player("ada", 1_000_000, ACME=1_000, BETA=1_000)
    operator = await steps.floor.operator()
    for spec in (sell("ACME", 10, 100), sell("BETA", 10, 100), buy("ACME", 10, 90)):
        await steps.floor.place(ada, spec)
    await steps.floor.place(ada, sell("ACME", 10, 101))
    adjust = admin_pb2.AdjustBalanceRequest(name="operator", amount=1_000_000, reason="for the fuzz")
    await operator.admin.AdjustBalance(adjust)
    await steps.floor.place(operator, buy("ACME", 3, 100))


async def bearer_of(steps: Steps, role: str) -> str:
    """A fresh token of a player or the operator."""
    steps.floor.forget_operator()
    client = await (steps.floor.operator() if role == "operator" else steps.floor.trader())
    return await client._session.bearer()


async def channel_to(steps: Steps) -> grpc.aio.Channel:
    """A plain channel, on the running event loop."""
    return grpc.aio.insecure_channel(steps.floor.address)


# Who may call what


def test_every_rpc_is_in_the_permission_table_and_nothing_else_is() -> None:
    assert set(METHODS) == set(ACCESS)


def test_a_token_that_has_ended_opens_nothing(steps: Steps) -> None:
    async def ask() -> set[grpc.StatusCode]:
        bearer = await bearer_of(steps, "player")
        async with grpc.aio.insecure_channel(steps.floor.address) as channel:
            await send(channel, "/bearpit.v1.AuthService/SignOutEverywhere", [b""], bearer)
            closed = [path for path in METHODS if not ACCESS[path].public]
            return {(await send(channel, path, [b""], bearer))[0] for path in closed}

    assert steps.run(ask()) == {UNAUTHENTICATED}


# Whatever is sent

NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 2, 7, 10, 100, 101, 10**9, 10**9 + 1, 10**15, 10**15 + 1]),
    st.sampled_from([2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 2**53 + 1]),
    st.integers(1, 30),
    st.integers(-(2**63), 2**63 - 1),
)
TEXTS = st.one_of(
    st.sampled_from(
        ["ACME", "ACME", "BETA", "ada", "ADA", "cash", "", "r", "12:00", "Europe/Vienna", "market.read"]
    ),
    st.sampled_from(
        ["\0", "a\0b", "x" * 65, "x" * 5_000, "é" * 300, "\u202e\U0001f43b", "%s%n{}", "'; DROP--", "../.."]
    ),
    st.sampled_from(
        ["1" * 5_000, "-1", "9" * 20, "٣", "1e9", "NaN", "true", "eyJhIjoxfQ", "====", "AAAA", " "]
    ),
    st.text(max_size=80),
)
KEYS = st.one_of(
    st.sampled_from(
        ["fee_bps", "transfer_fee_bps", "starting_cash_cents", "registration_open", "protection_bps"]
    ),
    TEXTS,
)


def value_of(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    """A value of a field, likely or not."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return st.binary(max_size=100) if field.type == FieldDescriptor.TYPE_BYTES else TEXTS
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        assert field.enum_type is not None
        known = sorted(field.enum_type.values_by_number)
        return st.sampled_from([*known, *known, -1, 99, 2**31 - 1, -(2**31)])
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        assert field.message_type is not None
        return message_of(field.message_type, depth + 1)
    low, high = {
        FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
        FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
        FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
        FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    }[kind]
    return NUMBERS.map(lambda number: max(low, min(high, number)))


@st.composite
def message_of(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Message:
    """A random message; most fields are set, so that it is not refused for the first one that is missing."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.name == "request_id" and draw(st.integers(0, 4)):
            message.request_id = draw(st.uuids()).hex  # type: ignore[attr-defined]
        elif not draw(st.integers(0, 5)):
            continue
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            for _ in range(draw(st.integers(0, 3))):
                if value.message_type is None:
                    getattr(message, field.name)[draw(KEYS)] = draw(value_of(value, depth))
                else:
                    getattr(message, field.name)[draw(KEYS)].CopyFrom(draw(value_of(value, depth)))
        elif field.is_repeated:
            values = draw(st.lists(value_of(field, depth), max_size=4))
            getattr(message, field.name).extend(values)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(draw(value_of(field, depth)))
        else:
            setattr(message, field.name, draw(value_of(field, depth)))
    return message


def wire_of(path: str) -> st.SearchStrategy[bytes]:
    """The bytes of a random message, sometimes damaged, sometimes none at all."""
    whole = message_of(METHODS[path].input_type).map(lambda message: message.SerializeToString())
    damaged = st.tuples(whole, st.integers(0, 200)).map(lambda cut: cut[0][: cut[1]])
    return st.one_of(whole, whole, whole, whole, damaged, st.binary(max_size=300))


class Witness:
    """What a refused call must leave as it is."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def state(self) -> Any:
        return self._steps.floor.rows(
            "SELECT (SELECT count(*) FROM postings), (SELECT count(*) FROM orders), "
            "(SELECT count(*) FROM players), "
            "(SELECT md5(string_agg(a::text, '|' ORDER BY id)) FROM accounts a), "
            "(SELECT md5(string_agg(i::text, '|' ORDER BY id)) FROM instruments i), "
            "(SELECT md5(string_agg(s::text, '|' ORDER BY key)) FROM settings s)"
        )


@pytest.mark.parametrize("path", UNARY, ids=lambda path: path.rpartition("/")[2])
def test_random_messages_are_answered_or_refused_and_never_a_fault(steps: Steps, path: str) -> None:
    witness = Witness(steps)
    voids = path.endswith(("/SignOutEverywhere", "/ChangePassword"))
    role = "player" if voids else "operator"
    bearer = steps.run(bearer_of(steps, role))
    channel = steps.run(channel_to(steps))

    @FUZZ
    @given(wire_of(path))
    def ask(raw: bytes) -> None:
        before = witness.state()
        code, _ = steps.run(send(channel, path, [raw], bearer))
        assert code not in FAULTS, METHODS[path].input_type
        if code is not OK:
            assert witness.state() == before, f"{code} changed something"
        assert steps.floor.balances_off_zero() == []

    try:
        ask()
    finally:
        steps.run(channel.close(None))


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.rpartition("/")[2])
def test_random_messages_open_a_stream_or_are_refused_and_never_a_fault(steps: Steps, path: str) -> None:
    bearer = steps.run(bearer_of(steps, "operator"))

    @FUZZ
    @given(st.lists(wire_of(path), min_size=2, max_size=4))
    def ask(raws: list[bytes]) -> None:
        async def all_at_once() -> list[grpc.StatusCode]:
            async with grpc.aio.insecure_channel(steps.floor.address) as channel:
                ends = await asyncio.gather(*(send(channel, path, [raw], bearer) for raw in raws))
                return [code for code, _ in ends]

        assert not FAULTS & set(steps.run(all_at_once()))

    ask()


def test_random_entries_are_each_answered_and_never_a_fault(steps: Steps) -> None:
    path = "/bearpit.v1.TradingService/EnterOrders"
    bearer = steps.run(bearer_of(steps, "operator"))

    @FUZZ
    @given(st.lists(message_of(METHODS[path].input_type), min_size=1, max_size=30))
    def ask(entries: list[Message]) -> None:
        async def enter() -> tuple[grpc.StatusCode, list[bytes]]:
            async with grpc.aio.insecure_channel(steps.floor.address) as channel:
                raws = [entry.SerializeToString() for entry in entries]
                return await send(channel, path, raws, bearer)

        code, frames = steps.run(enter())
        answers = [trading_pb2.EnterOrdersResponse.FromString(frame) for frame in frames]
        assert code is OK
        assert [answer.correlation for answer in answers] == [entry.correlation for entry in entries]  # type: ignore[attr-defined]
        assert not {2, 4, 13, 14} & {answer.refusal.code for answer in answers}, answers
        assert steps.floor.balances_off_zero() == []

    ask()


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x12\x05\x0a\x03\xff\xfe\xfd", b"\x08"])
def test_an_entry_that_is_no_message_ends_the_stream_with_a_clear_code(steps: Steps, raw: bytes) -> None:
    async def enter() -> tuple[grpc.StatusCode, list[bytes]]:
        bearer = await bearer_of(steps, "operator")
        async with grpc.aio.insecure_channel(steps.floor.address) as channel:
            return await send(channel, "/bearpit.v1.TradingService/EnterOrders", [raw], bearer)

    code, _ = steps.run(enter())
    assert code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_of_more_than_four_megabytes_is_refused(steps: Steps) -> None:
    async def ask() -> None:
        operator = await steps.floor.operator()
        await operator.trading.CancelOrder(
            trading_pb2.CancelOrderRequest(order_id=1, request_id="x" * 5_000_000)
        )

    with pytest.raises(BearpitError) as caught:
        steps.run(ask())
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
