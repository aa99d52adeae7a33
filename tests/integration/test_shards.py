"""Leases: one owner a shard, and an epoch that tells a late one."""

import os
import subprocess
import sys
import threading

import pytest
from bearpit_server.exchange.shards import SHARDS, ShardLost, Shards, owner_name
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Shard
from peewee import SQL

from tests.postgres import Postgres

ALL = set(range(SHARDS))


def server(port: int, host: str = "far") -> Shards:
    """A server as if on another machine: nobody can see whether its process lives."""
    made = Shards(f"10.0.0.1:{port}")
    made.owner = f"10.0.0.1:{port} {host} 1"
    return made


def renew(database: Database, shards: Shards) -> tuple[set[int], set[int]]:
    with database.transaction():
        gained, lost = shards.renew()
    shards.adopt(gained)
    return gained, lost


def expire(database: Database, *shards: int) -> None:
    with database.transaction():
        query = Shard.update(expires_at=SQL("clock_timestamp() - interval '1 second'"))
        query.where(Shard.id << (shards or tuple(ALL))).execute()


def check(database: Database, shards: Shards, *wanted: int) -> None:
    with database.transaction():
        shards.check(wanted)


def test_the_first_takes_all_and_the_second_nothing(database: Database) -> None:
    first, second = server(1), server(2)
    assert renew(database, first) == (ALL, set())
    assert renew(database, second) == (set(), set())
    check(database, first, *ALL)
    with pytest.raises(ShardLost):
        check(database, second, 3)
    assert second.elsewhere(3).metadata == {"address": "10.0.0.1:1"}


def test_renewing_keeps_the_epoch_and_moves_the_end(database: Database) -> None:
    first = server(1)
    renew(database, first)
    before = {row.id: (row.epoch, row.expires_at) for row in Shard.select()}
    assert renew(database, first) == (set(), set())
    for row in Shard.select():
        assert row.epoch == before[row.id][0]
        assert row.expires_at > before[row.id][1]


def test_an_expired_lease_is_taken_and_the_late_owner_can_commit_nothing(database: Database) -> None:
    first, second = server(1), server(2)
    renew(database, first)
    expire(database, 3, 5)
    assert renew(database, second) == ({3, 5}, set())
    check(database, second, 3, 5)
    check(database, first, 4)
    for wanted in ([3], [4, 5], list(ALL)):
        with pytest.raises(ShardLost):
            check(database, first, *wanted)
    assert renew(database, first) == (set(), {3, 5})
    assert first.epochs.keys() == ALL - {3, 5}
    assert first.elsewhere(3).metadata == {"address": "10.0.0.1:2"}


def test_an_expired_lease_that_nobody_took_is_kept_with_its_epoch(database: Database) -> None:
    first = server(1)
    renew(database, first)
    epochs = dict(first.epochs)
    expire(database)
    check(database, first, *ALL)
    assert renew(database, first) == (set(), set())
    assert first.epochs == epochs


def test_who_takes_back_what_another_had_has_both_lost_and_gained_it(database: Database) -> None:
    first, second = server(1), server(2)
    renew(database, first)
    old = dict(first.epochs)
    expire(database, 7)
    renew(database, second)
    expire(database, 7)
    assert renew(database, first) == ({7}, {7})
    assert first.epochs[7] == old[7] + 2
    first.epochs[7] = old[7]
    with pytest.raises(ShardLost):
        check(database, first, 7)


def test_what_is_gained_is_not_ours_before_it_is_adopted(database: Database) -> None:
    first = server(1)
    with database.transaction():
        gained, _ = first.renew()
    with pytest.raises(ShardLost):
        check(database, first, 0)
    first.adopt(gained)
    check(database, first, 0)


def test_a_shard_that_does_not_exist_is_nobodys(database: Database) -> None:
    first = server(1)
    renew(database, first)
    with pytest.raises(ShardLost):
        check(database, first, SHARDS)


def test_what_is_released_is_free_at_once(database: Database) -> None:
    first, second = server(1), server(2)
    renew(database, first)
    with database.transaction():
        first.release()
    with pytest.raises(ShardLost):
        check(database, first, 0)
    assert renew(database, second) == (ALL, set())


def test_releasing_leaves_alone_what_another_has_taken(database: Database) -> None:
    first, second = server(1), server(2)
    renew(database, first)
    expire(database, 2)
    renew(database, second)
    with database.transaction():
        first.release()
    check(database, second, 2)


def test_a_dead_process_of_this_host_need_not_be_waited_for(database: Database) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, alive, heir = server(1), server(2), Shards("10.0.0.1:3")
    dead.owner = owner_name("10.0.0.1:1").replace(str(os.getpid()), str(gone.pid))
    renew(database, dead)
    assert renew(database, heir) == (ALL, set())
    alive.owner = owner_name("10.0.0.1:2").replace(str(os.getpid()), str(os.getppid()))
    expire(database)
    renew(database, alive)
    assert renew(database, heir) == (set(), ALL)


def test_nobody_takes_a_shard_while_a_transaction_relies_on_it(
    postgres: Postgres, database: Database
) -> None:
    first, second = server(1), server(2)
    renew(database, first)
    expire(database, 4)
    took = threading.Event()

    def take() -> None:
        try:
            renew(database, second)
            took.set()
        finally:
            database.disconnect()

    thread = threading.Thread(target=take)
    with database.transaction():
        first.check([4])
        thread.start()
        assert not took.wait(0.3), "the lease is locked"
    thread.join(10)
    assert took.is_set()
    assert second.epochs.keys() == {4}
    with pytest.raises(ShardLost):
        check(database, first, 4)


def test_of_two_that_come_at_once_each_shard_has_one(database: Database) -> None:
    servers = [server(n) for n in range(4)]
    barrier = threading.Barrier(len(servers))

    def take(one: Shards) -> None:
        barrier.wait()
        try:
            renew(database, one)
        finally:
            database.disconnect()

    threads = [threading.Thread(target=take, args=(one,)) for one in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    owned = [shard for one in servers for shard in one.epochs]
    assert sorted(owned) == sorted(ALL)
