"""Passwords, kept as argon2id hashes, computed on a few threads so that nobody else waits for them."""

import asyncio
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bearpit_server.rules.refusals import Refused

T = TypeVar("T")

STRONG = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
"""RFC 9106's second choice with half its memory and one lane: 50 to 70 ms of one core, 32 MiB."""
MAX_WAITING = 64
"""Sign-ins in line; the last of them waits some two seconds. Those beyond are told to come back."""
BUSY_FOR_MS = 1_000


class Passwords:
    """Hashes and checks passwords. `parameters` are injectable because tests hash often."""

    def __init__(self, parameters: PasswordHasher = STRONG, threads: int = 0) -> None:
        self._hasher = parameters
        threads = threads or max(1, (os.cpu_count() or 1) // 2)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._waiting = 0
        # What an unknown name's password is checked against, so that it takes as long as a known one's.
        self._nobody = parameters.hash(secrets.token_urlsafe())

    def hash_now(self, password: str) -> str:
        """The hash of a password, computed on this thread: for the command line."""
        return self._hasher.hash(password)

    async def hash(self, password: str) -> str:
        """The hash of a password. Raises Refused RATE_LIMITED when too many wait."""
        return await self._run(lambda: self._hasher.hash(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether a password is the one; always False, after as long a time, where there is no hash.

        Raises Refused RATE_LIMITED when too many wait.
        """
        return await self._run(lambda: self._matches(password_hash, password))

    def _matches(self, password_hash: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._nobody, password) and bool(password_hash)
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Refused(
                "RATE_LIMITED",
                "many people are signing in; try again in a second",
                retry_after_ms=BUSY_FOR_MS,
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown(cancel_futures=True)


def make_up() -> str:
    """A password for somebody who gave none: 96 bits of chance."""
    return secrets.token_urlsafe(12)
