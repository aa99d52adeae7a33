"""A server made of scripts, for the tests of the client: each RPC does what the test has written down."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from bearpit.client import Client, Timing, connect
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

CODES = {code.value[0]: code for code in grpc.StatusCode}
QUICK = Timing(backoff=0.001, backoff_limit=0.002, silence=30, jitter=lambda: 0.0)
Script = Callable[[Any], Any]


class Refusal(Exception):
    """What a script raises to end a call as the server would."""

    def __init__(self, code: grpc.StatusCode, reason: str = "", **metadata: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.metadata = metadata

    def details(self) -> bytes:
        status = status_pb2.Status(code=self.code.value[0], message=self.reason)
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain="bearpit", metadata=self.metadata)
        status.details.add().Pack(info)
        return bytes(status.SerializeToString())


class Stage(grpc.GenericRpcHandler):
    """Scripts by the name of their RPC, and what was asked of them."""

    def __init__(self) -> None:
        self.scripts: dict[str, tuple[Script, type[Message]]] = {}
        self.asked: list[tuple[str, Any, dict[str, str | bytes], float]] = []
        self.address = ""
        self._server: grpc.aio.Server | None = None

    def play(self, name: str, kind: type[Message], script: Script) -> None:
        """Let `script` answer an RPC: with a message, or as an async generator of frames."""
        self.scripts[name] = (script, kind)

    def requests(self, name: str) -> list[Any]:
        return [request for asked, request, _, _ in self.asked if asked == name]

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        name = handler_call_details.method.rpartition("/")[2]
        if name not in self.scripts:
            return None
        kind = self.scripts[name][1]

        def encode(message: Message) -> bytes:
            return message.SerializeToString()

        async def ask(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            metadata = dict(context.invocation_metadata() or ())
            self.asked.append((name, request, metadata, context.time_remaining() or 0.0))
            return self.scripts[name][0](request)

        async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await (await ask(request, context))
            except Refusal as refusal:
                await _abort(context, refusal)

        async def streaming(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                async for frame in await ask(request, context):
                    yield frame
            except Refusal as refusal:
                await _abort(context, refusal)

        if name == "EnterOrders":
            return grpc.stream_stream_rpc_method_handler(streaming, kind.FromString, encode)
        if name.startswith("Stream"):
            return grpc.unary_stream_rpc_method_handler(streaming, kind.FromString, encode)
        return grpc.unary_unary_rpc_method_handler(unary, kind.FromString, encode)

    async def start(self) -> None:
        """Begin, or begin again at the same address."""
        self._server = grpc.aio.server(handlers=[self], options=[("grpc.so_reuseport", 0)])
        port = self._server.add_insecure_port(self.address or "127.0.0.1:0")
        self.address = f"127.0.0.1:{port}"
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
        self._server = None


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop run until something holds. Raises TimeoutError after twenty seconds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for is of grpc's making, and sets no event
            await asyncio.sleep(0)


async def _abort(context: grpc.aio.ServicerContext[Any, Any], refusal: Refusal) -> None:
    trailing = (("grpc-status-details-bin", refusal.details()),) if refusal.reason else ()
    await context.abort(refusal.code, refusal.reason, trailing)


@asynccontextmanager
async def staged(timing: Timing = QUICK) -> AsyncIterator[tuple[Stage, Client]]:
    """A server without any script yet, and a client of it."""
    stage = Stage()
    await stage.start()
    try:
        async with connect(stage.address, timing=timing) as client:
            yield stage, client
    finally:
        await stage.stop()
