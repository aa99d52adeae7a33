"""The instruments as the exchange knows them, re-read whenever operators may have changed them."""

from collections.abc import Iterable
from dataclasses import dataclass

from bearpit_server.rules.limits import Terms
from bearpit_server.rules.refusals import not_found
from bearpit_server.rules.sessions import Phase
from bearpit_server.storage.models import HOUSE, Account, Instrument


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument."""

    id: int
    symbol: str
    name: str
    mechanism: str
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


class Listings:
    """All instruments, by id and by symbol; replaced whole by `load`."""

    def __init__(self) -> None:
        self.by_id: dict[int, Listing] = {}
        self.by_symbol: dict[str, Listing] = {}

    def load(self) -> None:
        """Read them; inside a transaction."""
        accounts: dict[tuple[int, str], tuple[int, int]] = {
            (asset, kind): (id_, balance)
            for asset, kind, id_, balance in Account.select(
                Account.asset, Account.kind, Account.id, Account.balance
            )
            .where(Account.owner == HOUSE, Account.asset > 0)
            .tuples()
        }
        found = [_listing(row, accounts) for row in Instrument.select().order_by(Instrument.symbol)]
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


def _listing(row: Instrument, accounts: dict[tuple[int, str], tuple[int, int]]) -> Listing:
    return Listing(
        id=row.id,
        symbol=row.symbol,
        name=row.name,
        mechanism=row.mechanism,
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
        shares_issued=-accounts[row.id, "issuer"][1],
        treasury_account=accounts[row.id, "treasury"][0],
    )  # fmt: skip
