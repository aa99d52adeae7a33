"""StreamWallet over gRPC and PostgreSQL: the wallet, then every change of it."""

import asyncio

from bearpit.v1.wallet_pb2 import StreamWalletRequest, StreamWalletResponse
from bearpit_server.events.records import WalletChange
from bearpit_server.ledger.accounts import open_account
from bearpit_server.storage.models import Account
from bearpit_server.streams.players import MEMORY

from tests.integration.stage import Stage, token, until
from tests.venue import refused


class Purse:
    """A client that follows a player's wallet."""

    def __init__(self, stage: Stage, player_id: int) -> None:
        self.stage = stage
        self.player_id = player_id
        self.cash: dict[int, int] = {}
        self.frames: list[StreamWalletResponse] = []

    async def open(self, after: int = 0) -> None:
        stub = await self.stage.wallet()
        request = StreamWalletRequest(after_sequence=after)
        self.call = stub.StreamWallet(request, metadata=token(self.player_id))

    async def read(self) -> StreamWalletResponse:
        async with asyncio.timeout(10):
            frame = await self.call.read()
            while isinstance(frame, StreamWalletResponse) and frame.HasField("heartbeat"):
                frame = await self.call.read()
        assert isinstance(frame, StreamWalletResponse), "the stream goes on"
        self.frames.append(frame)
        wallet = frame.snapshot if frame.HasField("snapshot") else frame.update
        self.cash[frame.sequence] = wallet.cash_cents
        return frame


def own(player_id: int, asset: int, quantity: int, realised: int) -> None:
    """Shares out of nowhere, which only a test may make."""
    account = open_account(player_id, asset)
    Account.update(balance=quantity, cost_cents=10 * quantity, realised_cents=realised).where(
        Account.id == account
    ).execute()


async def test_the_snapshot_is_the_wallet_and_updates_follow_it(stage: Stage) -> None:
    player = await stage.player(cash_cents=500)
    listed = [await stage.list_instrument(symbol) for symbol in ("ZZZ", "AAA", "OUT", "NIL")]
    for instrument, (quantity, realised) in zip(listed, ((7, 0), (3, 1), (0, 25), (0, 0)), strict=True):
        await stage.database.run(own, player, instrument.id, quantity, realised)
    purse = Purse(stage, player)
    await purse.open()
    first = await purse.read()
    assert first.sequence == 1
    assert (first.snapshot.cash_cents, first.snapshot.player_id) == (500, player)
    assert [(p.symbol, p.quantity, p.cost_cents, p.realised_cents) for p in first.snapshot.positions] == [
        ("AAA", 3, 30, 1),
        ("OUT", 0, 0, 25),
        ("ZZZ", 7, 70, 0),
    ]
    await stage.pay(player, 20)
    second = await purse.read()
    assert second.sequence == 2
    assert (second.update.cash_cents, list(second.update.positions)) == (520, [])
    stage.publish([WalletChange(player, 3, 320, 200, ((listed[0].id, 9, 1, 90, 0),))])
    third = await purse.read()
    assert (third.update.cash_cents, third.update.held_cents) == (320, 200)
    assert [(p.symbol, p.quantity, p.held) for p in third.update.positions] == [("ZZZ", 9, 1)]


async def test_a_wallet_resumes_while_the_changes_are_remembered(stage: Stage) -> None:
    player = await stage.player()
    stays, goes = Purse(stage, player), Purse(stage, player)
    for purse in (stays, goes):
        await purse.open()
        await purse.read()
    for cents in range(1, 6):
        await stage.pay(player, cents)
    await goes.read()
    goes.call.cancel()
    await goes.open(after=1)
    for _ in range(4):
        await goes.read()
    assert goes.cash == {0: 0, 1: 1, 2: 3, 3: 6, 4: 10, 5: 15}
    assert [frame.WhichOneof("frame") for frame in goes.frames] == ["snapshot"] + ["update"] * 5


async def test_a_wallet_that_did_not_change_resumes_though_nobody_watched(stage: Stage) -> None:
    player = await stage.player(cash_cents=5)
    purse = Purse(stage, player)
    await purse.open(after=1)
    await until(lambda: player in stage.bus.watched)
    await until(lambda: stage.streams.wallets._feeds[player].last == 1)
    await stage.pay(player, 5)
    assert (await purse.read()).update.cash_cents == 10


async def test_too_old_a_number_is_refused(stage: Stage) -> None:
    player = await stage.player()
    for _ in range(3):
        await stage.pay(player, 1)
    for after, reason in ((2, "RESUME_TOO_OLD"), (9, "RESUME_TOO_OLD"), (-1, "INVALID_FIELD")):
        purse = Purse(stage, player)
        await purse.open(after=after)
        assert (await refused(purse.call.read())).reason == reason
    stays, late = Purse(stage, player), Purse(stage, player)
    await stays.open()
    await stays.read()
    for _ in range(MEMORY + 1):
        await stage.pay(player, 1)
    await late.open(after=3)
    assert (await refused(late.call.read())).reason == "RESUME_TOO_OLD"


async def test_a_change_that_got_lost_is_told_as_a_whole_wallet(stage: Stage) -> None:
    player = await stage.player()
    purse, other = Purse(stage, player), Purse(stage, player)
    for one in (purse, other):
        await one.open()
        await one.read()
    await stage.pay(player, 1)
    await stage.pay(player, 10, told=False)
    await stage.pay(player, 100)
    for one in (purse, other):
        frames = [await one.read(), await one.read()]
        assert [frame.WhichOneof("frame") for frame in frames] == ["update", "snapshot"]
        assert frames[1].snapshot.cash_cents == 111
    await stage.pay(player, 1000, told=False)  # and nothing follows it
    for one in (purse, other):
        assert (await one.read()).snapshot.cash_cents == 1111
    await stage.pay(player, 1)
    for one in (purse, other):
        assert (await one.read()).update.cash_cents == 1112


async def test_every_number_tells_the_wallet_of_its_moment(stage: Stage) -> None:
    player = await stage.player()
    done = asyncio.Event()
    truth: dict[int, int] = {0: 0}

    async def pay() -> None:
        while not done.is_set():
            change = await stage.pay(player, 7)
            truth[change.sequence] = change.cash_cents

    async with asyncio.TaskGroup() as group:
        group.create_task(pay())
        for _ in range(8):
            purse = Purse(stage, player)
            await purse.open()
            for _ in range(4):
                await purse.read()
            purse.call.cancel()
            sequences = list(purse.cash)
            assert sequences == list(range(sequences[0], sequences[0] + 4))
            await until(lambda: max(purse.cash) in truth)  # noqa: B023 - called before the loop goes on
            assert purse.cash == {sequence: truth[sequence] for sequence in sequences}
        done.set()


async def test_orders_and_wallet_of_one_player_are_watched_together(stage: Stage) -> None:
    player = await stage.player()
    one, two = Purse(stage, player), Purse(stage, player)
    for purse in (one, two):
        await purse.open()
        await purse.read()
    one.call.cancel()
    await until(lambda: len(stage.streams.open) == 1)
    assert stage.bus.watched == {player}
    two.call.cancel()
    await until(lambda: not len(stage.streams.open))
    assert stage.bus.watched == set()
