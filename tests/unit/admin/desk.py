"""A server of canned answers for the command line: real stubs, real wire, and nothing behind it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from bearpit.client.contract import METHODS
from bearpit.v1 import auth_pb2
from bearpit_admin.app import app
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from typer.testing import CliRunner, Result

from tests.unit.client_stage import Refusal

Answer = Message | Refusal | Callable[[Any], Message]


class Desk(grpc.GenericRpcHandler):
    """Answers by the name of their RPC, and what was asked. A stream's answer is a list of frames."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {"GetMe": auth_pb2.GetMeResponse()}
        self.asked: list[tuple[str, Any]] = []
        self.bearers: list[str] = []

    def requests(self, name: str) -> list[Any]:
        return [request for asked, request in self.asked if asked == name]

    def only(self, name: str) -> Any:
        """The one request that this RPC has had."""
        [request] = self.requests(name)
        return request

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = handler_call_details.method
        name = path.rpartition("/")[2]
        if path not in METHODS or name not in self.answers:
            return None
        method = METHODS[path]

        def note(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            self.asked.append((name, request))
            self.bearers.append(str(dict(context.invocation_metadata() or ()).get("authorization", "")))

        async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            note(request, context)
            answer = self.answers[name]
            assert not isinstance(answer, list)
            return await _give(answer, request, context)

        async def streaming(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            note(request, context)
            frames = self.answers[name]
            assert isinstance(frames, list)
            for frame in frames:
                yield await _give(frame, request, context)

        async def taking(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            return await unary([request async for request in requests], context)

        read = GetMessageClass(method.input_type).FromString
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(taking, read, _write)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(streaming, read, _write)
        return grpc.unary_unary_rpc_method_handler(unary, read, _write)


def _write(message: Message) -> bytes:
    return message.SerializeToString()


async def _give(answer: Answer, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
    if isinstance(answer, Refusal):
        trailing = (("grpc-status-details-bin", answer.details()),) if answer.reason else ()
        await context.abort(answer.code, answer.reason, trailing)
    assert not isinstance(answer, Refusal)
    return answer if isinstance(answer, Message) else answer(request)


def admin(*arguments: str, said: str | None = None) -> Result:
    """One command, with what is typed at it or piped into it."""
    return CliRunner().invoke(app, arguments, input=said)


def done(*arguments: str, said: str | None = None) -> str:
    """The standard output of a command that succeeds."""
    result = admin(*arguments, said=said)
    assert result.exit_code == 0, result.output
    return result.stdout
