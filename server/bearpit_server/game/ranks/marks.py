"""What a share of each instrument counts as now; inside the caller's transaction. See rules.marks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import peewee as pw

from bearpit_server.rules import marks as rules
from bearpit_server.rules.marks import LONGER, Mark, Source, Thickness, Traded
from bearpit_server.rules.mechanisms import MECHANISMS, Counterparty
from bearpit_server.rules.mechanisms.attention import AttentionMember, price_of
from bearpit_server.rules.parameters import parse
from bearpit_server.storage import ranks as storage
from bearpit_server.storage.models import CASH, Account, Instrument
from bearpit_server.storage.models.ranks import RankMark
from bearpit_server.storage.settings import Settings


@dataclass(frozen=True, slots=True)
class Marked:
    """An instrument's mark; of a pool also its cash in cents and all its shares."""

    instrument_id: int
    tick_cents: int
    mark: Mark
    pool_cents: int | None = None
    pool_shares: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A mark as it is shown; prices in cents, 0: none."""

    symbol: str
    mark: Mark
    last_cents: int


def thickness(settings: Settings) -> Thickness:
    """From when on a book counts as traded, as the settings say now."""
    return Thickness(
        settings.number("mark_trades"), settings.number("mark_pairs"), settings.number("mark_seconds")
    )


def find(thick: Thickness, at: datetime) -> list[Marked]:
    """The marks of all instruments."""
    rows = list(Instrument.select())
    kinds = {row.id: MECHANISMS[row.mechanism].counterparty for row in rows}
    tills = _tills()
    books = _books([row for row in rows if kinds[row.id] is Counterparty.PLAYERS], thick, at)
    found = []
    for row in rows:
        if kinds[row.id] is Counterparty.POOL:
            shares = parse(AttentionMember, row.parameters).shares
            cash = tills.get(row.id, 0)
            mark = rules.pool(price_of(cash, shares, row.tick_cents))
            found.append(Marked(row.id, row.tick_cents, mark, cash, shares))
        elif kinds[row.id] is Counterparty.HOUSE:
            mark = rules.dealing(row.price_cents, row.reference_price_cents)
            found.append(Marked(row.id, row.tick_cents, mark))
        else:
            found.append(Marked(row.id, row.tick_cents, books[row.id]))
    return found


def write(edition: int, marked: Sequence[Marked]) -> None:
    """Keep an edition's marks."""
    if not marked:
        return
    share = storage.MOST // len(marked)
    rows = [
        (
            one.instrument_id, one.mark.cents, one.pool_cents, one.pool_shares, one.tick_cents,
            share // max(one.mark.cents, 1), int(one.mark.source), one.mark.trades, one.mark.pairs,
        )
        for one in marked
    ]  # fmt: skip
    storage.insert_marks(edition, list(zip(*rows, strict=True)))


def listed(edition: int, symbol: str, after: str, limit: int) -> list[Shown]:
    """An edition's marks by symbol, or only one's, with the last prices."""
    query = (
        RankMark.select(RankMark, Instrument.symbol)
        .join(Instrument, on=(Instrument.id == RankMark.instrument_id), attr="instrument")
        .where(RankMark.edition_id == edition, Instrument.symbol > after)
        .order_by(Instrument.symbol)
        .limit(limit)
    )
    if symbol:
        query = query.where(Instrument.symbol == symbol)
    rows = list(query)
    last = storage.last_prices([row.instrument_id for row in rows])
    return [
        Shown(
            row.instrument.symbol,
            Mark(row.mark_cents, Source(row.source), row.trades, row.pairs),
            last.get(row.instrument_id, 0),
        )
        for row in rows
    ]


def latest_by_symbol() -> dict[str, int]:
    """The marks of the latest edition, in cents; none where there has been none."""
    latest = RankMark.select(pw.fn.max(RankMark.edition_id))
    query = RankMark.select(Instrument.symbol, RankMark.mark_cents).join(
        Instrument, on=(Instrument.id == RankMark.instrument_id)
    )
    return dict(query.where(RankMark.edition_id == latest).tuples())


def _tills() -> dict[int, int]:
    """The cash of each pool, by instrument."""
    rows = Account.select(Account.instrument_id, Account.balance).where(
        Account.kind == "pool", Account.asset == CASH
    )
    return dict(rows.tuples())


def _books(rows: Sequence[Instrument], thick: Thickness, at: datetime) -> dict[int, Mark]:
    """The marks of what is traded in books. The longer history is read only of those that need it."""
    latest = _traded([row.id for row in rows], thick.trades, at)
    found = {row.id: rules.book(latest[row.id], row.reference_price_cents, thick) for row in rows}
    thin = [
        row
        for row in rows
        if found[row.id].source is not Source.LATEST_TRADES and len(latest[row.id]) == thick.trades
    ]
    longer = _traded([row.id for row in thin], thick.trades * LONGER, at)
    return found | {row.id: rules.book(longer[row.id], row.reference_price_cents, thick) for row in thin}


def _traded(instruments: Iterable[int], limit: int, at: datetime) -> dict[int, list[Traded]]:
    """The latest trades of each, newest first."""
    found: dict[int, list[Traded]] = defaultdict(list)
    for instrument_id, *trade in storage.latest_trades([*instruments], limit, at):
        found[instrument_id].append(Traded(*trade))
    return found
