"""The statements that count ranks, written by hand as those of `bulk`: all players at once, in PostgreSQL.

In Python they would hold the interpreter's lock while the exchange wants it. An edition is made in the half
of the tables that does not hold; see storage.models.ranks.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from time import perf_counter
from typing import Any

from bearpit_server.rules.ranking import HIGHEST, LOWEST, ONE, PAGE, Board
from bearpit_server.rules.units import BPS
from bearpit_server.storage import bulk
from bearpit_server.storage.models import database

Row = tuple[Any, ...]

_LOCK = 7_117_009
SLICE, SLICE_SECONDS = 2_000, 0.003
"""So many rows are counted in about that time."""
MOST = 10**18
"""In cents: cash, all holdings, and what came in count at most so much, so that no sum leaves an int64."""

# The reasons of the index postings_from_outside, word for word. Every other one, also one that is new, moves
# points from outside or away: it is no gain and no loss. Interest is a loss, a duel is won or lost, and a
# rollback takes back what was gained; what is lent changes nothing.
_FROM_OUTSIDE = """reason NOT IN ('trade', 'fee', 'pool', 'issue', 'loan',
    'repayment', 'interest', 'duel_stake', 'duel_back', 'duel_won', 'duel_fee', 'rollback', 'rollback_fee',
    'rollback_issue', 'rollback_charge')"""

# While orders come in, whoever counts sleeps for as long as it works, so that it takes a part of the
# processor from them and not all it can get. It does so inside the statement: what is counted is one moment.
_REST = f"""
CASE WHEN %(rests)s AND {{id}} %% {SLICE} = 0 THEN pg_sleep({SLICE_SECONDS}) IS NOT NULL ELSE true END
"""

# `bearpit_total` is a sum that stays an int8: sum(int8) makes numerics, which cost as much as all the rest.
_WORTH = f"""
SELECT a.owner_id, max(a.asset) AS asset, bearpit_total(a.realised_cents) AS realised,
    bearpit_total(CASE WHEN a.asset = 0 THEN least(greatest(a.balance, -{MOST}), {MOST})
        WHEN m.pool_cents IS NULL THEN least(a.balance, m.most) * m.mark_cents
        ELSE least(a.balance, m.most) * least(m.mark_cents, m.pool_cents
            / (m.pool_shares + least(a.balance, m.most)) / m.tick_cents * m.tick_cents) END) AS worth
FROM accounts a LEFT JOIN rank_marks m ON m.edition_id = %(edition)s AND m.instrument_id = a.asset
WHERE a.owner_id <> 0 AND {_REST.format(id="a.id")} GROUP BY a.owner_id
"""
_STAKED = """
SELECT player_id, sum(stake_cents)::int8 AS cents FROM (
    SELECT challenger_id AS player_id, stake_cents FROM duels WHERE state <> 5
    UNION ALL SELECT opponent_id, stake_cents FROM duels WHERE state <> 5 AND accepted_at IS NOT NULL
) s GROUP BY player_id
"""
_FLOWS = f"""
SELECT a.owner_id,
    least(greatest(sum(f.amount * coalesce(m.mark_cents, 1)), -{MOST}), {MOST})::int8 AS received
FROM (
    SELECT credit AS account, amount::numeric AS amount FROM news UNION ALL SELECT debit, -amount FROM news
) f
JOIN accounts a ON a.id = f.account AND a.kind IN ('player', 'debt')
LEFT JOIN rank_marks m ON m.edition_id = %(edition)s AND m.instrument_id = a.asset
GROUP BY a.owner_id
"""
_NOW = f"""
SELECT p.id, p.ranked, coalesce(w.worth, 0) + coalesce(s.cents, 0) AS worth,
    coalesce(w.realised, 0) AS realised, coalesce(w.asset > 0, false) OR coalesce(o.held, false) AS held,
    least(greatest(coalesce(o.received_cents, 0) + coalesce(f.received, 0), -{MOST}), {MOST}) AS received,
    coalesce(o.worth_cents, 0) AS worth_then, coalesce(o.received_cents, 0) AS received_then,
    coalesce(o.level, {ONE}) AS level_then, coalesce(o.peak, {ONE}) AS peak_then,
    coalesce(o.drawdown_bps, 0) AS drawdown_then,
    CASE WHEN %(new_day)s THEN coalesce(o.worth_cents - o.received_cents, 0)
        ELSE coalesce(o.day_start_cents, 0) END AS day_start,
    CASE WHEN %(new_window)s THEN coalesce(o.worth_cents - o.received_cents, 0)
        ELSE coalesce(o.window_start_cents, 0) END AS window_start
FROM (
    SELECT id, NOT disabled AND roles && %(playing)s::text[] AS ranked FROM players
    WHERE id <> 0 AND name NOT LIKE 'house-%%'
) p
LEFT JOIN ({_WORTH}) w ON w.owner_id = p.id
LEFT JOIN rank_places_{{old}} o ON o.player_id = p.id
LEFT JOIN ({_FLOWS}) f ON f.owner_id = p.id
LEFT JOIN ({_STAKED}) s ON s.player_id = p.id
"""
# rules.ranking.next_level; numeric only where an int8 would not do. OFFSET 0: let a level be counted once.
_GAINED = f"""
SELECT *, worth - received - worth_then + received_then AS gained,
    greatest(worth_then + greatest(received - received_then, 0), %(floor)s) AS capital
FROM ({_NOW}) n
"""
_LEVEL = f"""
SELECT *, least(greatest(level_then + CASE
    WHEN abs(gained) <= {9 * MOST} / level_then THEN level_then * gained / capital
    ELSE least(greatest(div(level_then::numeric * gained, capital), -{HIGHEST}), {HIGHEST})::int8 END,
    {LOWEST}), {HIGHEST}) AS level FROM ({_GAINED}) g OFFSET 0
"""
# Shares that are given count at the mark of when they are first seen, so a posting is counted once for good.
_FILL = f"""
WITH news AS MATERIALIZED (
    SELECT id, debit, credit, amount FROM postings p WHERE id > %(before)s AND {_FROM_OUTSIDE}
        AND NOT EXISTS (SELECT FROM rank_seen s WHERE s.posting_id = p.id)
), noted AS (INSERT INTO rank_seen (posting_id) SELECT id FROM news WHERE id > %(settled)s)
INSERT INTO rank_places_{{new}} (player_id, worth_cents, realised_cents, received_cents, level,
    peak, drawdown_bps, day_start_cents, window_start_cents, held, ranked)
SELECT id, worth, realised, received, level, greatest(peak_then, level),
    greatest(drawdown_then, (greatest(peak_then, level) - level) * {BPS} / greatest(peak_then, level)),
    day_start, window_start, held, ranked
FROM ({_LEVEL}) l WHERE {_REST.format(id="id")}
"""

KEYS: Mapping[Board, tuple[str, str]] = {
    Board.NET_WORTH: ("worth_cents", "ranked"),
    Board.RETURN: ("level", "ranked"),
    Board.REALISED: ("realised_cents", "ranked"),
    Board.DRAWDOWN: ("-drawdown_bps", "ranked AND held"),
    Board.DAY: ("worth_cents - received_cents - day_start_cents", "ranked"),
    Board.WINDOW: ("worth_cents - received_cents - window_start_cents", "ranked"),
}
"""What a board sorts by, the greatest first, and who is on it."""

# Slices of one sorted array: numbering the rows by a window function and grouping them takes twice as long.
_PAGES = f"""
WITH s AS MATERIALIZED (
    SELECT array_agg(key) AS keys, array_agg(player_id) AS players FROM (
        SELECT player_id, {{key}} AS key FROM rank_places_{{new}} WHERE {{who}} ORDER BY key DESC, player_id
    ) y
)
INSERT INTO rank_pages_{{new}} (board, page, low, keys, players)
SELECT {{board}}, n, keys[least(cardinality(keys), n * {PAGE} + {PAGE})],
    keys[n * {PAGE} + 1 : n * {PAGE} + {PAGE}], players[n * {PAGE} + 1 : n * {PAGE} + {PAGE}]
FROM s, generate_series(0, (cardinality(keys) - 1) / {PAGE}) n
"""
_TEAMS = """
INSERT INTO rank_teams (edition_id, team_id, position, rank, members, average_cents)
SELECT %s, team_id, row_number() OVER (ORDER BY average DESC, team_id), rank() OVER (ORDER BY average DESC),
    members, average
FROM (
    SELECT p.team_id, count(*) AS members, floor(avg(r.worth_cents))::int8 AS average
    FROM players p JOIN rank_places_{new} r ON r.player_id = p.id AND r.ranked
    WHERE p.team_id IS NOT NULL GROUP BY p.team_id
) t
"""


def alone(wait: bool) -> bool:
    """Let nobody else count ranks until this transaction ends; False: somebody does now."""
    if wait:
        bulk.execute("SELECT pg_advisory_xact_lock(%s)", _LOCK)
        return True
    return bool(bulk.execute("SELECT pg_try_advisory_xact_lock(%s)", _LOCK).fetchone()[0])


def prepare() -> None:
    """Let this transaction use one process, memory to sort in, and plans for what there is now."""
    bulk.execute(
        "SELECT set_config('max_parallel_workers_per_gather', '0', true), "
        "set_config('work_mem', '64MB', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
    )


def horizon() -> tuple[int, int, int]:
    """The last posting that can be seen, the next transaction, and the oldest one that runs: one moment."""
    found: tuple[int, int, int] = bulk.execute(
        "SELECT coalesce((SELECT max(id) FROM postings), 0), "
        "pg_snapshot_xmax(s)::text::int8, pg_snapshot_xmin(s)::text::int8 FROM pg_current_snapshot() s"
    ).fetchone()
    return found


def settled(oldest_running: int) -> int:
    """A posting up to which all were committed, when `oldest_running` was the oldest transaction.

    Postings get their numbers before they are committed. One that could not be seen then belongs to a
    transaction that began after every edition whose `next_xid` is no higher; the ledger locks accounts
    before it posts, so its number is above all that those editions saw.
    """
    row = bulk.execute(
        "SELECT coalesce(max(posting_id), 0) FROM rank_editions WHERE next_xid <= %s", oldest_running
    ).fetchone()
    return int(row[0])


def insert_marks(edition: int, columns: Sequence[Sequence[int | None]]) -> None:
    """Keep an edition's marks: instruments, marks, pools' cash and shares, ticks, most shares, sources,
    trades, pairs."""
    bulk.execute(
        "INSERT INTO rank_marks (edition_id, instrument_id, mark_cents, pool_cents, pool_shares, tick_cents, "
        "most, source, trades, pairs) SELECT %s, * FROM unnest("
        + ", ".join(["%s::int8[]"] * len(columns))
        + ")",
        edition,
        *map(bulk.ints, columns),
    )


def fill(
    edition: int,
    *,
    new_day: bool,
    new_window: bool,
    before: int,
    settled: int,
    floor_cents: int,
    playing: Sequence[str],
    rests: bool,
) -> None:
    """Count an edition's places from its marks and the last edition's places.

    `before`: the last edition's settled posting; `settled`: this one's. `playing`: roles that are ranked.
    `rests`: whether to leave part of the processor to others.
    """
    new, old = edition % 2, (edition + 1) % 2
    bulk.execute(f"TRUNCATE rank_places_{new}, rank_pages_{new}")
    database.execute_sql(
        _FILL.format(new=new, old=old),
        {
            "edition": edition, "new_day": new_day, "new_window": new_window, "before": before,
            "settled": settled, "floor": floor_cents, "playing": [*playing], "rests": rests,
        },
    )  # fmt: skip


def write_pages(edition: int, boards: Sequence[Board], rests: bool) -> None:
    """Sort an edition's places by these boards."""
    for board in boards:
        began = perf_counter()
        key, who = KEYS[board]
        bulk.execute(_PAGES.format(new=edition % 2, board=int(board), key=key, who=who))
        if rests:
            bulk.execute("SELECT pg_sleep(%s)", perf_counter() - began)


def write_teams(edition: int) -> None:
    """Rank an edition's teams."""
    bulk.execute(_TEAMS.format(new=edition % 2), edition)


def forget(edition: int, editions: int) -> None:
    """Drop what belongs to editions before the last, and the rows of those that are `editions` back."""
    bulk.execute(
        "DELETE FROM rank_seen WHERE posting_id <= (SELECT settled_id FROM rank_editions WHERE id = %s)",
        edition,
    )
    bulk.execute("DELETE FROM rank_teams WHERE edition_id < %s", edition - 1)
    bulk.execute("DELETE FROM rank_marks WHERE edition_id < %s", edition - 1)
    bulk.execute("DELETE FROM rank_editions WHERE id < %s", edition - editions)


def keep(edition: int, period_id: int, boards: Sequence[Board]) -> None:
    """Keep an edition's ranks for good."""
    new = edition % 2
    keys = ", ".join(
        f"CASE WHEN {who} THEN {key} END" if board in boards else "NULL" for board, (key, who) in KEYS.items()
    )
    bulk.execute(
        f"INSERT INTO rank_results (period_id, player_id, keys) SELECT %s, player_id, ARRAY[{keys}]::int8[] "
        f"FROM rank_places_{new} WHERE ranked",
        period_id,
    )
    bulk.execute(
        "INSERT INTO rank_result_pages (period_id, board, page, low, keys, players) "
        f"SELECT %s, board, page, low, keys, players FROM rank_pages_{new}",
        period_id,
    )
    bulk.execute(
        "INSERT INTO rank_result_teams (period_id, team_id, position, rank, members, average_cents) "
        "SELECT %s, team_id, position, rank, members, average_cents FROM rank_teams WHERE edition_id = %s",
        period_id, edition,
    )  # fmt: skip


_BOOK_TRADES = """
SELECT i.id, t.price_cents, t.quantity, t.buyer_id, t.seller_id,
    greatest(extract(epoch FROM %s - t.executed_at), 0)::int8
FROM unnest(%s::int8[]) AS i(id) CROSS JOIN LATERAL (
    SELECT * FROM trades WHERE instrument_id = i.id
        AND NOT EXISTS (SELECT FROM reversals r WHERE r.trade_id = trades.id)
    ORDER BY id DESC LIMIT %s
) t ORDER BY i.id, t.id DESC
"""


def latest_trades(instruments: Sequence[int], limit: int, at: datetime) -> list[Row]:
    """Instrument, price, quantity, buyer, seller, age in seconds: of each the latest that stand."""
    return list(bulk.execute(_BOOK_TRADES, at, bulk.ints(instruments), limit).fetchall())


def last_prices(instruments: Sequence[int]) -> dict[int, int]:
    """The price of each instrument's last trade, in cents, where there is one."""
    return dict(
        bulk.execute(
            "SELECT i.id, t.price_cents FROM unnest(%s::int8[]) AS i(id) CROSS JOIN LATERAL ("
            "SELECT price_cents FROM trades WHERE instrument_id = i.id ORDER BY id DESC LIMIT 1) t",
            bulk.ints(instruments),
        ).fetchall()
    )


def hold(edition: int) -> None:
    """Let nobody empty an edition's half until this transaction ends; waits for who does now."""
    half = edition % 2
    bulk.execute(f"LOCK TABLE rank_places_{half}, rank_pages_{half} IN ACCESS SHARE MODE")


class Source:
    """Where the pages of a moment are."""

    def __init__(self, edition: int = 0, period: int = 0) -> None:
        assert bool(edition) != bool(period), "a moment is an edition or a kept period"
        self._half, self._period = edition % 2, period
        if period:
            self._pages, self._of = "rank_result_pages", f"period_id = {period:d} AND "
        else:
            self._pages, self._of = f"rank_pages_{self._half}", ""

    def pages(self, board: Board, first: int, last: int) -> list[Row]:
        """Keys and players of stored pages, in order."""
        return list(
            bulk.execute(
                f"SELECT keys, players FROM {self._pages} WHERE {self._of} board = %s "
                "AND page BETWEEN %s AND %s ORDER BY page",
                int(board), first, last,
            ).fetchall()
        )  # fmt: skip

    def totals(self) -> dict[Board, int]:
        """How many are on each board."""
        rows = bulk.execute(
            f"SELECT b, page * {PAGE} + cardinality(players) FROM unnest(%s::int8[]) AS b, LATERAL ("
            f"SELECT page, players FROM {self._pages} WHERE {self._of} board = b "
            "ORDER BY page DESC LIMIT 1) p",
            bulk.ints(map(int, Board)),
        ).fetchall()
        return {Board(board): int(total) for board, total in rows}

    def ranks(self, wanted: Sequence[tuple[Board, int]]) -> list[int]:
        """The ranks that go with these keys, all of which stand on their boards."""
        return [
            int(rank)
            for (rank,) in bulk.execute(
                f"SELECT p.page * {PAGE} + array_position(p.keys, w.key) "
                "FROM unnest(%s::int8[], %s::int8[]) WITH ORDINALITY AS w(board, key, n), LATERAL ("
                f"SELECT page, keys FROM {self._pages} WHERE {self._of} board = w.board AND low <= w.key "
                "ORDER BY low DESC, page LIMIT 1) p ORDER BY w.n",
                bulk.ints(int(board) for board, _ in wanted),
                bulk.ints(key for _, key in wanted),
            ).fetchall()
        ]

    def positions(self, wanted: Sequence[tuple[Board, int]], player_id: int) -> list[int]:
        """Where on boards a player with these keys stands; of equal keys the lower ids come first."""
        return [
            int(position)
            for (position,) in bulk.execute(
                f"SELECT p.page * {PAGE} + array_position(p.players, %s) "
                "FROM unnest(%s::int8[], %s::int8[]) WITH ORDINALITY AS w(board, key, n), LATERAL ("
                f"SELECT page, players FROM {self._pages} WHERE {self._of} board = w.board "
                "AND low <= w.key AND %s = ANY(players) ORDER BY low DESC, page LIMIT 1) p ORDER BY w.n",
                player_id,
                bulk.ints(int(board) for board, _ in wanted),
                bulk.ints(key for _, key in wanted),
                player_id,
            ).fetchall()
        ]

    def keys(self, players: Sequence[int]) -> dict[int, list[int | None]]:
        """What players are sorted by, for each board by its number; None: not on it."""
        if self._period:
            sql = f"SELECT player_id, keys FROM rank_results WHERE {self._of} player_id = ANY(%s::int8[])"
        else:
            keys = ", ".join(f"CASE WHEN {who} THEN {key} END" for key, who in KEYS.values())
            sql = (
                f"SELECT player_id, ARRAY[{keys}]::int8[] FROM rank_places_{self._half} "
                "WHERE ranked AND player_id = ANY(%s::int8[])"
            )
        return dict(bulk.execute(sql, bulk.ints(players)).fetchall())

    def received(self, player_id: int) -> int | None:
        """What came in from outside for a player in all, in cents; of editions only."""
        row = bulk.execute(
            f"SELECT received_cents FROM rank_places_{self._half} WHERE player_id = %s", player_id
        ).fetchone()
        return None if row is None else int(row[0])
