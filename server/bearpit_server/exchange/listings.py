"""The instruments as the exchange knows them, re-read whenever operators may have changed them."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bearpit_server.rules import mechanisms
from bearpit_server.rules.limits import Terms
from bearpit_server.rules.mechanisms import Counterparty, Mechanism
from bearpit_server.rules.parameters import parse
from bearpit_server.rules.refusals import not_found
from bearpit_server.rules.sessions import Phase
from bearpit_server.rules.windows import Times, WindowState, takes_orders
from bearpit_server.storage.models import CASH, HOUSE, Account, Instrument, Window, WindowInstrument


@dataclass(frozen=True, slots=True)
class Tills:
    """The accounts of who is on the other side of an instrument's orders."""

    cash: int
    shares: int


@dataclass(frozen=True, slots=True)
class Opening:
    """A trading window of an instrument that is not over."""

    window_id: int
    state: WindowState
    times: Times


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument."""

    id: int
    symbol: str
    name: str
    mechanism: Mechanism[Any, Any]
    group_id: int
    """0: none."""
    parameters: Any
    """Its mechanism's, for this instrument."""
    shard: int
    terms: Terms
    fee_bps: int
    halted: bool
    phase: Phase
    """The last phase its book was in, as committed."""
    ipo_price_cents: int
    ipo_quantity: int
    ipo_order_id: int
    shares_issued: int
    treasury_account: int
    tills: Tills | None
    """None where players trade with each other."""
    price_cents: int
    """What its mechanism made last, as committed; 0: none, or it follows from the tills."""
    priced_at: datetime | None
    openings: tuple[Opening, ...]
    """Of instruments that trade by windows."""

    def window_at(self, at: datetime) -> int:
        """The window that takes orders; 0: none."""
        trading = (made for made in self.openings if takes_orders(made.state, made.times, at))
        return next((made.window_id for made in trading), 0)

    def may_trade(self, at: datetime) -> bool:
        """Whether its windows, if it trades by such, let it: to the moment, whatever phase its book is in."""
        return not self.mechanism.by_window or bool(self.window_at(at))


class Listings:
    """All instruments, by id and by symbol; replaced whole by `load`."""

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self.by_id: dict[int, Listing] = {}
        self.by_symbol: dict[str, Listing] = {}

    def load(self) -> None:
        """Read them; inside a transaction. Of two who do so the later one has read the later."""
        with self._loading:
            self._load()

    def _load(self) -> None:
        accounts = {
            (instrument or asset, asset, kind): (id_, balance)
            for asset, kind, instrument, id_, balance in Account.select(
                Account.asset, Account.kind, Account.instrument_id, Account.id, Account.balance
            )
            .where(Account.owner == HOUSE, (Account.asset > 0) | (Account.instrument_id > 0))
            .tuples()
        }
        openings = _openings()
        rows = Instrument.select().order_by(Instrument.symbol)
        found = [_listing(row, accounts, openings.get(row.id, ())) for row in rows]
        self.by_id = {listing.id: listing for listing in found}
        self.by_symbol = {listing.symbol: listing for listing in found}

    def find(self, symbol: str) -> Listing:
        """The instrument of that symbol. Raises Refused NOT_FOUND."""
        listing = self.by_symbol.get(symbol) or self.by_symbol.get(symbol.upper())
        if listing is None:
            raise not_found("instrument", symbol[:24])
        return listing

    def of_shards(self, shards: Iterable[int]) -> list[Listing]:
        """Those in these shards."""
        wanted = set(shards)
        return [listing for listing in self.by_id.values() if listing.shard in wanted]


Houses = dict[tuple[int, int, str], tuple[int, int]]
"""The house's accounts and their balances, by instrument, asset and kind."""


def _listing(row: Instrument, accounts: Houses, openings: tuple[Opening, ...]) -> Listing:
    mechanism = mechanisms.find(row.mechanism)
    return Listing(
        id=row.id,
        symbol=row.symbol,
        name=row.name,
        mechanism=mechanism,
        group_id=row.group_id or 0,
        parameters=parse(mechanism.member_parameters, row.parameters),
        shard=row.shard,
        terms=Terms(
            row.symbol, row.tick_cents, row.lot, row.min_quantity, row.max_quantity, row.band_bps,
            row.reference_price_cents,
        ),
        fee_bps=row.fee_bps,
        halted=row.halted,
        phase=Phase(row.phase),
        ipo_price_cents=row.ipo_price_cents or 0,
        ipo_quantity=row.ipo_quantity or 0,
        ipo_order_id=row.ipo_order_id or 0,
        shares_issued=-accounts[row.id, row.id, "issuer"][1],
        treasury_account=accounts[row.id, row.id, "treasury"][0],
        tills=_tills(row.id, mechanism.counterparty, accounts),
        price_cents=row.price_cents,
        priced_at=row.priced_at,
        openings=openings,
    )  # fmt: skip


def _tills(id_: int, counterparty: Counterparty, accounts: Houses) -> Tills | None:
    """The house issues what it sells and redeems what it buys; a pool has what it has."""
    if counterparty is Counterparty.PLAYERS:
        return None
    if counterparty is Counterparty.HOUSE:
        return Tills(accounts[id_, CASH, "dealer"][0], accounts[id_, id_, "issuer"][0])
    return Tills(accounts[id_, CASH, "pool"][0], accounts[id_, id_, "pool"][0])


_CURRENT = [int(state) for state in WindowState if WindowState.CREATED < state < WindowState.SETTLED]


def _openings() -> dict[int, tuple[Opening, ...]]:
    """By instrument: the windows that are announced and not over."""
    rows = (
        Window.select(
            WindowInstrument.instrument,
            Window.id,
            Window.state,
            Window.opens_at,
            Window.trades_at,
            Window.trading_ends_at,
            Window.settles_at,
            Window.closes_at,
        )
        .join(WindowInstrument, on=(WindowInstrument.window == Window.id))
        .where(Window.state << _CURRENT)
        .order_by(Window.id)
        .tuples()
    )
    found: dict[int, tuple[Opening, ...]] = {}
    for instrument_id, window_id, state, *times in rows:
        opening = Opening(window_id, WindowState(state), Times(*times))
        found[instrument_id] = (*found.get(instrument_id, ()), opening)
    return found
