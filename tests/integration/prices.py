"""Instruments whose prices the house or the players' eyes make, and a clock that only tests move."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from bearpit.client import Client
from bearpit.v1 import admin_pb2, market_pb2, pricing_pb2
from bearpit_server.exchange.engine import Engine
from bearpit_server.storage import clock
from bearpit_server.storage.models import Account, Mark
from google.protobuf.timestamp_pb2 import Timestamp

from tests.venue import Venue


class Time:
    """Stands still until a test moves it. It begins now, so that tokens hold for the clients as well."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def pass_by(self, seconds: float) -> None:
        """Move on."""
        self.now += timedelta(seconds=seconds)


@contextmanager
def stopped() -> Iterator[Time]:
    """The server's clock stands."""
    time = Time()
    clock.use(lambda: time.now)
    try:
        yield time
    finally:
        clock.use(None)


def engine(venue: Venue) -> Engine:
    """What makes steps."""
    return venue.running.exchange._engine


async def step(venue: Venue, time: Time, seconds: float = 1.0) -> None:
    """Let time pass, and the steps that are due then be made and committed."""
    time.pass_by(seconds)
    await engine(venue).prices.step()
    await venue.settled()


async def begin(venue: Venue, time: Time) -> None:
    """Open the market, and let all groups make the step that is due at once."""
    await venue.open_market()
    await step(venue, time, 0)


async def group(venue: Venue, name: str, mechanism: str = "feed", **parameters: object) -> pricing_pb2.Group:
    """A new group."""
    operator = await venue.operator()
    request = pricing_pb2.CreateGroupRequest(name=name, mechanism=mechanism, parameters=texts(parameters))
    return (await operator.pricing.CreateGroup(request)).group


async def change_group(venue: Venue, name: str, **parameters: object) -> pricing_pb2.Group:
    """Change a group's parameters."""
    operator = await venue.operator()
    request = pricing_pb2.UpdateGroupRequest(name=name, parameters=texts(parameters))
    return (await operator.pricing.UpdateGroup(request)).group


async def groups(venue: Venue) -> dict[str, pricing_pb2.Group]:
    """All groups by name."""
    operator = await venue.operator()
    found = (await operator.pricing.ListGroups(pricing_pb2.ListGroupsRequest())).groups
    return {one.name: one for one in found}


async def instrument(
    venue: Venue, symbol: str, mechanism: str = "feed", group: str = "", tick: int = 1, **parameters: object
) -> market_pb2.Instrument:
    """A new instrument without fees."""
    operator = await venue.operator()
    request = admin_pb2.CreateInstrumentRequest(
        symbol=symbol, name=symbol, fee_bps=0, tick_cents=tick, mechanism=mechanism, group=group,
        parameters=texts(parameters),
    )  # fmt: skip
    return (await operator.admin.CreateInstrument(request)).instrument


async def change(venue: Venue, symbol: str, **parameters: object) -> None:
    """Change an instrument's parameters."""
    operator = await venue.operator()
    await operator.admin.UpdateInstrument(
        admin_pb2.UpdateInstrumentRequest(symbol=symbol, parameters=texts(parameters))
    )


async def push(
    client: Client, *prices: tuple[str, int, datetime]
) -> pricing_pb2.PushPricesResponse:  # fmt: skip
    """Push prices in one stream: symbol, price in cents, moment."""

    async def requests() -> AsyncIterator[pricing_pb2.PushPricesRequest]:
        for symbol, cents, at in prices:
            yield pushed(symbol, cents, at)

    return await client.pricing.PushPrices(requests())


def pushed(symbol: str, cents: int, at: datetime) -> pricing_pb2.PushPricesRequest:
    """One price from outside."""
    moment = Timestamp()
    moment.FromDatetime(at)
    return pricing_pb2.PushPricesRequest(symbol=symbol, price_cents=cents, at=moment)


async def service(venue: Venue, *scopes: str) -> Client:
    """A client with a new service token."""
    operator = await venue.operator()
    request = admin_pb2.CreateServiceTokenRequest(name=f"svc.{'-'.join(scopes)}"[:24], scopes=scopes)
    secret = (await operator.admin.CreateServiceToken(request)).secret
    client = await venue.client()
    client.use_service_token(secret)
    return client


def texts(parameters: Mapping[str, object]) -> dict[str, str]:
    """Parameters as they are written."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in parameters.items()
    }


def marks(venue: Venue, symbol: str) -> list[int]:
    """The prices that steps have made of an instrument, oldest first."""
    id_ = venue.running.exchange.instruments[symbol].id
    with venue.database.transaction():
        return [
            mark.price_cents for mark in Mark.select().where(Mark.instrument_id == id_).order_by(Mark.step)
        ]


def till(venue: Venue, symbol: str) -> tuple[int, int]:
    """Cents and shares of the other side of an instrument."""
    tills = venue.running.exchange.instruments[symbol].tills
    assert tills is not None
    with venue.database.transaction():
        return tuple(Account.get_by_id(id_).balance for id_ in (tills.cash, tills.shares))
