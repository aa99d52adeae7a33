"""Every RPC there is, by its path on the wire, and a bare call of any of them."""

import asyncio
from typing import Any

import grpc
from bearpit.client import BearpitError, contract
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

METHODS: dict[str, MethodDescriptor] = contract.METHODS | {
    f"/{service.full_name}/{method.name}": method
    for file in (health_pb2, reflection_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
OK, UNAUTHENTICATED = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
FAULTS = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,
}
FIRST_FRAME_SECONDS = 0.3


async def send(
    channel: grpc.aio.Channel, path: str, messages: list[bytes], bearer: str
) -> tuple[grpc.StatusCode, list[bytes]]:
    """How a call ends and what it answers; a stream of ours is left after its first frame, or its silence."""
    error, frames = await _ended(channel, path, messages, bearer)
    return (error.code() if error else OK), frames


async def outcome(channel: grpc.aio.Channel, path: str, bearer: str) -> tuple[grpc.StatusCode, str]:
    """How an empty request ends: the code, and the reason of a refusal."""
    error, _ = await _ended(channel, path, [b""], bearer)
    return (error.code(), BearpitError.from_rpc(error).reason) if error else (OK, "")


async def _ended(
    channel: grpc.aio.Channel, path: str, messages: list[bytes], bearer: str, again: bool = True
) -> tuple[grpc.aio.AioRpcError | None, list[bytes]]:
    """What a call was refused with, and what it had answered before."""
    frames: list[bytes] = []
    try:
        await _call(channel, path, messages, bearer, frames)
    except grpc.aio.AioRpcError as error:
        lost = error.code() is grpc.StatusCode.INTERNAL and not BearpitError.from_rpc(error).reason
        if again and lost and METHODS[path].client_streaming:
            # Ours has a reason always. Refused while its message is on the way, gRPC may lose the answer.
            return await _ended(channel, path, messages, bearer, again=False)
        return error, frames
    return None, frames


async def _call(
    channel: grpc.aio.Channel, path: str, messages: list[bytes], bearer: str, frames: list[bytes]
) -> None:
    method = METHODS[path]
    metadata = [("authorization", f"Bearer {bearer}")] if bearer else []
    if method.client_streaming:
        both: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(path)
        async for frame in both(iter(messages), metadata=metadata, timeout=10):
            frames.append(frame)
    elif method.server_streaming:
        streamed: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path)
        call = streamed(messages[0], metadata=metadata, timeout=10)
        try:
            async with asyncio.timeout(FIRST_FRAME_SECONDS):
                frame_or_end: Any = await call.read()
            if frame_or_end is not grpc.aio.EOF:
                frames.append(frame_or_end)
        except TimeoutError:
            pass
        finally:
            call.cancel()
    else:
        unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        frames.append(await unary(messages[0], metadata=metadata, timeout=10))
