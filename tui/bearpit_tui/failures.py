"""Failed calls: whether their outcome is known, and what they are in words."""

from __future__ import annotations

import grpc
from bearpit.client import BearpitError
from bearpit_tui.words import refusal_words

_LOST_CODES = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)


def answer_lost(error: BearpitError) -> bool:
    """Whether it is unknown what became of a call, and asking again may tell."""
    return error.code in _LOST_CODES


def error_words(error: BearpitError) -> str:
    """Any failure of a call in words, with what to do next."""
    if not error.reason and answer_lost(error):
        return "The server cannot be reached. Wait until the connection is back, then try again."
    return refusal_words(error.reason, error.message, error.metadata)
