"""The exchange: people, the ledger, orders and trades, the event log, shards."""

from typing import Any

SCHEMA = """
CREATE TABLE players (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    password_hash text NOT NULL,
    role text NOT NULL CHECK (role IN ('player', 'admin', 'house')),
    disabled boolean NOT NULL DEFAULT false,
    token_epoch bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX players_name ON players (lower(name));

CREATE TABLE sign_ins (
    id bigserial PRIMARY KEY,
    player_id bigint NOT NULL REFERENCES players,
    created_at timestamptz NOT NULL,
    voided_at timestamptz
);
CREATE INDEX sign_ins_player ON sign_ins (player_id) WHERE voided_at IS NULL;

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    sign_in_id bigint NOT NULL REFERENCES sign_ins,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_sign_in ON refresh_tokens (sign_in_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

CREATE TABLE service_tokens (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX service_tokens_name ON service_tokens (lower(name));

CREATE TABLE settings (key text PRIMARY KEY, value text NOT NULL);

CREATE TABLE instruments (
    id bigserial PRIMARY KEY,
    symbol text NOT NULL UNIQUE,
    name text NOT NULL,
    mechanism text NOT NULL,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 15),
    tick_cents bigint NOT NULL CHECK (tick_cents > 0),
    lot bigint NOT NULL CHECK (lot > 0),
    min_quantity bigint NOT NULL CHECK (min_quantity > 0),
    max_quantity bigint NOT NULL CHECK (max_quantity >= min_quantity),
    fee_bps bigint NOT NULL CHECK (fee_bps BETWEEN 0 AND 10000),
    band_bps bigint NOT NULL CHECK (band_bps BETWEEN 0 AND 10000),
    reference_price_cents bigint NOT NULL CHECK (reference_price_cents >= 0),
    halted boolean NOT NULL DEFAULT false,
    phase smallint NOT NULL DEFAULT 1 CHECK (phase BETWEEN 1 AND 4),
    ipo_price_cents bigint CHECK (ipo_price_cents > 0),
    ipo_quantity bigint CHECK (ipo_quantity > 0),
    ipo_order_id bigint,
    created_at timestamptz NOT NULL
);

CREATE TABLE market (
    id smallint PRIMARY KEY CHECK (id = 1),
    override smallint NOT NULL CHECK (override BETWEEN 1 AND 4),
    all_halted boolean NOT NULL,
    schedule jsonb
);
INSERT INTO market VALUES (1, 1, false, NULL);

CREATE TABLE accounts (
    id bigserial PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES players,
    asset bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('player', 'issuer', 'treasury', 'fees')),
    balance bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    order_sequence bigint NOT NULL DEFAULT 0,
    cost_cents bigint NOT NULL DEFAULT 0,
    realised_cents bigint NOT NULL DEFAULT 0,
    CONSTRAINT only_the_issuer_is_negative CHECK (balance >= 0 OR kind = 'issuer'),
    CONSTRAINT nothing_is_held_twice CHECK (held >= 0 AND (held <= balance OR held = 0)),
    CONSTRAINT only_the_house_issues CHECK ((kind = 'player') = (owner_id <> 0)),
    UNIQUE (owner_id, asset, kind)
) WITH (fillfactor = 50);

CREATE TABLE postings (
    id bigserial PRIMARY KEY,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    debit_balance bigint NOT NULL,
    credit_balance bigint NOT NULL,
    reason text NOT NULL,
    reference text NOT NULL,
    actor_id bigint NOT NULL,
    request_id text NOT NULL,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    CONSTRAINT a_posting_moves CHECK (debit <> credit)
);
CREATE INDEX postings_debit ON postings (debit, id);
CREATE INDEX postings_credit ON postings (credit, id);

CREATE SEQUENCE order_ids INCREMENT BY 1000;
CREATE SEQUENCE trade_ids INCREMENT BY 1000;

CREATE TABLE orders (
    id bigint PRIMARY KEY,
    player_id bigint NOT NULL,
    instrument_id bigint NOT NULL,
    side smallint NOT NULL CHECK (side IN (1, 2)),
    type smallint NOT NULL CHECK (type BETWEEN 1 AND 4),
    time_in_force smallint NOT NULL CHECK (time_in_force BETWEEN 1 AND 4),
    quantity bigint NOT NULL,
    price_cents bigint NOT NULL CHECK (price_cents > 0),
    stop_price_cents bigint NOT NULL CHECK (stop_price_cents >= 0),
    post_only boolean NOT NULL,
    self_trade smallint NOT NULL CHECK (self_trade BETWEEN 1 AND 4),
    fee_bps bigint NOT NULL CHECK (fee_bps BETWEEN 0 AND 10000),
    priority bigint NOT NULL,
    filled bigint NOT NULL DEFAULT 0 CHECK (filled >= 0),
    value_cents bigint NOT NULL DEFAULT 0,
    fee_cents bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL CHECK (held >= 0),
    status smallint NOT NULL CHECK (status BETWEEN 1 AND 6),
    end_reason smallint NOT NULL DEFAULT 0,
    request_id text NOT NULL,
    request_hash bytea NOT NULL,
    accepted_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT an_order_never_overfills CHECK (filled <= quantity),
    CONSTRAINT an_ended_order_holds_nothing CHECK (status <= 3 OR held = 0)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX orders_request ON orders (player_id, request_id);
CREATE INDEX orders_player ON orders (player_id, id);
CREATE INDEX orders_open ON orders (player_id, id) WHERE status <= 3;

CREATE TABLE trades (
    id bigint PRIMARY KEY,
    instrument_id bigint NOT NULL,
    price_cents bigint NOT NULL CHECK (price_cents > 0),
    quantity bigint NOT NULL CHECK (quantity > 0),
    aggressor smallint NOT NULL CHECK (aggressor BETWEEN 0 AND 2),
    buy_order_id bigint NOT NULL,
    sell_order_id bigint NOT NULL,
    buyer_id bigint NOT NULL,
    seller_id bigint NOT NULL,
    buyer_fee_cents bigint NOT NULL CHECK (buyer_fee_cents >= 0),
    seller_fee_cents bigint NOT NULL CHECK (seller_fee_cents >= 0),
    executed_at timestamptz NOT NULL,
    CONSTRAINT nobody_trades_with_himself CHECK (buyer_id <> seller_id)
);
CREATE INDEX trades_instrument ON trades (instrument_id, id);
CREATE INDEX trades_buyer ON trades (buyer_id, id);
CREATE INDEX trades_seller ON trades (seller_id, id);

CREATE TABLE candles (
    instrument_id bigint NOT NULL,
    seconds integer NOT NULL CHECK (seconds IN (60, 900)),
    start bigint NOT NULL,
    open_cents bigint NOT NULL,
    high_cents bigint NOT NULL,
    low_cents bigint NOT NULL,
    close_cents bigint NOT NULL,
    volume bigint NOT NULL,
    value_cents bigint NOT NULL,
    trades bigint NOT NULL,
    PRIMARY KEY (instrument_id, seconds, start)
) WITH (fillfactor = 50);

CREATE TABLE day_usage (
    player_id bigint NOT NULL,
    day date NOT NULL,
    orders bigint NOT NULL,
    value_cents bigint NOT NULL,
    PRIMARY KEY (player_id, day)
);

CREATE TABLE events (
    id bigserial,
    xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    type text NOT NULL,
    subject text NOT NULL,
    actor_id bigint NOT NULL,
    owner_id bigint,
    owner_sequence bigint,
    address text NOT NULL,
    request_id text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (xid, id)
);
CREATE UNIQUE INDEX events_owner ON events (owner_id, owner_sequence) WHERE owner_id IS NOT NULL;

CREATE TABLE requests (
    actor_id bigint NOT NULL,
    request_id text NOT NULL,
    method text NOT NULL,
    body_hash bytea NOT NULL,
    response bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (actor_id, request_id)
);

CREATE TABLE transfers (
    id bigserial PRIMARY KEY,
    from_id bigint NOT NULL REFERENCES players,
    to_id bigint NOT NULL REFERENCES players,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    fee_cents bigint NOT NULL CHECK (fee_cents >= 0),
    note text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT nobody_pays_himself CHECK (from_id <> to_id)
);

CREATE TABLE announcements (
    id bigserial PRIMARY KEY,
    text text NOT NULL,
    author_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);

CREATE TABLE shards (
    id smallint PRIMARY KEY,
    owner text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
INSERT INTO shards SELECT n, '', 0, 'epoch' FROM generate_series(0, 15) n;

INSERT INTO players (id, name, password_hash, role, created_at) VALUES (0, 'house', '', 'house', now());
INSERT INTO accounts (owner_id, asset, kind) VALUES (0, 0, 'issuer'), (0, 0, 'treasury'), (0, 0, 'fees');
"""


def up(migrator: Any, db: Any) -> None:
    """Make everything."""
    db.execute_sql(SCHEMA)
