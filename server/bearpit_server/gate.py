"""The one gate in front of every RPC: who may, how often, and what an error looks like from outside."""

import asyncio
import inspect
from asyncio import sleep
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from typing import NoReturn, TypeAlias, cast

import grpc
from bearpit.v1 import trading_pb2
from google.protobuf.message import Message

from bearpit_server.identity.authority import Authority
from bearpit_server.identity.callers import Call, Caller, enter, not_signed_in
from bearpit_server.identity.rates import Rates, address_of
from bearpit_server.rules.refusals import Refused, frozen
from bearpit_server.rules.roles import not_allowed
from bearpit_server.services import errors, wire
from bearpit_server.services.permissions import ACCESS, Access, Rate

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_STREAMS = 50
"""Open at once for one player or service, and for one address that has not signed in."""
MAX_ORDERS = 1_000
"""What one call may count as; a larger batch is refused by its service anyway."""
LINES_A_CALL = 100
"""A page of a list counts as a call for so many lines: a long one costs what many short ones do."""
MAX_LINES = 1_000
"""What a page may have; a longer one is refused by its service anyway."""
RECHECK_SECONDS = 2.0

SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 1_000),
    # Two servers on one port would take turns with the calls, unnoticed.
    ("grpc.so_reuseport", 0),
    # Clients ping every 10 s, also while they only listen; by default that counts as abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
"""For `grpc.aio.server(options=...)`."""

Context: TypeAlias = "grpc.aio.ServicerContext[Message, Message]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Message, Message]"
_Received: TypeAlias = bytes | AsyncIterable[Message]
_Unary: TypeAlias = Callable[[object, Context], Awaitable[Message]]
_Behaviour: TypeAlias = _Unary | Callable[[object, Context], AsyncGenerator[Message, None]]
_Served: TypeAlias = Callable[..., Awaitable[object]]

_metadata: ContextVar[tuple[tuple[str, str | bytes], ...]] = ContextVar("metadata", default=())


class _Stream:
    """An open stream: whose, and why it has to end, once it has to."""

    __slots__ = ("access", "caller", "refusal", "task", "token")

    def __init__(self, caller: Caller | None, token: str, access: Access) -> None:
        task = asyncio.current_task()
        assert task is not None, "grpc.aio serves each call in a task"
        self.caller = caller
        self.token = token
        self.access = access
        self.task = task
        self.refusal: Refused | None = None

    def end(self, refusal: Refused) -> None:
        if self.refusal is None:
            self.refusal = refusal
            self.task.cancel()


class Gate(grpc.GenericRpcHandler):
    """Checks permission, token and rate of each call, parses its message, and translates its errors.

    Servicers are added to it, and it is the one handler that a server has: of methods that are added to a
    server itself, grpc.aio waits for the next call of each, and looks through all of them at every call.
    What has to be asked of the database for a call is remembered by the Authority, so most calls pass on a
    few look-ups.
    """

    def __init__(self, authority: Authority, rates: Rates, accesses: Mapping[str, Access] = ACCESS) -> None:
        self._authority = authority
        self._rates = rates
        self._accesses = accesses
        self._handlers: dict[str, Handler] = {}
        self._streams: set[_Stream] = set()
        self._streams_of: Counter[int | str] = Counter()

    @property
    def open_streams(self) -> int:
        """Streams that are open now."""
        return len(self._streams)

    @property
    def registry(self) -> grpc.aio.Server:
        """What generated code adds servicers to, in place of a server."""
        return cast(grpc.aio.Server, self)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Called by generated code; the last handler of a method counts."""
        for name, handler in handlers.items():
            method = f"/{service}/{name}"
            self._handlers[method] = self._guarded(method, handler)

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Called by generated code, with the same handlers once more."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Called by gRPC for each call; it answers UNIMPLEMENTED to a method that is not here."""
        # Handed on here because asking the context for it again would convert all of it once more.
        _metadata.set(handler_call_details.invocation_metadata)
        return self._handlers.get(handler_call_details.method)

    async def watch(self) -> None:
        """End the streams of those whose sign-in has ended; runs until cancelled."""
        while True:
            await sleep(RECHECK_SECONDS)
            await self.recheck()

    async def recheck(self) -> None:
        """Check once of every open stream whether it would be let in now."""
        for stream in list(self._streams):
            if stream.caller is None:
                continue
            try:
                _check(await self._authority.confirm(stream.caller, stream.token), stream.access)
            except Refused as refusal:
                if refusal.reason != "DATABASE_UNAVAILABLE":
                    stream.end(refusal)

    def end_streams(self) -> None:
        """End all streams, for the server stops; their clients come back to another process or a new one."""
        for stream in list(self._streams):
            stream.end(Refused("NOT_READY", "the server is stopping; try again in a moment"))

    # --- admission ------------------------------------------------------------------------------

    async def _admit(self, method: str, access: Access | None, context: Context) -> tuple[Call, str]:
        """Let the call in, and enter it as the current one; also returns its token. Raises Refused."""
        if access is None:
            raise Refused("NOT_ALLOWED", "this call is not open to anybody")
        address = address_of(context.peer())
        if access.rate is not Rate.FREE:
            self._rates.call_from(address)
        if access.rate is Rate.SIGN_IN:
            self._rates.sign_in_from(address)
        if access.public:
            call, token = Call(method, address, None), ""
        else:
            token = _bearer()
            caller = self._authority.recognise(token)
            if caller is None:
                caller = await self._authority.authenticate(token)
            call = Call(method, address, caller)
            if caller.operator_id:
                await self._authority.witness(call)  # what is refused then was tried all the same
            _check(caller, access)
            self._rates.call_by(caller.actor_id or caller.name)
        enter(call)
        return call, token

    def _count(self, access: Access | None, call: Call, request: Message) -> None:
        """Count what only the message tells. Raises Refused RATE_LIMITED."""
        if access is None or access.rate.value < Rate.SIGN_IN.value:
            return
        if access.rate is Rate.ORDERS and call.caller is not None:
            batch = request.orders if isinstance(request, trading_pb2.PlaceOrdersRequest) else ()
            count = min(max(1, len(batch)), MAX_ORDERS)
            self._rates.orders_by(call.caller.player_id, count)
        elif access.rate is Rate.SIGN_IN:
            self._rates.sign_in_as(call.caller.name if call.caller else getattr(request, "name", ""))

    async def _pace(self, call: Call, request: Message) -> None:
        """Let who reads by long pages wait until they are counted; they are not refused."""
        lines = min(getattr(request, "page_size", 0), MAX_LINES)
        if call.caller is None or lines <= LINES_A_CALL:
            return
        caller, more = call.caller.actor_id or call.caller.name, (lines - 1) // LINES_A_CALL
        wait = self._rates.calls_wait(caller, more)
        while wait:
            await sleep(wait)
            wait = self._rates.calls_wait(caller, more)

    # --- one wrapper for each kind of RPC -------------------------------------------------------

    def _guarded(self, method: str, plain: Handler) -> Handler:
        decode = plain.request_deserializer
        assert decode is not None, "our messages are protobuf"

        def parse(raw: bytes) -> Message:
            return wire.parse(decode, raw)

        if plain.response_streaming:
            streaming = self._streaming(method, plain, parse)
            if plain.request_streaming:
                return grpc.stream_stream_rpc_method_handler(streaming, parse, plain.response_serializer)
            return grpc.unary_stream_rpc_method_handler(streaming, None, plain.response_serializer)
        unary = self._unary(method, plain, parse)
        if plain.request_streaming:
            return grpc.stream_unary_rpc_method_handler(unary, parse, None)
        # The bytes come as they are: parsing waits until it is known who sent them.
        return grpc.unary_unary_rpc_method_handler(unary, None, None)

    def _unary(self, method: str, plain: Handler, parse: Callable[[bytes], Message]) -> _Served:
        access = self._accesses.get(method)
        inner = cast(_Unary, _behaviour(plain))
        encode = plain.response_serializer
        assert encode is not None, "our messages are protobuf"

        async def serve(received: _Received, context: Context) -> bytes:
            try:
                call, token = await self._admit(method, access, context)
                if isinstance(received, bytes):
                    request = parse(received)
                    wire.check(request)
                    self._count(access, call, request)
                    await self._pace(call, request)
                    return encode(await inner(request, context))
                with self._opened(call, token) as stream:
                    requests = self._paced(access, call, received)
                    return encode(await _until_ended(inner(requests, context), stream))
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                return await errors.abort(context, errors.refusal_of(error, method))

        return serve

    def _streaming(self, method: str, plain: Handler, parse: Callable[[bytes], Message]) -> _Served:
        access = self._accesses.get(method)
        inner = _behaviour(plain)

        async def serve(received: _Received, context: Context) -> None:
            try:
                call, token = await self._admit(method, access, context)
                request: object
                if isinstance(received, bytes):
                    request = parse(received)
                    wire.check(request)
                    self._count(access, call, request)
                else:
                    request = self._paced(access, call, received)
                with self._opened(call, token) as stream:
                    await _run(inner, request, context, stream)
            except (grpc.aio.AbortError, grpc.aio.InternalError):
                raise  # it is said, or there is nobody left to say it to
            except Exception as error:
                await errors.abort(context, errors.refusal_of(error, method))

        return serve

    @contextmanager
    def _opened(self, call: Call, token: str) -> Iterator[_Stream]:
        """Keep book of a stream. Raises Refused LIMIT_EXCEEDED if the caller has too many."""
        owner = f"@{call.address}" if call.caller is None else call.caller.player_id or call.caller.name
        used = self._streams_of[owner]
        if used >= MAX_STREAMS:
            raise Refused(
                "LIMIT_EXCEEDED",
                f"you have {used} open streams; end some first",
                limit="open_streams",
                allowed=MAX_STREAMS,
                used=used,
            )
        stream = _Stream(call.caller, token, self._accesses[call.method])
        self._streams.add(stream)
        self._streams_of[owner] += 1
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            self._streams_of[owner] -= 1
            if not self._streams_of[owner]:
                del self._streams_of[owner]

    async def _paced(
        self, access: Access | None, call: Call, requests: AsyncIterable[Message]
    ) -> AsyncIterator[Message]:
        """The requests of a stream; orders that come too fast are let in later, not refused."""
        counted = access is not None and access.rate is Rate.ORDERS and call.caller is not None
        player_id = call.caller.player_id if call.caller is not None else 0
        async for request in requests:
            if counted and _is_order(request):
                wait = self._rates.orders_wait(player_id, 1)
                while wait:
                    await sleep(wait)
                    wait = self._rates.orders_wait(player_id, 1)
            yield request


async def _run(inner: _Behaviour, request: object, context: Context, stream: _Stream) -> None:
    """Run a streaming service until it ends, or until the gate ends it."""
    try:
        if inspect.isasyncgenfunction(inner):
            async with aclosing(inner(request, context)) as frames:
                async for frame in frames:
                    await context.write(frame)
        else:
            await cast(_Unary, inner)(request, context)
    except asyncio.CancelledError:
        _raise_why(stream)
        raise


async def _until_ended(serving: Awaitable[Message], stream: _Stream) -> Message:
    """What is answered to a stream of requests, unless the gate ends it."""
    try:
        return await serving
    except asyncio.CancelledError:
        _raise_why(stream)
        raise


def _raise_why(stream: _Stream) -> None:
    """Raises the gate's reason to end a stream, if it was the gate that did."""
    if stream.refusal is not None:
        stream.task.uncancel()
        raise stream.refusal from None


async def _unimplemented(request: object, context: Context) -> NoReturn:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this server does not know this call")


def _behaviour(handler: Handler) -> _Behaviour:
    """What the servicer does; what is no coroutine is a method it has left to its base class."""
    inner = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        return cast(_Behaviour, inner)
    return _unimplemented


def _bearer() -> str:
    """The token of the current call. Raises Refused NOT_SIGNED_IN."""
    for key, value in _metadata.get():
        if key == "authorization" and isinstance(value, str) and value[:7].lower() == "bearer ":
            return value[7:]
    raise not_signed_in()


def _check(caller: Caller, access: Access) -> None:
    """Raises Refused NOT_ALLOWED, PLAYER_FROZEN or NOT_WHILE_IMPERSONATING."""
    needed = access.permission
    assert needed is not None, "what is public is let in before"
    if caller.is_service:
        if access.scope == "*" or access.scope in caller.scopes:
            return
        raise Refused("NOT_ALLOWED", "this token's scopes do not allow this; ask an operator for another")
    if access.in_person and caller.operator_id:
        raise Refused(
            "NOT_WHILE_IMPERSONATING",
            f"nobody does this through the eyes of {caller.name}; sign in as yourself",
        )
    if caller.may(needed):
        return
    if needed in caller.permissions:
        raise frozen()
    raise not_allowed(f"this needs the permission {needed}", needed)


def _is_order(request: Message) -> bool:
    return isinstance(request, trading_pb2.EnterOrdersRequest) and request.WhichOneof("entry") != "cancel"
