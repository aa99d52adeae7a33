"""A PostgreSQL that may be killed and started again, and what tests of bad luck have in common."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from bearpit.client import BearpitError, Client, connect
from bearpit.v1 import admin_pb2
from bearpit.v1 import trading_pb2 as pb
from bearpit_server.storage.database import Database

from tests.orders import OPEN, buy
from tests.postgres import Postgres
from tests.venue import OPERATOR, PASSWORD, ServerProcess, prepare, prove


class FragilePostgres(Postgres):
    """A PostgreSQL of one's own, so that nobody else is disturbed when it goes away."""

    def kill(self) -> None:
        """End all of its processes as a power cut would."""
        pid = self._server.pid
        for process in (pid, *_children(pid)):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def stop_fast(self) -> None:
        """End it in good order, without waiting for those who are connected."""
        os.kill(self._server.pid, signal.SIGINT)

    async def gone(self) -> None:
        """Wait until nothing of it runs."""
        async with asyncio.timeout(20):
            while self._server.is_running():  # noqa: ASYNC110 - another process has no events for us
                await asyncio.sleep(0.02)

    async def start(self) -> None:
        """Start it again."""
        await self.gone()
        await asyncio.to_thread(self._server.start)


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


@dataclass(frozen=True)
class Site:
    """A database with an operator, and where server processes find it."""

    database: Database
    url: str
    folder: Path

    def server(self, name: str = "server") -> ServerProcess:
        """A server that is not started yet."""
        folder = self.folder / name
        folder.mkdir()
        return ServerProcess(self.url, folder)

    def prove(self) -> None:
        """The doctor's proofs all hold."""
        prove(self.database)


@contextmanager
def site(postgres: Postgres, folder: Path) -> Iterator[Site]:
    """A database with an operator and no limits on rates."""
    with postgres.database() as database:
        prepare(database)
        yield Site(database, postgres.url_of(database), folder)


@asynccontextmanager
async def serving(server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """The server, started; killed at the end if it still runs."""
    await server.start()
    try:
        yield server
    finally:
        server.kill()


async def open_game(operator: Client, symbols: tuple[str, ...], fee_bps: int = 0) -> None:
    """Instruments in a market that is open."""
    for symbol in symbols:
        await operator.admin.CreateInstrument(
            admin_pb2.CreateInstrumentRequest(symbol=symbol, name=symbol, fee_bps=fee_bps)
        )
    opened = admin_pb2.SetMarketOverrideRequest(override=OPEN)
    await operator.admin.SetMarketOverride(opened)


@asynccontextmanager
async def signed_in(address: str, name: str = OPERATOR) -> AsyncIterator[Client]:
    """A client of somebody who exists."""
    async with connect(address) as client:
        await client.sign_in(name, PASSWORD)
        yield client


async def make_player(
    operator: Client,
    name: str,
    symbols: tuple[str, ...],
    cash_cents: int = 100_000_000,
    shares: int = 100_000,
) -> None:
    """A player with cash and shares."""
    await operator.admin.CreatePlayer(
        admin_pb2.CreatePlayerRequest(name=name, password=PASSWORD, cash_cents=cash_cents)
    )
    for symbol in symbols:
        await operator.admin.AdjustBalance(
            admin_pb2.AdjustBalanceRequest(name=name, symbol=symbol, amount=shares, reason="test")
        )


async def until(
    attempt: Callable[[], Awaitable[object]], timeout_seconds: float = 20, reason: str | None = None
) -> None:
    """Try until it is done, or until it is refused for that reason; only UNAVAILABLE is borne with."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            try:
                await attempt()
                if reason is None:
                    return
            except BearpitError as error:
                if reason is not None and error.reason == reason:
                    return
                if error.code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
            await asyncio.sleep(0.02)


async def until_trading(client: Client, *symbols: str) -> None:
    """Wait until all of these are traded here."""
    for symbol in symbols:
        request = pb.PlaceOrderRequest(order=buy(symbol, 1, 1), request_id="?", validate_only=True)

        async def preview(request: pb.PlaceOrderRequest = request) -> None:
            answer = await client.trading.PlaceOrder(request)
            for refusal in answer.preview.refusals:
                raise BearpitError.from_refusal(refusal)

        await until(preview)
