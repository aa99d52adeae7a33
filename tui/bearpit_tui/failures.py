"""Failed calls: whether their outcome is known, and what they are in words."""

from __future__ import annotations

import grpc
from bearpit.client import BearpitError
from bearpit.client.errors import CONNECTION_FAULTS
from bearpit_tui.words import refusal_words

_LOST_CODES = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)


def answer_lost(error: BearpitError) -> bool:
    """Whether it is unknown what became of a call, and asking again may tell."""
    return error.code in _LOST_CODES


def connection_fault(error: BearpitError) -> str:
    """What is wrong with the connection itself, which no waiting mends, and what to do; else empty."""
    if error.reason or error.message not in CONNECTION_FAULTS.values():
        return ""
    return f"{error.message} Start bearpit with --tls, --ca FILE or neither, as the server serves."


def unreachable_words(error: BearpitError, server: str) -> str:
    """Why a server that was named by hand does not answer, and what to do."""
    if fault := connection_fault(error):
        return f"No connection to {server}. {fault}"
    why = ": there is no host of that name" if "no host" in error.message else ""
    return f"{server} cannot be reached{why}. Check the address, or start a server with bearpit-server."


def error_words(error: BearpitError) -> str:
    """Any failure of a call in words, with what to do next."""
    if fault := connection_fault(error):
        return fault
    if not error.reason and answer_lost(error):
        return "The server cannot be reached. Wait until the connection is back, then try again."
    return refusal_words(error.reason, error.message, error.metadata)
