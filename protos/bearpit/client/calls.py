"""Every call on its way out gets a deadline, the sign-in and a request id; its error is translated."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

import grpc

from bearpit.client import contract
from bearpit.client.errors import BearpitError
from bearpit.client.session import Session

Q = TypeVar("Q")
R = TypeVar("R")
Details = grpc.aio.ClientCallDetails


def interceptors(
    session: Session, deadline: float, new_request_id: Callable[[], str]
) -> list[grpc.aio.ClientInterceptor]:
    """One for each kind of RPC; grpc.aio takes an object for one kind only."""
    return [
        _Unary(session, deadline, new_request_id),
        _Streamed(session, new_request_id),
        _Collected(session),
        _Bidirectional(session, new_request_id),
    ]


def path_of(details: Details) -> str:
    """grpc.aio hands the path over as bytes, against its own types."""
    method: str | bytes = details.method
    return method.decode() if isinstance(method, bytes) else method


async def _signed(session: Session, details: Details, timeout: float | None) -> tuple[Details, str]:
    """The details with the access token in them, and that token; empty if none goes along."""
    path = path_of(details)
    ours = path in contract.METHODS and path not in contract.WITHOUT_SIGN_IN
    bearer = await session.bearer() if ours else ""
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if bearer:
        metadata.add("authorization", f"Bearer {bearer}")
    return Details(details.method, timeout, metadata, details.credentials, details.wait_for_ready), bearer


def is_stale(error: BearpitError, session: Session, bearer: str) -> bool:
    """Whether another token could help."""
    return bool(bearer) and error.reason == "NOT_SIGNED_IN" and session.can_renew


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, session: Session, deadline: float, new_request_id: Callable[[], str]) -> None:
        self._session = session
        self._deadline = deadline
        self._new_request_id = new_request_id

    async def intercept_unary_unary(
        self,
        continuation: Callable[[Details, Q], Awaitable[grpc.aio.UnaryUnaryCall[Q, R]]],
        client_call_details: Details,
        request: Q,
    ) -> R:
        if path_of(client_call_details) in contract.MUTATIONS:
            request = contract.with_request_ids(request, self._new_request_id)
        timeout = client_call_details.timeout
        timeout = self._deadline if timeout is None else timeout
        bearer = ""
        for last in (False, True):
            details, bearer = await _signed(self._session, client_call_details, timeout)
            try:
                return await (await continuation(details, request))
            except grpc.aio.AioRpcError as raw:
                error = BearpitError.from_rpc(raw, contract.request_id_of(request))
                if last or not is_stale(error, self._session, bearer):
                    raise error from raw
            await self._session.renew(bearer)
        raise AssertionError("the second round returns or raises")


class _Streamed(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, session: Session, new_request_id: Callable[[], str]) -> None:
        self._session = session
        self._new_request_id = new_request_id

    async def intercept_unary_stream(
        self,
        continuation: Callable[[Details, Q], Awaitable[grpc.aio.UnaryStreamCall[Q, R]]],
        client_call_details: Details,
        request: Q,
    ) -> AsyncIterator[R]:
        if path_of(client_call_details) in contract.MUTATIONS:
            request = contract.with_request_ids(request, self._new_request_id)
        details, bearer = await _signed(self._session, client_call_details, client_call_details.timeout)
        call = await continuation(details, request)

        async def frames() -> AsyncIterator[R]:
            nonlocal call
            began = False
            try:
                while True:
                    try:
                        async for frame in call:
                            began = True
                            yield frame
                        return
                    except grpc.aio.AioRpcError as raw:
                        error = BearpitError.from_rpc(raw)
                        if began or not is_stale(error, self._session, bearer):
                            raise error from raw
                    began = True  # once is enough
                    await self._session.renew(bearer)
                    again, _ = await _signed(self._session, client_call_details, client_call_details.timeout)
                    call = await continuation(again, request)
            finally:
                call.cancel()

        return frames()


class _Collected(grpc.aio.StreamUnaryClientInterceptor):
    """What is sent cannot be sent again, so a sign-in that has become stale is not renewed on the way.

    grpc.aio wants a call of its own in return, so its error is translated by `Client.push_prices`.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def intercept_stream_unary(
        self,
        continuation: Callable[
            [Details, AsyncIterable[Q] | Iterable[Q]], Awaitable[grpc.aio.StreamUnaryCall[Q, R]]
        ],
        client_call_details: Details,
        request_iterator: AsyncIterable[Q] | Iterable[Q],
    ) -> grpc.aio.StreamUnaryCall[Q, R]:
        details, _ = await _signed(self._session, client_call_details, client_call_details.timeout)
        return await continuation(details, request_iterator)


class _Bidirectional(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, session: Session, new_request_id: Callable[[], str]) -> None:
        self._session = session
        self._new_request_id = new_request_id

    async def intercept_stream_stream(
        self,
        continuation: Callable[
            [Details, AsyncIterable[Q] | Iterable[Q]], Awaitable[grpc.aio.StreamStreamCall[Q, R]]
        ],
        client_call_details: Details,
        request_iterator: AsyncIterable[Q] | Iterable[Q],
    ) -> grpc.aio.StreamStreamCall[Q, R] | AsyncIterator[R]:
        details, _ = await _signed(self._session, client_call_details, client_call_details.timeout)
        if path_of(details) in contract.MUTATIONS:
            request_iterator = self._filled(request_iterator)
        call = await continuation(details, request_iterator)
        return _translated(call)

    async def _filled(self, requests: AsyncIterable[Q] | Iterable[Q]) -> AsyncIterator[Q]:
        if isinstance(requests, AsyncIterable):
            async for request in requests:
                yield contract.with_request_ids(request, self._new_request_id)
        else:
            for request in requests:
                yield contract.with_request_ids(request, self._new_request_id)


async def _translated(call: grpc.aio.StreamStreamCall[Q, R]) -> AsyncIterator[R]:
    try:
        async for frame in call:
            yield frame
    except grpc.aio.AioRpcError as raw:
        raise BearpitError.from_rpc(raw) from raw
