"""The few statements written by hand: many rows in one, for the way of an order and the event log.

Columns travel as one text each. Building `{1,2,3}` in Python and letting PostgreSQL parse it costs
a third of what the driver's own array adaptation does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import peewee as pw
import psycopg

from bearpit_server.storage.models import database

SEPARATOR = "\x1f"
"""Between texts: a control character that no text of ours may hold (they are checked when they come in)."""

_INTS = "%s::int8[]"
_TEXTS = r"(string_to_array(%s, E'\x1f'))[2:]"


def ints(values: Iterable[int | None]) -> str:
    """An int8[] as text."""
    return "{" + str([*values])[1:-1].replace("None", "NULL") + "}"


def texts(values: Iterable[str]) -> str:
    """A text[] as text; the leading separator tells one empty text from none."""
    return SEPARATOR + SEPARATOR.join(values)


def _unnest(columns: str) -> str:
    """`unnest(...)` of int8 (i) and text (t) columns."""
    return f"unnest({', '.join(_INTS if column == 'i' else _TEXTS for column in columns)})"


def execute(sql: str, *params: object) -> Any:
    """A statement on this thread's connection."""
    return database.execute_sql(sql, params)


def execute_raw(sql: str, params: Sequence[object]) -> psycopg.Cursor[tuple[Any, ...]]:
    """A statement on this thread's connection, its placeholders numbered.

    A long statement is taken apart anew each time it is executed, to number its placeholders: that costs
    more than all else the driver does with it.
    """
    with pw.__exception_wrapper__:
        return psycopg.RawCursor(database.connection()).execute(sql, params)


class Writes:
    """Rows to be written, collected and sent as one statement: one way to the database for all tables.

    Its parts see the tables as they were before, so none may count on what another writes.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._params: list[object] = []
        self._expected: dict[int, int] = {}
        """By the place of an UPDATE among the parts."""

    def add(self, sql: str, *params: object) -> None:
        """Another INSERT."""
        self._parts.append(sql)
        self._params += params

    def update(self, rows: int, sql: str, *params: object) -> None:
        """An UPDATE, which must find so many rows."""
        self.add(f"{sql} RETURNING 1", *params)
        self._expected[len(self._parts) - 1] = rows

    def send(self) -> None:
        """Write, inside the caller's transaction. Raises AssertionError if a row was not there."""
        if not self._parts:
            return
        sql = _composed(tuple(self._parts), tuple(self._expected))
        found = execute_raw(sql, self._params).fetchone()
        assert found is not None
        expected = tuple(self._expected.values())
        assert found[1:] == expected, f"{expected} rows to change, {found[1:]} found"


@lru_cache(maxsize=256)
def _composed(parts: tuple[str, ...], counted: tuple[int, ...]) -> str:
    """One statement of many, that tells of some how many rows they found."""
    named = [f"w{at} AS ({sql})" for at, sql in enumerate(parts)]
    counts = [f", (SELECT count(*) FROM w{at})" for at in counted]
    return _numbered(f"WITH {', '.join(named)} SELECT 0{''.join(counts)}")


def _numbered(sql: str) -> str:
    """The statement with PostgreSQL's own placeholders."""
    first, *others = sql.split("%s")
    return first + "".join(f"${at}{text}" for at, text in enumerate(others, 1))


@contextmanager
def written() -> Iterator[Writes]:
    """Rows that are sent at the end of the block, if that ends well."""
    writes = Writes()
    yield writes
    writes.send()


_INSERT_EVENTS = f"""
INSERT INTO events
    (type, subject, actor_id, owner_id, owner_sequence, address, request_id, payload, created_at)
SELECT t, s, a, o, q, d, r, p::jsonb, %s FROM {_unnest("ttiiittt")} AS u(t, s, a, o, q, d, r, p)
"""


def insert_events(
    writes: Writes,
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
    writes.add(
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


_ACCOUNTS = f"""
a.id, a.owner_id, a.asset, a.kind, a.balance, a.held, a.version, a.order_sequence,
    a.cost_cents, a.realised_cents, a.debt_id, p.disabled, p.frozen, p.credit_cents, p.fee_off_bps,
    p.fee_off_until
FROM accounts a JOIN players p ON p.id = a.owner_id
WHERE a.id = ANY({_INTS}) ORDER BY a.id FOR UPDATE OF a
"""
_LOCK_ACCOUNTS = f"SELECT {_ACCOUNTS}"


def lock_accounts(ids: Iterable[int]) -> list[tuple[Any, ...]]:
    """Lock accounts in the order of their ids, which is what keeps everyone from deadlock."""
    rows: list[tuple[Any, ...]] = execute(_LOCK_ACCOUNTS, ints(ids)).fetchall()
    return rows


# Taking a lease over locks its row FOR UPDATE, renewing it FOR NO KEY UPDATE: only the former waits for us.
# Once it has happened the row has another epoch, and is not found any more.
_LOCK_FOR_TRADING = f"""
WITH leases AS MATERIALIZED (
    SELECT s.id FROM shards s JOIN {_unnest("ii")} AS mine(id, epoch) USING (id, epoch)
    WHERE s.owner = %s ORDER BY s.id FOR KEY SHARE OF s
), known AS MATERIALIZED (
    SELECT o.id FROM {_unnest("it")} AS asked(player_id, request_id)
    JOIN orders o USING (player_id, request_id)
)
SELECT (SELECT array_agg(id) FROM leases), (SELECT array_agg(id) FROM known), {_ACCOUNTS}
"""


@dataclass(frozen=True, slots=True)
class Locked:
    """What a transaction that trades has locked, and what it must know."""

    accounts: list[tuple[Any, ...]]
    """As `lock_accounts` returns them."""
    shards: set[int]
    """The leases that are still held, of those asked for; they stay so until the transaction ends."""
    orders: list[int]
    """Those that came with one of the request ids before."""


def lock_for_trading(
    accounts: Iterable[int],
    owner: str,
    epochs: Sequence[tuple[int, int]],
    requests: Sequence[tuple[int, str]],
) -> Locked:
    """Lock accounts in the order of their ids, and the owner's leases against being taken over.

    `accounts`: at least one. `epochs`: shards and their epochs. `requests`: players and their request ids.
    """
    rows = execute(
        _LOCK_FOR_TRADING,
        ints(shard for shard, _ in epochs),
        ints(epoch for _, epoch in epochs),
        owner,
        ints(player for player, _ in requests),
        texts(request_id for _, request_id in requests),
        ints(accounts),
    ).fetchall()
    shards, orders = rows[0][:2] if rows else (None, None)
    return Locked([row[2:] for row in rows], set(shards or ()), orders or [])


_LOCK_TILLS = f"""
SELECT id FROM accounts WHERE owner_id = 0 AND asset = 0 AND kind = 'dealer' AND instrument_id = ANY({_INTS})
ORDER BY id FOR UPDATE
"""
_BUMP_TILLS = f"UPDATE accounts SET version = version + 1 WHERE id = ANY({_INTS})"


def bump_tills(instruments: Iterable[int]) -> None:
    """Begin a new epoch of dealing in these instruments: lock the tills of cash and raise their versions.

    A round that was prepared before is refused when it locks them. Call it before anything else is locked
    that rounds lock, but the window. Raises AssertionError for an instrument that the house does not deal in.
    """
    wanted = set(instruments)
    tills = [id_ for (id_,) in execute(_LOCK_TILLS, ints(wanted)).fetchall()]
    assert len(tills) == len(wanted), f"{len(wanted)} instruments have {len(tills)} tills"
    if tills:
        execute(_BUMP_TILLS, ints(tills))


_UPDATE_ACCOUNTS = f"""
UPDATE accounts a SET balance = u.b, held = u.h, version = u.v, order_sequence = u.q,
    cost_cents = u.c, realised_cents = u.r
FROM {_unnest("iiiiiii")} AS u(id, b, h, v, q, c, r) WHERE a.id = u.id
"""


def update_accounts(writes: Writes, columns: Sequence[Sequence[int]]) -> None:
    """Set locked accounts: ids, balances, held, versions, order sequences, costs, realised gains."""
    writes.update(len(columns[0]), _UPDATE_ACCOUNTS, *map(ints, columns))


_INSERT_POSTINGS = f"""
INSERT INTO postings (debit, credit, amount, debit_balance, credit_balance, reason, reference,
    actor_id, request_id, note, created_at)
SELECT d, c, a, db, cb, r, f, ac, rq, n, %s
FROM {_unnest("iiiiittitt")} AS u(d, c, a, db, cb, r, f, ac, rq, n)
"""


def insert_postings(
    writes: Writes, postings: Sequence[tuple[int, int, int, int, int, int, str, str, str, str]], at: datetime
) -> None:
    """Append postings.

    Each is debit, credit, amount, debit balance, credit balance, actor, reason, reference, request id, note.
    """
    debit, credit, amount, debit_balance, credit_balance, actor, *words = zip(*postings, strict=True)
    numbers = map(ints, (debit, credit, amount, debit_balance, credit_balance))
    reason, reference, request_id, note = map(texts, words)
    writes.add(
        _INSERT_POSTINGS, at, *numbers, reason, reference, ints(actor), request_id, note
    )  # fmt: skip


def lock_shards(ids: Iterable[int]) -> list[tuple[int, str, int]]:
    """Keep these leases from being taken until the transaction ends: (id, owner, epoch), by id."""
    rows = execute(
        f"SELECT id, owner, epoch FROM shards WHERE id = ANY({_INTS}) ORDER BY id FOR KEY SHARE", ints(ids)
    ).fetchall()
    return [tuple(row) for row in rows]


_RENEW_SHARDS = f"""
UPDATE shards s SET expires_at = clock_timestamp() + make_interval(secs => %s)
FROM {_unnest("ii")} AS mine(id, epoch)
WHERE s.id = mine.id AND s.epoch = mine.epoch AND s.owner = %s RETURNING s.id
"""


def renew_shards(owner: str, epochs: Sequence[tuple[int, int]], seconds: float) -> set[int]:
    """Keep an owner's leases for so long from now; returns those that were still its own.

    It leaves the keys alone, so it need not wait for the transactions that rely on the leases.
    """
    shards, numbers = [shard for shard, _ in epochs], [epoch for _, epoch in epochs]
    return {id_ for (id_,) in execute(_RENEW_SHARDS, seconds, ints(shards), ints(numbers), owner).fetchall()}


_INSERT_ORDERS = f"""
INSERT INTO orders (id, player_id, instrument_id, side, type, time_in_force, post_only, self_trade,
    fee_bps, quantity, price_cents, stop_price_cents, priority, filled, value_cents, fee_cents, held,
    borrowed_cents, status, end_reason, request_id, request_hash, accepted_at, updated_at, expires_at)
SELECT i, p, n, s, t, f, po::int::boolean, st, fb, q, pc, sp, y, fi, v, fc, h, bo, u, e, r,
    decode(rh, 'hex'), now_, now_, to_timestamp(x)
FROM (SELECT %s::timestamptz AS now_) AS clock, {_unnest("iiiiiiiiiiiiiiiiiiiitti")}
    AS u(i, p, n, s, t, f, po, st, fb, q, pc, sp, y, fi, v, fc, h, bo, u, e, r, rh, x)
"""


def insert_orders(
    writes: Writes,
    numbers: Sequence[Sequence[int]],
    request_ids: Sequence[str],
    request_hashes: Sequence[bytes],
    expiries: Sequence[int | None],
    at: datetime,
) -> None:
    """Insert accepted orders, with what has become of them at once.

    `numbers`: ids, players, instruments, sides, types, times in force, post-only flags, self-trade modes,
    fees in basis points, and what `update_orders` sets, in its order. `expiries` are epoch seconds.
    """
    writes.add(
        _INSERT_ORDERS, at, *map(ints, numbers), texts(request_ids),
        texts([digest.hex() for digest in request_hashes]), ints(expiries),
    )  # fmt: skip


_UPDATE_ORDERS = f"""
UPDATE orders o SET quantity = u.q, price_cents = u.p, stop_price_cents = u.s, priority = u.y, filled = u.f,
    value_cents = u.v, fee_cents = u.fc, held = u.h, borrowed_cents = u.bo, status = u.st, end_reason = u.e,
    updated_at = %s
FROM {_unnest("iiiiiiiiiiii")} AS u(id, q, p, s, y, f, v, fc, h, bo, st, e) WHERE o.id = u.id
"""


def update_orders(writes: Writes, columns: Sequence[Sequence[int]], at: datetime) -> None:
    """Set what changed of orders.

    `columns`: ids, quantities, prices, stop prices, priorities, filled, values, fees, holds, what is
    borrowed of these, statuses, end reasons.
    """
    writes.update(len(columns[0]), _UPDATE_ORDERS, at, *map(ints, columns))


_INSERT_TRADES = f"""
INSERT INTO trades (id, instrument_id, price_cents, quantity, aggressor, buy_order_id, sell_order_id,
    buyer_id, seller_id, buyer_fee_cents, seller_fee_cents, window_id, seller_cost_cents, executed_at)
SELECT i, n, p, q, a, bo, so, b, s, bf, sf, w, sc, %s
FROM {_unnest("iiiiiiiiiiiii")} AS u(i, n, p, q, a, bo, so, b, s, bf, sf, w, sc)
"""


def insert_trades(writes: Writes, columns: Sequence[Sequence[int]], at: datetime) -> None:
    """Append trades.

    `columns`: ids, instruments, prices, quantities, aggressors, buy orders, sell orders, buyers, sellers,
    buyers' fees, sellers' fees, trading windows (0: none), what the shares had cost the sellers.
    """
    writes.add(_INSERT_TRADES, at, *map(ints, columns))


_COUNT_DAY = f"""
INSERT INTO day_usage (player_id, day, orders, value_cents)
SELECT p, %s, n, v FROM {_unnest("iii")} AS u(p, n, v)
ON CONFLICT (player_id, day) DO UPDATE
SET orders = day_usage.orders + excluded.orders, value_cents = day_usage.value_cents + excluded.value_cents
"""


def count_day(
    writes: Writes, day: date, players: Sequence[int], orders: Sequence[int], values: Sequence[int]
) -> None:
    """Add to what players have ordered on a day."""
    writes.add(_COUNT_DAY, day, ints(players), ints(orders), ints(values))


_UPDATE_PRICES = f"""
UPDATE instruments i SET price_cents = u.p, priced_at = %s FROM {_unnest("ii")} AS u(id, p) WHERE i.id = u.id
"""
_INSERT_MARKS = f"""
INSERT INTO marks (instrument_id, step, price_cents, at) SELECT i, %s, p, %s FROM {_unnest("ii")} AS u(i, p)
"""
_UPDATE_GROUP = """
UPDATE groups SET memory = %s::jsonb, steps = %s, stepped_at = %s WHERE id = %s
"""


def step_group(
    writes: Writes,
    group_id: int,
    memory: str,
    step: int,
    prices: Sequence[tuple[int, int]],
    at: datetime,
    priced_at: datetime,
) -> None:
    """Set what a group's step has made: its memory, as JSON, and new prices in cents by instrument."""
    writes.update(1, _UPDATE_GROUP, memory, step, at, group_id)
    if prices:
        ids, cents = map(ints, zip(*prices, strict=True))
        writes.update(len(prices), _UPDATE_PRICES, priced_at, ids, cents)
        writes.add(_INSERT_MARKS, step, at, ids, cents)


_LOCK_INSTRUMENTS = f"""
SELECT id FROM instruments WHERE id = ANY({_INTS}) ORDER BY symbol FOR NO KEY UPDATE
"""
_SET_PRICES = f"""
UPDATE instruments i SET price_cents = u.p, reference_price_cents = u.p, priced_at = %s
FROM {_unnest("ii")} AS u(id, p) WHERE i.id = u.id
"""


def set_prices(prices: Mapping[int, int], at: datetime) -> None:
    """Set what the house deals at, in cents by instrument; after `bump_tills`.

    Locked in the order in which phases are written, so that neither waits for the other for ever.
    """
    execute(_LOCK_INSTRUMENTS, ints(prices)).fetchall()
    execute(_SET_PRICES, at, ints(prices), ints(prices.values()))


_SNAPSHOT = f"""
INSERT INTO snapshots (window_id, account_id, balance, cost_cents, realised_cents, posting_id)
SELECT %s, a.id, a.balance, a.cost_cents, a.realised_cents, greatest(d.id, c.id, 0)
FROM (
    SELECT * FROM accounts WHERE asset = 0 AND kind IN ('player', 'debt')
    UNION ALL SELECT * FROM accounts WHERE owner_id = 0 AND asset = 0 AND kind = 'dealer'
        AND instrument_id = ANY({_INTS})
    UNION ALL SELECT * FROM accounts WHERE asset = ANY({_INTS})
) a
LEFT JOIN LATERAL (SELECT id FROM postings WHERE debit = a.id ORDER BY id DESC LIMIT 1) d ON true
LEFT JOIN LATERAL (SELECT id FROM postings WHERE credit = a.id ORDER BY id DESC LIMIT 1) c ON true
WHERE a.balance <> 0 OR a.cost_cents <> 0 OR a.realised_cents <> 0 OR d.id IS NOT NULL OR c.id IS NOT NULL
"""


def snapshot_accounts(window_id: int, instruments: Sequence[int]) -> None:
    """Keep what players have in cash, in debts and in these instruments, and the house's side of them.

    One statement, so that it is one moment; it locks nobody.
    """
    execute(_SNAPSHOT, window_id, ints(instruments), ints(instruments))


_INSERT_REQUESTS = f"""
INSERT INTO requests (actor_id, request_id, method, body_hash, response, created_at)
SELECT a, r, m, decode(b, 'hex'), decode(x, 'hex'), %s FROM {_unnest("itttt")} AS u(a, r, m, b, x)
ON CONFLICT DO NOTHING
"""


def insert_requests(
    writes: Writes,
    actors: Sequence[int],
    request_ids: Sequence[str],
    methods: Sequence[str],
    body_hashes: Sequence[bytes],
    responses: Sequence[bytes],
    at: datetime,
) -> None:
    """Remember mutations and their answers; those that are remembered already stay as they are."""
    writes.add(
        _INSERT_REQUESTS, at, ints(actors), texts(request_ids), texts(methods),
        texts([digest.hex() for digest in body_hashes]), texts([answer.hex() for answer in responses]),
    )  # fmt: skip


_INSERT_BARS = f"""
INSERT INTO bars (recording_id, at, open_cents, high_cents, low_cents, close_cents, volume)
SELECT %s, a::timestamptz, o, h, l, c, v FROM {_unnest("tiiiii")} AS u(a, o, h, l, c, v)
"""


def insert_bars(
    recording_id: int, times: Sequence[datetime], rows: Sequence[tuple[int, int, int, int, int]]
) -> None:
    """Keep a recording's bars: when each begins, and its open, high, low, close in cents and volume."""
    columns = map(ints, zip(*rows, strict=True))
    execute(_INSERT_BARS, recording_id, texts(at.isoformat() for at in times), *columns)
