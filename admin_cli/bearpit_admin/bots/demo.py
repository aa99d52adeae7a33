"""The demo game: what is listed, who trades for the house, and with what. Loading it again is safe."""

import asyncio
import secrets
from dataclasses import dataclass
from itertools import islice

from bearpit.client import BearpitError, Client
from bearpit.v1 import admin_pb2, market_pb2
from bearpit.v1.announcements_pb2 import AnnounceRequest

from bearpit_admin.bots import scenarios
from bearpit_admin.bots.accounts import Account, Accounts
from bearpit_admin.bots.history import History

FIRST_WEEK = 104
"""The demo begins in August 2006: before it, Apple's adjusted price is so low that a cent is a big step."""
STARTING_CASH_CENTS = 10_000_000
HOUSE_CASH_CENTS = 10**11
"""A billion points: the makers must not run dry in a four-day camp."""
VISITOR_CASH_CENTS = 1
REASON = "stock in trade of the demo's house bots"
WELCOME = "Welcome to the bear pit. BEAR is on sale at 25.00, first come, first served."
WELCOME_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Stock:
    """A listed stock of the demo."""

    symbol: str
    name: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A first sale of the demo."""

    symbol: str
    name: str
    price_cents: int
    quantity: int


STOCKS = (
    Stock("AAPL", "Apple"),
    Stock("GOOG", "Google"),
    Stock("IBM", "International Business Machines"),
    Stock("MSFT", "Microsoft"),
)
OFFER = Offer("BEAR", "Bearpit Robotics", 2_500, 100_000)
MAKERS = ("house-maker-1", "house-maker-2")
TRADERS = ("house-trader-1", "house-trader-2", "house-trader-3", "house-trader-4")
VISITORS = ("visitor-1", "visitor-2", "visitor-3", "visitor-4", "visitor-5")
"""They look at the biomes. Not the house's by name: the looks of its bots do not count."""
MAKER_SHARES = 1_000_000
"""What a maker begins with of each stock; its inventory is measured from there."""
TRADER_SHARES = 20_000


async def load(client: Client, history: History, known: Accounts | None = None) -> Accounts:
    """Bring the game to where the demo can run, and return its bots' accounts.

    What is there already stays as it is, an operator's changes too; bots that have run low are given
    more. `client` is an operator's. Raises BearpitError.
    """
    answer = await client.market.ListInstruments(market_pb2.ListInstrumentsRequest(page_size=1000))
    listed = {instrument.symbol: instrument for instrument in answer.instruments}
    if OFFER.symbol not in listed:
        await _set_starting_cash(client)
    for stock in STOCKS:
        if stock.symbol not in listed:
            await _list(client, stock.symbol, stock.name, history.value(stock.symbol, FIRST_WEEK))
    if OFFER.symbol not in listed:
        await _list(client, OFFER.symbol, OFFER.name, OFFER.price_cents)
    if OFFER.symbol not in listed or not listed[OFFER.symbol].HasField("ipo"):
        await _offer(client)
    for scenario in scenarios.DEMO:
        await scenarios.furnish(client, scenario)
    await _open(client)
    await scenarios.begin_story(client, scenarios.CHAPTERS)
    makers = (_bot(client, name, MAKER_SHARES, known) for name in MAKERS)
    traders = (_bot(client, name, TRADER_SHARES, known) for name in TRADERS)
    visitors = (_bot(client, name, 0, known, VISITOR_CASH_CENTS) for name in VISITORS)
    bots = iter(await asyncio.gather(*makers, *traders, *visitors))
    return Accounts(*(tuple(islice(bots, len(names))) for names in (MAKERS, TRADERS, VISITORS)))


async def _set_starting_cash(client: Client) -> None:
    """More than the game's default, unless an operator has chosen."""
    settings = (await client.admin.GetSettings(admin_pb2.GetSettingsRequest())).settings
    cash = next(setting for setting in settings if setting.key == "starting_cash_cents")
    if cash.value == cash.default_value:
        values = {cash.key: str(STARTING_CASH_CENTS)}
        await client.admin.UpdateSettings(admin_pb2.UpdateSettingsRequest(values=values))


async def _list(client: Client, symbol: str, name: str, reference_price_cents: int) -> None:
    await client.admin.CreateInstrument(
        admin_pb2.CreateInstrumentRequest(
            symbol=symbol, name=name, reference_price_cents=reference_price_cents
        )
    )


async def _offer(client: Client) -> None:
    await client.admin.OpenIpo(
        admin_pb2.OpenIpoRequest(symbol=OFFER.symbol, price_cents=OFFER.price_cents, quantity=OFFER.quantity)
    )
    await client.announcements.Announce(AnnounceRequest(title=WELCOME, lifetime_seconds=WELCOME_SECONDS))


async def _open(client: Client) -> None:
    """Open the market by hand, unless an operator has closed it or given it hours."""
    hours = await client.admin.GetSchedule(admin_pb2.GetScheduleRequest())
    if hours.override == admin_pb2.MARKET_OVERRIDE_NONE and not hours.HasField("schedule"):
        await client.admin.SetMarketOverride(
            admin_pb2.SetMarketOverrideRequest(override=admin_pb2.MARKET_OVERRIDE_OPEN)
        )


async def _bot(
    client: Client, name: str, shares: int, known: Accounts | None, wants_cents: int = HOUSE_CASH_CENTS
) -> Account:
    """The bot's player, with a known password and enough of everything."""
    password = known.password_of(name) if known else ""
    try:
        wallet = (await client.admin.GetPlayer(admin_pb2.GetPlayerRequest(name=name))).wallet
        if not password:
            password = secrets.token_urlsafe(24)
            await client.admin.ResetPassword(admin_pb2.ResetPasswordRequest(name=name, password=password))
        has = {position.symbol: position.quantity for position in wallet.positions}
        cash = wallet.cash_cents
    except BearpitError as error:
        if error.code.name != "NOT_FOUND":
            raise
        password = secrets.token_urlsafe(24)
        await client.admin.CreatePlayer(
            admin_pb2.CreatePlayerRequest(name=name, password=password, cash_cents=wants_cents)
        )
        has, cash = {}, wants_cents
    await _fill(client, name, "", cash, wants_cents)
    await asyncio.gather(
        *(_fill(client, name, stock.symbol, has.get(stock.symbol, 0), shares) for stock in STOCKS)
    )
    return Account(name, password)


async def _fill(client: Client, name: str, symbol: str, has: int, wants: int) -> None:
    """Give what is missing, once less than half is left."""
    if has * 2 < wants:
        await client.admin.AdjustBalance(
            admin_pb2.AdjustBalanceRequest(name=name, symbol=symbol, amount=wants - has, reason=REASON)
        )
