"""All bots of the house in one process; each comes back by itself after whatever happens to the server."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random

from bearpit.client import BearpitError, Client, connect

from bearpit_admin.bots import demo, history, scenarios
from bearpit_admin.bots.accounts import Account, Accounts, read_weeks, write_weeks
from bearpit_admin.bots.board import Board, HistoryClock
from bearpit_admin.bots.quoting import Style
from bearpit_admin.bots.traders import Maker, NoiseTrader, Wanderer, trade

logger = logging.getLogger(__name__)

Session = Callable[[Client], Coroutine[None, None, None]]
"""What a bot does while it is signed in."""

SAVE_SECONDS = 2.0
FIRST_WAIT_SECONDS = 0.5
LAST_WAIT_SECONDS = 15.0
STYLES = (
    Style(levels=5, quantity=100, inventory_limit=50_000),
    Style(levels=6, quantity=220, offset_steps=1, inventory_limit=100_000),
)
"""One maker close to the value, one behind it with more."""


async def run(
    address: str,
    accounts: Accounts,
    state: Path,
    stop: asyncio.Event,
    random: Random,
    tls: bool | str = False,
) -> None:
    """Trade until told to stop; `state` keeps how far the history has come."""
    values = history.load()
    clock = HistoryClock(read_weeks(state, demo.FIRST_WEEK))
    board = Board()
    symbols = [stock.symbol for stock in demo.STOCKS]

    def value_of(symbol: str) -> int:
        return values.value(symbol, clock.weeks)

    def maker(style: Style) -> Maker:
        return Maker(board, value_of, symbols, style, demo.MAKER_SHARES, Random(random.random()))

    def trading(trader: Maker | NoiseTrader) -> Session:
        return lambda client: trade(client, trader)

    sessions: list[tuple[Account, Session]] = [(accounts.makers[0], board.follow)]
    sessions += [
        (account, trading(maker(style))) for account, style in zip(accounts.makers, STYLES, strict=False)
    ]
    sessions += [
        (account, trading(NoiseTrader(board, Random(random.random())))) for account in accounts.traders
    ]
    biomes = [biome.symbol for biome in scenarios.BIOMES.instruments]
    sessions += [
        (account, Wanderer(board, biomes, Random(random.random())).wander) for account in accounts.visitors
    ]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_always(address, tls, *session)) for session in sessions]
        running.append(tasks.create_task(_save(state, clock)))
        await stop.wait()
        for task in running:
            task.cancel()
    write_weeks(state, clock.weeks)


async def _always(address: str, tls: bool | str, account: Account, session: Session) -> None:
    """Sign in and do the work, again and again; the longer it fails, the longer the wait."""
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            async with connect(address, tls=tls) as client:
                await client.sign_in(account.name, account.password)
                if wait > FIRST_WAIT_SECONDS:
                    logger.info("%s trades again", account.name)
                wait = FIRST_WAIT_SECONDS
                await session(client)
        except* BearpitError as group:
            first = _first(group)
            logger.warning("%s waits: %s", account.name, first.message)
            asked = first.retry_after_seconds
        await asyncio.sleep(max(wait, asked))
        wait = min(wait * 2, LAST_WAIT_SECONDS)


def _first(group: BaseExceptionGroup[BearpitError]) -> BearpitError:
    """One of the errors; calls made together fail together."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    assert isinstance(inner, BearpitError)
    return inner


async def _save(state: Path, clock: HistoryClock) -> None:
    while True:
        write_weeks(state, clock.weeks)
        await asyncio.sleep(SAVE_SECONDS)
