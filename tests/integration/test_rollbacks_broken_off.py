"""Rollbacks that are cut short anywhere, and any trading at all: they end as if nothing had happened."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from bearpit.client import Client
from bearpit.v1 import rollbacks_pb2 as pb
from bearpit.v1 import trading_pb2, wallet_pb2
from bearpit_server.rollback import runner, work
from bearpit_server.storage import clock
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.floor import SHARED, Steps
from tests.integration.machines import bounds
from tests.integration.test_rollbacks import (
    DEBT,
    DONE,
    HOUSE,
    PLAYER,
    REFUSE,
    ask,
    done,
    give,
    meet,
    named,
    since,
)
from tests.orders import buy, sell
from tests.venue import Venue

T = TypeVar("T")
Alone = Callable[[Callable[[], Any]], Awaitable[Any]]


class Power(Exception):
    """It went away."""


def fragile(alone: Alone, chance: random.Random) -> Alone:
    """Steps of which some are undone just before their commit, and some are never heard of again after it."""

    async def run(step: Callable[[], Any]) -> Any:
        fate = chance.choice(("well", "undone", "unheard"))

        def cut() -> Any:
            step()
            raise Power

        result = await alone(cut if fate == "undone" else step)
        if fate == "unheard":
            raise Power
        return result

    return run


@SHARED
@pytest.mark.parametrize("policy", [REFUSE, DEBT, HOUSE])
@pytest.mark.parametrize("seed", range(4))
async def test_cut_short_anywhere_it_ends_the_same(
    floor: Venue, seed: int, policy: pb.ShortagePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    pair = await meet(floor, fee_bps=30, cash_cents=20_000)
    before = await pair.wallets()
    for _ in range(8):
        seller = chance.choice((pair.ada, pair.bob))
        held = {p.symbol: p.quantity for p in (await floor.wallet(seller)).positions}
        await pair.trade(
            chance.randint(1, 5) if held.get(pair.symbol, 0) > 5 else 3,
            chance.randint(50, 150),
            pair.ada if held.get(pair.symbol, 0) <= 5 else seller,
        )
    if policy != REFUSE:
        for client in (pair.ada, pair.bob):
            await give(pair, client, (await floor.wallet(client)).cash_cents)
    # What one transaction would come to.
    told = await ask(
        floor, level=PLAYER, player=pair.bob_name, since=since(), policy=policy, validate_only=True
    )
    monkeypatch.setattr(work, "AT_ONCE", 2)
    monkeypatch.setattr(work, "BATCH", 3)
    monkeypatch.setattr(runner, "LOOK_SECONDS", 0.01)
    real = floor.running.rollbacks.alone
    monkeypatch.setattr(floor.running.rollbacks, "alone", fragile(real, chance))
    made = await ask(floor, level=PLAYER, player=pair.bob_name, since=since(), policy=policy)
    over = await done(floor, made.rollback.rollback_id)
    assert (over.state, over.total, over.done) == (DONE, 8, 8)
    after = await pair.wallets()
    if policy == REFUSE:
        assert after == before
    debts = {short.player: short.debt_cents for short in told.effects.shortages}
    for wallet, name in zip(after, (pair.ada_name, pair.bob_name), strict=True):
        assert wallet.held_cents == 0
        assert not any(position.held for position in wallet.positions)
        assert wallet.debt_cents == debts.get(name, 0)
    assert not floor.rows("SELECT 1 FROM earmarks")
    (reversals,) = floor.rows(
        f"SELECT count(*) FROM reversals WHERE rollback_id = {over.rollback_id} AND reversed_at IS NOT NULL"
    )
    assert reversals == (8,)


@SHARED
async def test_whoever_spends_what_is_free_meanwhile_finds_no_more_than_was_free(
    floor: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await meet(floor, fee_bps=0, cash_cents=10_000)
    for _ in range(6):
        await pair.trade(5, 100)
    monkeypatch.setattr(work, "AT_ONCE", 2)
    monkeypatch.setattr(work, "BATCH", 2)
    real = floor.running.rollbacks.alone
    free = []

    async def spending(step: Callable[[], Any]) -> Any:
        result = await real(step)
        wallet = await floor.wallet(pair.ada)
        free.append(wallet.cash_cents - wallet.held_cents)
        floor.prove()  # what it earmarks is explained at every moment
        if free[-1] and len(free) == 3:
            other = await floor.trader(0)
            await floor.transfer(pair.ada, await named(floor, other), free[-1])
        return result

    monkeypatch.setattr(floor.running.rollbacks, "alone", spending)
    made = await ask(floor, level=PLAYER, player=pair.bob_name, since=since())
    over = await done(floor, made.rollback.rollback_id)
    assert over.state == DONE
    assert free == [13_000, 10_000, 10_000, 0, 0, 0, 0]
    ada, bob = await pair.wallets()
    assert (ada.cash_cents, ada.debt_cents, bob.cash_cents) == (0, 0, 10_000)


# Any trading

deals = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 9), st.integers(50, 150)),
    min_size=1, max_size=12,
)  # fmt: skip


def test_after_any_trading_a_players_rollback_takes_exactly_his_trades_back(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(trading: list[tuple[int, int, int, int]], policy: pb.ShortagePolicy, at_once: int) -> None:
        floor = steps.floor
        floor.forget_operator()
        monkeypatch.setattr(work, "AT_ONCE", at_once)
        monkeypatch.setattr(work, "BATCH", 2)
        symbol = await floor.instrument(fee_bps=40)
        clients = [await floor.trader(10_000, **{symbol: 20}) for _ in range(3)]
        names = [await named(floor, client) for client in clients]
        before = [await floor.wallet(client) for client in clients]
        moved = [[0, 0] for _ in clients]
        for seller, buyer, quantity, price in trading:
            if seller != buyer:
                await deal(floor, symbol, (clients[seller], clients[buyer]), quantity, price)
        ended = [await floor.wallet(client) for client in clients]
        for client, sums in zip(clients, moved, strict=True):
            for fill in await floor.fills(client):
                sign = 1 if fill.side == trading_pb2.SIDE_BUY else -1
                partner = await sides(floor, fill.trade_id)
                if names[0] in partner:
                    sums[0] += sign * fill.price_cents * fill.quantity + fill.fee_cents
                    sums[1] -= sign * fill.quantity
        if not await floor.fills(clients[0]):
            return
        terms = {"level": PLAYER, "player": names[0], "since": beginning(), "policy": policy}
        told = await ask(floor, validate_only=True, **terms)
        if policy == REFUSE and told.effects.shortages:
            return
        made = await ask(floor, **terms)
        over = await done(floor, made.rollback.rollback_id)
        assert over.state == DONE
        after = [await floor.wallet(client) for client in clients]
        if not told.effects.shortages:
            for one, was, sums in zip(after, ended, moved, strict=True):
                assert one.cash_cents == was.cash_cents + sums[0]
                assert shares(one) == shares(was) + sums[1]
            assert after[0] == before[0]
        debts = {short.player: short.debt_cents for short in told.effects.shortages}
        for one, name in zip(after, names, strict=True):
            assert one.debt_cents == debts.get(name, 0)
            assert one.held_cents == 0
        floor.prove()

    @bounds(15)
    @given(deals, st.sampled_from([REFUSE, DEBT, HOUSE]), st.sampled_from([2, 1_000]))
    def run(trading: list[tuple[int, int, int, int]], policy: pb.ShortagePolicy, at_once: int) -> None:
        steps.run(play(trading, policy, at_once))

    run()


async def deal(floor: Venue, symbol: str, pair: tuple[Client, Client], quantity: int, price: int) -> None:
    """One sells to the other, if both can."""
    seller, buyer = pair
    have, cash = shares(await floor.wallet(seller)), (await floor.wallet(buyer)).cash_cents
    if have >= quantity and cash >= quantity * price + quantity * price // 100 + 1:
        await floor.place(seller, sell(symbol, quantity, price))
        await floor.place(buyer, buy(symbol, quantity, price))


def shares(wallet: wallet_pb2.Wallet) -> int:
    return sum(position.quantity for position in wallet.positions)


async def sides(floor: Venue, trade_id: int) -> tuple[str, str]:
    (row,) = floor.rows(
        "SELECT b.name, s.name FROM trades t JOIN players b ON b.id = t.buyer_id "
        f"JOIN players s ON s.id = t.seller_id WHERE t.id = {trade_id}"
    )
    return row[0], row[1]


def beginning() -> Timestamp:
    made = Timestamp()
    made.FromDatetime((clock.now() - timedelta(days=1)).replace(tzinfo=None))
    return made
