"""Passwords are hashed beside the event loop, and only so many at once."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher
from bearpit_server.identity import passwords as module
from bearpit_server.identity.passwords import Passwords, make_up
from bearpit_server.rules.refusals import Refused

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_knows_a_password_again_and_no_other() -> None:
    passwords = Passwords(CHEAP)
    kept = await passwords.hash("correct horse")
    assert await passwords.matches(kept, "correct horse")
    assert not await passwords.matches(kept, "correct horsf")
    assert "horse" not in kept
    passwords.close()


async def test_where_there_is_no_hash_nothing_matches_but_it_is_compared_all_the_same() -> None:
    compared: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            compared.append(str(hash))
            return True

    passwords = Passwords(Watched(time_cost=1, memory_cost=8, parallelism=1))
    for nothing in (None, ""):
        assert not await passwords.matches(nothing, "correct horse")
    assert len(compared) == 2
    passwords.close()


async def test_a_hash_of_other_parameters_is_outdated() -> None:
    passwords = Passwords(CHEAP)
    kept = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)).hash_now("correct horse")
    assert passwords.is_outdated(kept)
    assert not passwords.is_outdated(passwords.hash_now("correct horse"))
    passwords.close()


async def test_a_flood_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    gate = threading.Event()

    class Slow(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            return gate.wait(30)

    passwords = Passwords(Slow(time_cost=1, memory_cost=8, parallelism=1), threads=1)
    waiting = [asyncio.ensure_future(passwords.matches("x", "correct horse")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as caught:
        await passwords.matches("x", "correct horse")
    assert caught.value.reason == "RATE_LIMITED"
    assert caught.value.metadata == {"retry_after_ms": "1000"}
    gate.set()
    assert await asyncio.gather(*waiting) == [True, True]
    passwords.close()


def test_a_made_up_password_is_new_each_time_and_long_enough() -> None:
    made = {make_up() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) >= 8 for password in made)
