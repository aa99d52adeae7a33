"""Parts of the server in memory: one a noun of `bearpit_tui.camp`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

NOW = datetime(2026, 3, 2, 14, 31, 7, tzinfo=UTC)

Note = Callable[[str, object], None]
"""Keeps what was asked, by the call's name, and raises what the test wants it to fail with."""
