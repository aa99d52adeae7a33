"""The schema: made once, as the models say, and refusing what must never be."""

import threading
from collections.abc import Mapping

import peewee as pw
import pytest
from bearpit_server.storage import clock
from bearpit_server.storage.database import MIGRATIONS, Database
from bearpit_server.storage.models import TABLES, Account, Order, Player, Row, Shard, Trade
from bearpit_server.storage.sequences import BLOCK, Ids

from tests.postgres import Postgres, close


def test_two_that_start_at_once_migrate_once(postgres: Postgres) -> None:
    with postgres.database() as outer:
        outer.execute("DROP SCHEMA public CASCADE")
        outer.execute("CREATE SCHEMA public")
        outer.disconnect()
        url = postgres.url_of(outer)
        starters = [Database(url) for _ in range(3)]
        barrier = threading.Barrier(len(starters))
        done: list[list[str]] = []

        def start(one: Database) -> None:
            barrier.wait()
            try:
                done.append(one.migrate())
            finally:
                one.disconnect()

        threads = [threading.Thread(target=start, args=(one,)) for one in starters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for one in starters:
            close(one)
    assert sorted(done, key=len) == [[], [], [path.stem for path in sorted(MIGRATIONS.glob("0*.py"))]]


def test_migrating_again_does_nothing(database: Database) -> None:
    assert database.migrate() == []


@pytest.mark.parametrize(
    "before", ["", "DROP INDEX debts; CREATE INDEX accounts_that_owe ON accounts (id) WHERE kind = 'debt'"]
)
def test_debts_get_their_index_whichever_one_a_game_was_made_with(database: Database, before: str) -> None:
    with database.transaction():
        if before:
            database.execute(before)
        database.execute("DELETE FROM schema_migrations WHERE name LIKE '%%0013%%'")
    assert database.migrate() == ["0013_debts"]
    found = database.execute(
        "SELECT indexname FROM pg_indexes WHERE indexname IN ('debts', 'accounts_that_owe')"
    ).fetchall()
    assert found == [("debts",)]


KNOWN_BY_ID = ("events", "booth_visits", "arcade_transactions")
"""Tables whose key is the order they are read in, or a rule; peewee knows their rows by an id beside it."""


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model._meta.table_name)
def test_a_models_columns_are_those_of_its_table(database: Database, model: type[Row]) -> None:
    meta = model._meta
    found = {
        name: nullable == "YES"
        for name, nullable in database.execute(
            "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = %s",
            meta.table_name,
        ).fetchall()
    }
    assert {field.column_name: field.null for field in meta.sorted_fields} == found
    keys = database.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a "
        "ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
        "WHERE i.indisprimary AND i.indrelid = %s::regclass",
        meta.table_name,
    ).fetchall()
    if meta.table_name not in KNOWN_BY_ID:
        assert {name for (name,) in keys} == {field.column_name for field in meta.get_primary_keys()}


def test_every_table_has_a_model(database: Database) -> None:
    tables = {
        name
        for (name,) in database.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
    }
    assert tables - {model._meta.table_name for model in TABLES} == {"schema_migrations"}


def test_no_index_on_accounts_depends_on_what_trading_changes(database: Database) -> None:
    """Else every fill writes to each index of the table: PostgreSQL's rule for heap-only updates."""
    depends = database.execute(
        "SELECT DISTINCT i.indexrelid::regclass::text, a.attname FROM pg_index i "
        "JOIN pg_depend d ON d.objid = i.indexrelid AND d.refobjid = i.indrelid "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid "
        "WHERE i.indrelid = 'accounts'::regclass"
    ).fetchall()
    indexed = {column for _, column in depends}
    assert {"id", "owner_id", "kind"} <= indexed
    assert not indexed & {"balance", "held", "version", "order_sequence", "cost_cents", "realised_cents"}


def test_there_are_sixteen_free_shards_and_a_house(database: Database) -> None:
    assert [(row.id, row.owner, row.epoch) for row in Shard.select().order_by(Shard.id)] == [
        (n, "", 0) for n in range(16)
    ]
    assert [row.kind for row in Account.select().where(Account.owner == 0).order_by(Account.kind)] == [
        "escrow", "fees", "issuer", "treasury",
    ]  # fmt: skip


PLAYER = {"name": "ada", "password_hash": "", "roles": ["player"]}
ACCOUNT = {"owner": 1, "asset": 0, "kind": "player", "balance": 10, "held": 5}
ORDER = {
    "id": 1, "player_id": 1, "instrument_id": 1, "side": 1, "type": 2, "time_in_force": 1, "quantity": 10,
    "price_cents": 100, "stop_price_cents": 0, "post_only": False, "self_trade": 1, "fee_bps": 0,
    "priority": 1, "held": 1_000, "status": 1, "request_id": "a", "request_hash": b"",
}  # fmt: skip
TRADE = {
    "id": 1, "instrument_id": 1, "price_cents": 100, "quantity": 1, "aggressor": 1, "buy_order_id": 1,
    "sell_order_id": 2, "buyer_id": 1, "seller_id": 2, "buyer_fee_cents": 0, "seller_fee_cents": 0,
}  # fmt: skip


def insert(database: Database, model: type[Row], values: Mapping[str, object]) -> None:
    at = clock.now()
    stamps = dict.fromkeys(("created_at", "accepted_at", "updated_at", "executed_at"), at)
    names = {field.name for field in model._meta.sorted_fields}
    rows = {**values} | {name: stamp for name, stamp in stamps.items() if name in names}
    with database.transaction():
        model.insert(rows).execute()


def refused(database: Database, model: type[Row], values: Mapping[str, object]) -> str:
    with pytest.raises(pw.IntegrityError) as error:
        insert(database, model, values)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"balance": -1, "held": 0}, "only_issuer_dealer_and_debt_are_negative"),
        ({"held": -1}, "nothing_is_held_twice"),
        ({"held": 11}, "nothing_is_held_twice"),
        ({"kind": "treasury"}, "only_the_house_issues"),
        ({"owner": 0}, "only_the_house_issues"),
        ({"owner": 99}, "accounts_owner_id_fkey"),
        ({"kind": "purse"}, "accounts_kind_check"),
    ],
)
def test_an_account_that_cannot_be_is_refused(
    database: Database, change: dict[str, object], constraint: str
) -> None:
    insert(database, Player, PLAYER)
    assert constraint in refused(database, Account, ACCOUNT | change)
    insert(database, Account, ACCOUNT)
    assert "one_account_each" in refused(database, Account, ACCOUNT)
    with pytest.raises(pw.IntegrityError), database.transaction():
        Account.update(balance=Account.balance - 6).where(Account.owner == 1).execute()


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"filled": 11}, "an_order_never_overfills"),
        ({"filled": -1}, "orders_filled_check"),
        ({"status": 4}, "an_ended_order_holds_nothing"),
        ({"status": 5}, "an_ended_order_holds_nothing"),
        ({"held": -1}, "orders_held_check"),
        ({"price_cents": 0}, "orders_price_cents_check"),
        ({"side": 3}, "orders_side_check"),
        ({"fee_bps": 10_001}, "orders_fee_bps_check"),
    ],
)
def test_an_order_that_cannot_be_is_refused(
    database: Database, change: dict[str, object], constraint: str
) -> None:
    assert constraint in refused(database, Order, ORDER | change)


def test_a_request_id_places_one_order_of_a_player(database: Database) -> None:
    insert(database, Order, ORDER)
    assert "orders_request" in refused(database, Order, ORDER | {"id": 2})
    insert(database, Order, ORDER | {"id": 2, "player_id": 2})


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"seller_id": 1}, "nobody_trades_with_himself"),
        ({"quantity": 0}, "trades_quantity_check"),
        ({"price_cents": 0}, "trades_price_cents_check"),
        ({"buyer_fee_cents": -1}, "trades_buyer_fee_cents_check"),
    ],
)
def test_a_trade_that_cannot_be_is_refused(
    database: Database, change: dict[str, object], constraint: str
) -> None:
    assert constraint in refused(database, Trade, TRADE | change)


def test_two_names_that_differ_in_case_only_are_one(database: Database) -> None:
    insert(database, Player, PLAYER)
    assert "players_name" in refused(database, Player, PLAYER | {"name": "ADA"})


def test_ids_rise_whoever_takes_them(database: Database) -> None:
    one, other = Ids("order_ids"), Ids("order_ids")
    mine = [one.take() for _ in range(BLOCK + 1)]
    theirs = [other.take() for _ in range(3)]
    assert mine == sorted(set(mine))
    assert not set(mine) & set(theirs)
    one.renew()
    assert one.take() > max(*mine, *theirs)
