"""The few statements written by hand: many rows in one, for the way of an order and the event log.

Columns travel as one text each. Building `{1,2,3}` in Python and letting PostgreSQL parse it costs
a third of what the driver's own array adaptation does.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import peewee as pw

from bearpit_server.storage.models import database

SEPARATOR = "\x1f"
"""Between texts: a control character that no text of ours may hold (they are checked when they come in)."""

_INTS = "%s::int8[]"
_TEXTS = r"(string_to_array(%s, E'\x1f'))[2:]"


def ints(values: Iterable[int | None]) -> str:
    """An int8[] as text."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def texts(values: Iterable[str]) -> str:
    """A text[] as text; the leading separator tells one empty text from none."""
    return SEPARATOR + SEPARATOR.join(values)


def _unnest(columns: str) -> str:
    """`unnest(...)` of int8 (i) and text (t) columns."""
    return f"unnest({', '.join(_INTS if column == 'i' else _TEXTS for column in columns)})"


def execute(sql: str, *params: object) -> Any:
    """A statement on this thread's connection."""
    return database.execute_sql(sql, params)


_INSERT_EVENTS = f"""
INSERT INTO events
    (type, subject, actor_id, owner_id, owner_sequence, address, request_id, payload, created_at)
SELECT t, s, a, o, q, d, r, p::jsonb, %s FROM {_unnest("ttiiittt")} AS u(t, s, a, o, q, d, r, p)
"""


def insert_events(
    types: Sequence[str],
    subjects: Sequence[str],
    actors: Sequence[int],
    owners: Sequence[int | None],
    owner_sequences: Sequence[int | None],
    addresses: Sequence[str],
    request_ids: Sequence[str],
    payloads: Sequence[str],
    at: datetime,
) -> None:
    """Append to the event log."""
    execute(
        _INSERT_EVENTS,
        at,
        texts(types),
        texts(subjects),
        ints(actors),
        ints(owners),
        ints(owner_sequences),
        texts(addresses),
        texts(request_ids),
        texts(payloads),
    )


def oldest_running_transaction() -> int:
    """Every transaction below this one has ended, for good or ill."""
    (xmin,) = execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetchone()
    return int(xmin)


def after_position(xid: int, event_id: int) -> pw.SQL:
    """The condition that an event stands behind a place: a row comparison, which the key's index serves."""
    return pw.SQL("(xid, id) > (%s, %s)", (xid, event_id))


_LOCK_ACCOUNTS = f"""
SELECT a.id, a.owner_id, a.asset, a.kind, a.balance, a.held, a.version, a.order_sequence,
    a.cost_cents, a.realised_cents, p.disabled
FROM accounts a JOIN players p ON p.id = a.owner_id
WHERE a.id = ANY({_INTS}) ORDER BY a.id FOR UPDATE OF a
"""


def lock_accounts(ids: Iterable[int]) -> list[tuple[Any, ...]]:
    """Lock accounts in the order of their ids, which is what keeps everyone from deadlock."""
    rows: list[tuple[Any, ...]] = execute(_LOCK_ACCOUNTS, ints(ids)).fetchall()
    return rows


_UPDATE_ACCOUNTS = f"""
UPDATE accounts a SET balance = u.b, held = u.h, version = u.v, order_sequence = u.q,
    cost_cents = u.c, realised_cents = u.r
FROM {_unnest("iiiiiii")} AS u(id, b, h, v, q, c, r) WHERE a.id = u.id
"""


def update_accounts(columns: Sequence[Sequence[int]]) -> int:
    """Set locked accounts: ids, balances, held, versions, order sequences, costs, realised gains."""
    return int(execute(_UPDATE_ACCOUNTS, *map(ints, columns)).rowcount)


_INSERT_POSTINGS = f"""
INSERT INTO postings (debit, credit, amount, debit_balance, credit_balance, reason, reference,
    actor_id, request_id, note, created_at)
SELECT d, c, a, db, cb, r, f, ac, rq, n, %s
FROM {_unnest("iiiiittitt")} AS u(d, c, a, db, cb, r, f, ac, rq, n)
"""


def insert_postings(
    postings: Sequence[tuple[int, int, int, int, int, int, str, str, str, str]], at: datetime
) -> None:
    """Append postings.

    Each is debit, credit, amount, debit balance, credit balance, actor, reason, reference, request id, note.
    """
    debit, credit, amount, debit_balance, credit_balance, actor, *words = zip(*postings, strict=True)
    numbers = map(ints, (debit, credit, amount, debit_balance, credit_balance))
    reason, reference, request_id, note = map(texts, words)
    execute(_INSERT_POSTINGS, at, *numbers, reason, reference, ints(actor), request_id, note)


def lock_shards(ids: Iterable[int]) -> list[tuple[int, str, int]]:
    """Keep these leases from being taken until the transaction ends: (id, owner, epoch), by id."""
    rows = execute(
        f"SELECT id, owner, epoch FROM shards WHERE id = ANY({_INTS}) ORDER BY id FOR KEY SHARE", ints(ids)
    ).fetchall()
    return [tuple(row) for row in rows]


_INSERT_ORDERS = f"""
INSERT INTO orders (id, player_id, instrument_id, side, type, time_in_force, quantity, price_cents,
    stop_price_cents, post_only, self_trade, fee_bps, priority, held, status, request_id, request_hash,
    accepted_at, updated_at, expires_at)
SELECT i, p, n, s, t, f, q, pc, sp, po::int::boolean, st, fb, i, h, 1, r, decode(rh, 'hex'), now_, now_,
    to_timestamp(x)
FROM (SELECT %s::timestamptz AS now_) AS clock, {_unnest("iiiiiiiiiiiiitti")}
    AS u(i, p, n, s, t, f, q, pc, sp, po, st, fb, h, r, rh, x)
"""


def insert_orders(
    numbers: Sequence[Sequence[int]],
    request_ids: Sequence[str],
    request_hashes: Sequence[bytes],
    expiries: Sequence[int | None],
    at: datetime,
) -> None:
    """Insert accepted orders, with their ids as priorities.

    `numbers`: ids, players, instruments, sides, types, times in force, quantities, prices, stop prices,
    post-only flags, self-trade modes, fees in basis points, holds. `expiries` are epoch seconds.
    """
    execute(
        _INSERT_ORDERS, at, *map(ints, numbers), texts(request_ids),
        texts([digest.hex() for digest in request_hashes]), ints(expiries),
    )  # fmt: skip


_UPDATE_ORDERS = f"""
UPDATE orders o SET quantity = u.q, price_cents = u.p, stop_price_cents = u.s, priority = u.y, filled = u.f,
    value_cents = u.v, fee_cents = u.fc, held = u.h, status = u.st, end_reason = u.e, updated_at = %s
FROM {_unnest("iiiiiiiiiii")} AS u(id, q, p, s, y, f, v, fc, h, st, e) WHERE o.id = u.id
"""


def update_orders(columns: Sequence[Sequence[int]], at: datetime) -> int:
    """Set what changed of orders.

    `columns`: ids, quantities, prices, stop prices, priorities, filled, values, fees, holds, statuses,
    end reasons.
    """
    return int(execute(_UPDATE_ORDERS, at, *map(ints, columns)).rowcount)


_INSERT_TRADES = f"""
INSERT INTO trades (id, instrument_id, price_cents, quantity, aggressor, buy_order_id, sell_order_id,
    buyer_id, seller_id, buyer_fee_cents, seller_fee_cents, executed_at)
SELECT i, n, p, q, a, bo, so, b, s, bf, sf, %s
FROM {_unnest("iiiiiiiiiii")} AS u(i, n, p, q, a, bo, so, b, s, bf, sf)
"""


def insert_trades(columns: Sequence[Sequence[int]], at: datetime) -> None:
    """Append trades.

    `columns`: ids, instruments, prices, quantities, aggressors, buy orders, sell orders, buyers, sellers,
    buyers' fees, sellers' fees.
    """
    execute(_INSERT_TRADES, at, *map(ints, columns))


_COUNT_DAY = f"""
INSERT INTO day_usage (player_id, day, orders, value_cents)
SELECT p, %s, n, v FROM {_unnest("iii")} AS u(p, n, v)
ON CONFLICT (player_id, day) DO UPDATE
SET orders = day_usage.orders + excluded.orders, value_cents = day_usage.value_cents + excluded.value_cents
"""


def count_day(day: date, players: Sequence[int], orders: Sequence[int], values: Sequence[int]) -> None:
    """Add to what players have ordered on a day."""
    execute(_COUNT_DAY, day, ints(players), ints(orders), ints(values))
