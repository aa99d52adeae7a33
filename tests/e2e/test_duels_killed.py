"""Kill the server while duels are played: no stake is lost or paid twice, and the limits end all of them."""

import asyncio
import random
import signal
from contextlib import ExitStack
from pathlib import Path

import grpc
from bearpit.client import BearpitError, Client
from bearpit.client.duels import Duelist, Secrets, verify
from bearpit.v1 import admin_pb2
from bearpit.v1 import duels_pb2 as pb

from tests.e2e.outages import Site, make_player, signed_in, site
from tests.postgres import Postgres
from tests.venue import ServerProcess

NAMES = ("ada", "bob", "eve")
CASH = 1_000_000
STAKE = 1_000
KILLS = 3
SETTINGS = {
    "duel_draws": "play_on",
    "duel_house_bps": "250",
    "duel_max_open": "30",
    "duel_accept_seconds": "2",
    "duel_move_seconds": "2",
}
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


async def test_killed_while_duels_are_played_and_started_again(postgres: Postgres, tmp_path: Path) -> None:
    with site(postgres, tmp_path) as made, ExitStack() as stack:
        server = made.server()
        stack.callback(server.kill)
        await server.start()
        async with signed_in(server.address) as operator:
            await operator.admin.UpdateSettings(admin_pb2.UpdateSettingsRequest(values=SETTINGS))
            for name in NAMES:
                await make_player(operator, name, (), CASH)
        before = _cash(made)
        chance = random.Random(7)
        for _ in range(KILLS):
            await _play_until_killed(made, server, tmp_path, chance)
            assert _in_escrow(made) > 0, "it was killed with stakes in escrow"
            await server.start()
        await _until_over(made)
        await _verify_all(server)
        server.stop()
        [(from_house,)] = _rows(made, _WON_FROM_THE_HOUSE)
        assert _cash(made) == before + from_house
        endings = {ending for (ending,) in _rows(made, "SELECT DISTINCT ending FROM duels")}
        assert pb.DUEL_ENDING_WON in endings
        assert endings & {pb.DUEL_ENDING_FORFEITED, pb.DUEL_ENDING_ABANDONED, pb.DUEL_ENDING_NOT_ACCEPTED}
        made.prove()


_WON_FROM_THE_HOUSE = """
SELECT coalesce(sum(CASE WHEN winner_id = 0 THEN -stake_cents WHEN winner_id > 0 THEN stake_cents END), 0)
FROM duels WHERE opponent_id = 0
"""


async def _play_until_killed(made: Site, server: ServerProcess, folder: Path, chance: random.Random) -> None:
    """Let all play until enough more has been settled, and stakes are in escrow; then the server is gone."""
    enough = _settled(made) + chance.randint(5, 25)

    gone = asyncio.Event()

    async def kill() -> None:
        async with asyncio.timeout(60):
            while not (_settled(made) >= enough and _holds_escrow(made, server)):  # noqa: ASYNC110 - no events
                await asyncio.sleep(0.005)
        server.kill()
        gone.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kill())
        for name in NAMES:
            tasks.create_task(_play(server.address, name, folder, chance.random(), gone))


def _holds_escrow(made: Site, server: ServerProcess) -> bool:
    """Stop the server if stakes are in escrow now, and let it go on if it has paid them out meanwhile."""
    if not _in_escrow(made):
        return False
    server.signal(signal.SIGSTOP)
    if _in_escrow(made):
        return True
    server.signal(signal.SIGCONT)
    return False


async def _play(address: str, name: str, folder: Path, seed: float, gone: asyncio.Event) -> None:
    """Do at random what there is to do, until the server is gone. Secrets are all that is kept."""
    chance = random.Random(seed)
    while not gone.is_set():
        try:
            async with signed_in(address, name) as client:
                duelist = Duelist(client, Secrets(folder / f"secrets-{name}"))
                while not gone.is_set():
                    await _turn(client, duelist, chance)
        except BearpitError as error:
            if error.code not in AWAY:
                raise


async def _turn(client: Client, duelist: Duelist, chance: random.Random) -> None:
    board, mine = [
        (await client.duels.ListDuels(pb.ListDuelsRequest(scope=scope, page_size=20))).duels
        for scope in (pb.DUEL_SCOPE_BOARD, pb.DUEL_SCOPE_MINE)
    ]
    move = chance.choice(["rock", "paper", "scissors"])
    committing = [duel for duel in mine if duel.state == pb.DUEL_STATE_COMMITTING]
    try:
        match chance.choice(["challenge", "house", "accept", "commit", "reveal", "reveal"]):
            case "challenge" if len(mine) < 5 or chance.random() < 0.3:
                await duelist.challenge(STAKE, move)
            case "house":
                await _against_house(client, duelist, move)
            case "accept" if board:
                await duelist.accept(chance.choice(board).duel_id, move)
            case "commit" if committing:
                await duelist.commit(committing[0], move)
            case _:
                await duelist.reveal_all(pb.Duels(mine=mine))
    except BearpitError as error:
        if not error.reason or error.code in AWAY:
            raise


async def _against_house(client: Client, duelist: Duelist, move: str) -> None:
    opened = await client.duels.OpenHouseDuel(pb.OpenHouseDuelRequest(stake_cents=STAKE))
    await duelist.play_house(opened.duel.duel_id, move)


async def _until_over(made: Site) -> None:
    async with asyncio.timeout(60):
        while _rows(made, "SELECT 1 FROM duels WHERE state <> 5 LIMIT 1"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    assert _in_escrow(made) == 0


async def _verify_all(server: ServerProcess) -> None:
    async with signed_in(server.address, "eve") as client:
        token, looked_at = "", 0
        while token or not looked_at:
            request = pb.ListDuelsRequest(scope=pb.DUEL_SCOPE_FINISHED, page_token=token)
            page = await client.duels.ListDuels(request)
            looked_at += len(page.duels)
            wrong = [finding for duel in page.duels for finding in verify(duel) if not finding.holds]
            assert not wrong, wrong
            token = page.next_page_token
    assert looked_at > 5 * KILLS


def _rows(made: Site, sql: str) -> list[tuple[int, ...]]:
    return list(made.database.execute(sql).fetchall())


def _cash(made: Site) -> int:
    """All cash but the issuer's."""
    return _rows(made, "SELECT sum(balance) FROM accounts WHERE asset = 0 AND kind <> 'issuer'")[0][0]


def _settled(made: Site) -> int:
    return _rows(made, "SELECT count(*) FROM duels WHERE state = 5")[0][0]


def _in_escrow(made: Site) -> int:
    return _rows(made, "SELECT balance FROM accounts WHERE kind = 'escrow'")[0][0]
