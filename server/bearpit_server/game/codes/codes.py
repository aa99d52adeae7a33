"""Codes in batches: making them, listing them, withdrawing them; inside the caller's transaction."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.game.texts import line
from bearpit_server.game.trading import instruments
from bearpit_server.rules.codes import NUMBERS, Kind, Use, text_of
from bearpit_server.rules.refusals import Refused, invalid, not_found
from bearpit_server.rules.units import BPS, MAX_QUANTITY
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Instrument, Player
from bearpit_server.storage.models.codes import Code, CodeBatch, Redemption

MAX_REASON = 80
MAX_USES = 1_000_000
LIFETIME_SECONDS = (60, 366 * 24 * 60 * 60)
LONGEST = timedelta(days=3_660)
"""How far ahead codes may expire."""
_CHUNK = 5_000
"""Rows in one statement."""


@dataclass(frozen=True, slots=True)
class Gift:
    """What a code brings; what does not belong to its kind is 0 or empty."""

    kind: Kind
    value_cents: int = 0
    off_bps: int = 0
    lifetime_seconds: int = 0
    symbol: str = ""
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A batch as its author wants it."""

    gift: Gift
    use: Use
    max_uses: int
    count: int
    expires_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the game's settings say about new codes."""

    count: int
    value_cents: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it stands."""

    batch_id: int
    gift: Gift
    use: Use
    max_uses: int
    """0: any number."""
    code_count: int
    expires_at: datetime | None
    reason: str
    created_by: str
    created_at: datetime
    withdrawn_at: datetime | None
    redemptions: int


def create(draft: Draft, bounds: Bounds, origin: Origin) -> Batch:
    """Make a batch and its codes. Raises Refused INVALID_FIELD, or NOT_FOUND for the instrument."""
    at = now()
    instrument = _check(draft, bounds, at)
    gift = draft.gift
    row = CodeBatch.create(
        kind=int(gift.kind),
        value_cents=gift.value_cents,
        off_bps=gift.off_bps,
        lifetime_seconds=gift.lifetime_seconds,
        instrument_id=instrument.id if instrument is not None else None,
        quantity=gift.quantity,
        use=int(draft.use),
        max_uses={Use.SINGLE: 1, Use.LIMITED: draft.max_uses, Use.PER_PLAYER: 0}[draft.use],
        code_count=draft.count,
        expires_at=draft.expires_at,
        reason=draft.reason,
        created_by=origin.actor_id,
        created_at=at,
    )
    fresh = (
        {"batch_id": row.id, "max_uses": row.max_uses, "text": text_of(secrets.randbelow(NUMBERS))}
        for _ in range(draft.count)
    )
    for chunk in _chunks(fresh):
        Code.insert_many(chunk).execute()
    payload = {
        **asdict(gift),
        "use": int(draft.use),
        "max_uses": row.max_uses,
        "count": draft.count,
        "expires_at": None if draft.expires_at is None else draft.expires_at.isoformat(),
        "reason": draft.reason,
    }
    log.append([Event("code.created", f"code_batch:{row.id}", origin, payload)], at)
    return _batches([row])[0]


def get(batch_id: int) -> Batch:
    """The batch of that id. Raises Refused NOT_FOUND."""
    return _batches([_row(batch_id)])[0]


def withdraw(batch_id: int, origin: Origin) -> Batch:
    """Void a batch; what its codes have brought stays. Raises Refused NOT_FOUND or CODE_WITHDRAWN."""
    row = _row(batch_id, lock=True)
    if row.withdrawn_at is not None:
        raise Refused(
            "CODE_WITHDRAWN", f"batch {batch_id} has been withdrawn before", "batch_id",
            withdrawn_at=row.withdrawn_at.isoformat(),
        )  # fmt: skip
    row.withdrawn_at = now()
    row.save(only=[CodeBatch.withdrawn_at])
    batch = _batches([row])[0]
    payload = {"redemptions": batch.redemptions}
    log.append([Event("code.withdrawn", f"code_batch:{batch_id}", origin, payload)], row.withdrawn_at)
    return batch


def page(limit: int, after_id: int | None, open_only: bool) -> list[Batch]:
    """Batches, newest first, after the one of that id."""
    query = CodeBatch.select().order_by(CodeBatch.id.desc()).limit(limit)
    if after_id is not None:
        query = query.where(CodeBatch.id < after_id)
    if open_only:
        unexpired = CodeBatch.expires_at.is_null() | (CodeBatch.expires_at > now())
        query = query.where(CodeBatch.withdrawn_at.is_null() & unexpired)
    return _batches(list(query))


def codes_of(batch_id: int, limit: int, after_id: int | None) -> list[Code]:
    """A batch's codes, oldest first, after the one of that id."""
    query = Code.select().where(Code.batch == batch_id, Code.id > (after_id or 0))
    return list(query.order_by(Code.id).limit(limit))


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code that somebody has redeemed."""

    redemption_id: int
    batch_id: int
    text: str
    player: str
    redeemed_at: datetime
    gift: Gift
    reason: str


def redemptions(limit: int, after_id: int | None, batch_id: int, player_id: int | None) -> list[Redeemed]:
    """Who redeemed what, newest first; `batch_id` 0: of all; `player_id` None: by anybody."""
    query = (
        Redemption.select(Redemption, Code, CodeBatch, Player.name)
        .join(Code)
        .join(CodeBatch)
        .join_from(Redemption, Player, on=(Player.id == Redemption.player_id), attr="player")
        .order_by(Redemption.id.desc())
        .limit(limit)
    )
    if after_id is not None:
        query = query.where(Redemption.id < after_id)
    if batch_id:
        query = query.where(Code.batch == batch_id)
    if player_id is not None:
        query = query.where(Redemption.player_id == player_id)
    rows = list(query)
    symbols = _symbols(row.code.batch for row in rows)
    return [
        Redeemed(
            redemption_id=int(row.id),
            batch_id=int(row.code.batch.id),
            text=row.code.text,
            player=row.player.name,
            redeemed_at=row.redeemed_at,
            gift=gift_of(row.code.batch, symbols),
            reason=row.code.batch.reason,
        )
        for row in rows
    ]


def gift_of(row: CodeBatch, symbols: dict[int, str]) -> Gift:
    """What the codes of a batch bring; `symbols` by instrument id."""
    symbol = symbols.get(row.instrument_id, "")
    return Gift(Kind(row.kind), row.value_cents, row.off_bps, row.lifetime_seconds, symbol, row.quantity)


def _row(batch_id: int, lock: bool = False) -> CodeBatch:
    query = CodeBatch.select().where(CodeBatch.id == batch_id)
    row: CodeBatch | None = (query.for_update("FOR NO KEY UPDATE") if lock else query).first()
    if row is None:
        raise not_found("batch of codes", batch_id)
    return row


def _batches(rows: Sequence[CodeBatch]) -> list[Batch]:
    ids = [row.id for row in rows]
    uses = dict(
        Code.select(Code.batch, pw.fn.sum(Code.uses).cast("bigint"))
        .where(Code.batch << ids)
        .group_by(Code.batch)
        .tuples()
    )
    authors = {row.created_by for row in rows}
    names = dict(Player.select(Player.id, Player.name).where(Player.id << list(authors)).tuples())
    symbols = _symbols(rows)
    return [
        Batch(
            batch_id=int(row.id),
            gift=gift_of(row, symbols),
            use=Use(row.use),
            max_uses=row.max_uses,
            code_count=row.code_count,
            expires_at=row.expires_at,
            reason=row.reason,
            created_by=names[row.created_by],
            created_at=row.created_at,
            withdrawn_at=row.withdrawn_at,
            redemptions=uses.get(row.id, 0),
        )
        for row in rows
    ]


def _symbols(batches: Iterable[CodeBatch]) -> dict[int, str]:
    ids = {row.instrument_id for row in batches if row.instrument_id is not None}
    if not ids:
        return {}
    return dict(
        Instrument.select(Instrument.id, Instrument.symbol).where(Instrument.id << list(ids)).tuples()
    )


def _check(draft: Draft, bounds: Bounds, at: datetime) -> Instrument | None:
    """The instrument whose shares it brings, if it does. Raises Refused INVALID_FIELD or NOT_FOUND."""
    gift = draft.gift
    instrument = None
    match gift.kind:
        case Kind.POINTS:
            _within("points_cents", gift.value_cents, 1, bounds.value_cents)
        case Kind.FEE_COUPON:
            _within("off_bps", gift.off_bps, 1, BPS)
            _within("lifetime_seconds", gift.lifetime_seconds, *LIFETIME_SECONDS)
        case Kind.SHARES:
            _within("quantity", gift.quantity, 1, MAX_QUANTITY)
            instrument = instruments.get(gift.symbol)
    if draft.use is Use.LIMITED:
        _within("max_uses", draft.max_uses, 1, MAX_USES)
    elif draft.max_uses:
        raise invalid("max_uses", "give it with limited use only")
    _within("count", draft.count, 1, bounds.count)
    line("reason", draft.reason, 1, MAX_REASON)
    if draft.expires_at is not None and not timedelta() < draft.expires_at - at <= LONGEST:
        raise invalid("expires_at", "give a time to come, within ten years, or none for never")
    return instrument


def _within(field: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise invalid(field, f"give a number from {lowest} to {highest}")


def _chunks(rows: Iterable[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    source = iter(rows)
    while chunk := list(islice(source, _CHUNK)):
        yield chunk
