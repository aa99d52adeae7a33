"""Headlines that move the prices of feeds; inside the caller's transaction.

A headline that is to come is `told` by the exchange when its time has come (`exchange.headlines`). One that
is withdrawn before is never shown to players; one that is withdrawn after stays, and its effect ends.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.texts import line
from bearpit_server.game.trading import instruments
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.rules.units import BPS
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Instrument, News

MAX_TEXT = 140
MAX_SYMBOLS = 1_000
DRIFT_BPS = (-9_000, 50_000)
VOLATILITY_BPS = (0, 100_000)
LIFETIME_SECONDS = 60
"""Of a headline whose author gives none."""
MAX_SECONDS = 366 * 24 * 60 * 60
"""How long one may work, and how far ahead it may be scheduled."""
SHOWN = 20
"""How many the market's status has."""
FEED = "feed"


@dataclass(frozen=True, slots=True)
class Headline:
    """A headline with the symbols that it moves. `ends_at` is when its effect ends."""

    news_id: int
    text: str
    symbols: tuple[str, ...]
    published_at: datetime
    ends_at: datetime
    drift_bps: int
    volatility_bps: int
    withdrawn: bool
    """Before it came out."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A headline as its author wants it; `publish_at` None: now."""

    text: str
    symbols: Sequence[str]
    drift_bps: int
    volatility_bps: int = BPS
    lifetime_seconds: int = 0
    publish_at: datetime | None = None


def publish(draft: Draft, origin: Origin) -> Headline:
    """Publish a headline, or schedule it. Raises Refused INVALID_FIELD, or NOT_FOUND for a symbol."""
    line("text", draft.text, 1, MAX_TEXT)
    _check("drift_bps", draft.drift_bps, *DRIFT_BPS)
    _check("volatility_bps", draft.volatility_bps, *VOLATILITY_BPS)
    _check("lifetime_seconds", draft.lifetime_seconds, 0, MAX_SECONDS)
    at = now()
    publish_at = draft.publish_at or at
    if not timedelta() <= publish_at - at <= timedelta(seconds=MAX_SECONDS):
        raise invalid("publish_at", "give a time to come, within a year, or none for now")
    moved = _moved(draft.symbols)
    row = News.create(
        text=draft.text,
        instrument_ids=sorted(moved),
        drift_bps=draft.drift_bps,
        volatility_bps=draft.volatility_bps,
        publish_at=publish_at,
        ends_at=publish_at + timedelta(seconds=draft.lifetime_seconds or LIFETIME_SECONDS),
        told=publish_at <= at,
        author_id=origin.actor_id,
        created_at=at,
    )
    payload = {
        "text": draft.text,
        "symbols": sorted(moved.values()),
        "drift_bps": draft.drift_bps,
        "volatility_bps": draft.volatility_bps,
        "publish_at": publish_at.isoformat(),
        "ends_at": row.ends_at.isoformat(),
    }
    kind = "news.published" if row.told else "news.scheduled"
    log.append([Event(kind, f"news:{row.id}", origin, payload)], at)
    return _headline(row, moved)


def withdraw(news_id: int, origin: Origin) -> Headline:
    """Take back a headline that is not out, or end the effect of one that is.

    Raises Refused NOT_FOUND, or NOT_POSSIBLE_NOW when there is nothing left to end.
    """
    row: News | None = News.select().where(News.id == news_id).for_update().first()
    if row is None:
        raise not_found("headline", news_id)
    at = now()
    if row.withdrawn_at is not None or row.ends_at <= at:
        raise Refused(
            "NOT_POSSIBLE_NOW", "this headline has no effect any more", "news_id",
            state="withdrawn" if row.withdrawn_at else "over",
        )  # fmt: skip
    row.withdrawn_at = at
    row.save(only=[News.withdrawn_at])
    log.append([Event("news.withdrawn", f"news:{row.id}", origin, {"told": row.told})], at)
    return _with_symbols([row])[0]


def page(limit: int, after_id: int | None, everything: bool) -> list[Headline]:
    """Headlines, newest first, after the one of that id; those that are not out only with `everything`."""
    rows = News.select().order_by(News.publish_at.desc(), News.id.desc()).limit(limit)
    if not everything:
        rows = rows.where(News.told)
    if after_id is not None:
        last = News.get_or_none(News.id == after_id)
        if last is None:
            return []
        earlier = (News.publish_at == last.publish_at) & (News.id < last.id)
        rows = rows.where((News.publish_at < last.publish_at) | earlier)
    return _with_symbols(list(rows))


def latest() -> list[Headline]:
    """What the market's status has of them."""
    return page(SHOWN, None, everything=False)


def _moved(symbols: Collection[str]) -> dict[int, str]:
    """The instruments of these symbols, by id. Raises Refused NOT_FOUND or INVALID_FIELD."""
    if len(symbols) > MAX_SYMBOLS:
        raise invalid("symbols", f"give at most {MAX_SYMBOLS}")
    found = [instruments.get(symbol) for symbol in set(symbols)]
    for row in found:
        if row.mechanism != FEED:
            raise invalid(
                "symbols", f"{row.symbol} is of {row.mechanism}; news move the prices of feeds only"
            )
    return {row.id: row.symbol for row in found}


def _with_symbols(rows: Sequence[News]) -> list[Headline]:
    ids = {id_ for row in rows for id_ in row.instrument_ids}
    symbols: dict[int, str] = {}
    if ids:
        query = Instrument.select(Instrument.id, Instrument.symbol).where(Instrument.id << list(ids))
        symbols = dict(query.tuples())
    return [_headline(row, symbols) for row in rows]


def _headline(row: News, symbols: dict[int, str]) -> Headline:
    told: Iterable[str] = (symbols[id_] for id_ in row.instrument_ids)
    is_cut = row.told and row.withdrawn_at is not None
    return Headline(
        news_id=int(row.id),
        text=row.text,
        symbols=tuple(sorted(told)),
        published_at=row.publish_at,
        ends_at=row.withdrawn_at if is_cut else row.ends_at,
        drift_bps=row.drift_bps,
        volatility_bps=row.volatility_bps,
        withdrawn=row.withdrawn_at is not None and not row.told,
    )


def _check(field: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise invalid(field, f"give a number from {lowest} to {highest}")
