"""The tables of the exchange: people, the ledger, instruments, windows, orders and trades, the event log."""

import peewee as pw
from playhouse.postgres_ext import ArrayField, BinaryJSONField, DateTimeTZField

from bearpit_server.storage.models.base import Row


class Player(Row):
    """Somebody who takes part."""

    id = pw.BigAutoField()
    name = pw.TextField()
    password_hash = pw.TextField()
    roles = ArrayField(pw.TextField)  # names of rules.roles; of the house "house"
    disabled = pw.BooleanField(default=False)
    frozen = pw.BooleanField(default=False)  # signs in and looks, and does nothing
    credit_cents = pw.BigIntegerField(default=0)  # how far buying may draw a loan
    fee_off_bps = pw.BigIntegerField(default=0)  # a coupon's discount on trading fees, until:
    fee_off_until = DateTimeTZField(null=True)
    team_id = pw.BigIntegerField(null=True)
    token_epoch = pw.BigIntegerField(default=0)  # raised to void every access token
    created_at = DateTimeTZField()

    class Meta:
        table_name = "players"


class SignIn(Row):
    """One sign-in: a family of refresh tokens, of which only the newest is good."""

    id = pw.BigAutoField()
    player = pw.ForeignKeyField(Player, column_name="player_id", backref="sign_ins")
    created_at = DateTimeTZField()
    voided_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "sign_ins"


class RefreshToken(Row):
    """One refresh token, kept as a SHA-256 hash."""

    token_hash = pw.BlobField(primary_key=True)
    sign_in = pw.ForeignKeyField(SignIn, column_name="sign_in_id")
    expires_at = DateTimeTZField()
    used_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "refresh_tokens"


class ServiceToken(Row):
    """A token for another service, kept as a SHA-256 hash."""

    id = pw.BigAutoField()
    name = pw.TextField()
    token_hash = pw.BlobField()
    scopes = ArrayField(pw.TextField)
    created_at = DateTimeTZField()
    revoked_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "service_tokens"


class Setting(Row):
    """One setting of the game that somebody has set; the others have their defaults."""

    key = pw.TextField(primary_key=True)
    value = pw.TextField()

    class Meta:
        table_name = "settings"


class Instrument(Row):
    """Something that is traded; an asset of the ledger as well."""

    id = pw.BigAutoField()
    symbol = pw.TextField()
    name = pw.TextField()
    mechanism = pw.TextField()
    shard = pw.SmallIntegerField()
    tick_cents = pw.BigIntegerField()
    lot = pw.BigIntegerField()
    min_quantity = pw.BigIntegerField()
    max_quantity = pw.BigIntegerField()
    fee_bps = pw.BigIntegerField()
    band_bps = pw.BigIntegerField()
    reference_price_cents = pw.BigIntegerField()
    halted = pw.BooleanField(default=False)
    phase = pw.SmallIntegerField(default=1)  # the last one its book was in: rules.sessions.Phase
    ipo_price_cents = pw.BigIntegerField(null=True)
    ipo_quantity = pw.BigIntegerField(null=True)
    ipo_order_id = pw.BigIntegerField(null=True)
    group_id = pw.BigIntegerField(null=True)
    parameters = BinaryJSONField(default=dict)  # its mechanism's, as texts by key
    price_cents = pw.BigIntegerField(default=0)  # what the house deals at; pools have theirs in their tills
    priced_at = DateTimeTZField(null=True)
    created_at = DateTimeTZField()

    class Meta:
        table_name = "instruments"


class Group(Row):
    """Instruments whose prices form together. `memory` is their mechanism's."""

    id = pw.BigAutoField()
    name = pw.TextField()
    mechanism = pw.TextField()
    shard = pw.SmallIntegerField()
    parameters = BinaryJSONField()
    memory = BinaryJSONField(default=dict)
    steps = pw.BigIntegerField(default=0)
    stepped_at = DateTimeTZField(null=True)
    refused = BinaryJSONField(default=dict)  # pushed prices, by reason
    created_at = DateTimeTZField()

    class Meta:
        table_name = "groups"


class Mark(Row):
    """A price that a feed made; its trades can be checked against it."""

    instrument_id = pw.BigIntegerField()
    step = pw.BigIntegerField()
    price_cents = pw.BigIntegerField()
    at = DateTimeTZField()

    class Meta:
        table_name = "marks"
        primary_key = pw.CompositeKey("instrument_id", "step")


class Recording(Row):
    """A history of prices that feeds can play."""

    id = pw.BigAutoField()
    name = pw.TextField()
    created_at = DateTimeTZField()

    class Meta:
        table_name = "recordings"


class Bar(Row):
    """One line of a recording."""

    recording = pw.ForeignKeyField(Recording, column_name="recording_id")
    at = DateTimeTZField()
    open_cents = pw.BigIntegerField()
    high_cents = pw.BigIntegerField()
    low_cents = pw.BigIntegerField()
    close_cents = pw.BigIntegerField()
    volume = pw.BigIntegerField()

    class Meta:
        table_name = "bars"
        primary_key = pw.CompositeKey("recording", "at")


class News(Row):
    """A headline, and what it does to prices from `publish_at` to `ends_at`. `told`: players have seen it."""

    id = pw.BigAutoField()
    text = pw.TextField()
    instrument_ids = ArrayField(pw.BigIntegerField)
    drift_bps = pw.BigIntegerField()
    volatility_bps = pw.BigIntegerField()
    publish_at = DateTimeTZField()
    ends_at = DateTimeTZField()
    withdrawn_at = DateTimeTZField(null=True)
    told = pw.BooleanField(default=False)
    author_id = pw.BigIntegerField()
    created_at = DateTimeTZField()

    class Meta:
        table_name = "news"


class Window(Row):
    """A trading window. `kind` and `state` have the numbers of rules.windows; `plan` says what settles it.

    `stopped` says why its settlement stands still; empty: it does not.
    """

    id = pw.BigAutoField()
    title = pw.TextField()
    kind = pw.SmallIntegerField()
    number = pw.BigIntegerField()
    state = pw.SmallIntegerField()
    opens_at = DateTimeTZField(null=True)
    trades_at = DateTimeTZField(null=True)
    trading_ends_at = DateTimeTZField(null=True)
    settles_at = DateTimeTZField(null=True)
    closes_at = DateTimeTZField(null=True)
    recurrence = pw.TextField()
    time_zone = pw.TextField()
    plan = BinaryJSONField()
    changed_at = DateTimeTZField()
    begins_at = DateTimeTZField(null=True)  # when trading began in the first window of its series
    stopped = pw.TextField(default="")
    follows_id = pw.BigIntegerField(null=True)
    reversed_by = pw.BigIntegerField(null=True)
    created_at = DateTimeTZField()

    class Meta:
        table_name = "windows"


class WindowInstrument(Row):
    """An instrument that a window covers, and its price when the window opened."""

    window = pw.ForeignKeyField(Window, column_name="window_id")
    instrument = pw.ForeignKeyField(Instrument, column_name="instrument_id")
    price_cents = pw.BigIntegerField(null=True)

    class Meta:
        table_name = "window_instruments"
        primary_key = pw.CompositeKey("window", "instrument")


class Snapshot(Row):
    """An account as it was when a window opened. `posting_id` is its last posting then; 0: none."""

    window_id = pw.BigIntegerField()
    account_id = pw.BigIntegerField()
    balance = pw.BigIntegerField()
    cost_cents = pw.BigIntegerField()
    realised_cents = pw.BigIntegerField()
    posting_id = pw.BigIntegerField()

    class Meta:
        table_name = "snapshots"
        primary_key = pw.CompositeKey("window_id", "account_id")


class SettledPrice(Row):
    """What a window did to a price, from what, and why. A correction is a new row; the old one names it."""

    id = pw.BigAutoField()
    window_id = pw.BigIntegerField()
    instrument_id = pw.BigIntegerField()
    previous_cents = pw.BigIntegerField()
    price_cents = pw.BigIntegerField()
    move_bps = pw.BigIntegerField()
    explanation = pw.TextField()
    factors = BinaryJSONField()
    bounded = pw.BooleanField()
    algorithm = pw.TextField()
    parameters = BinaryJSONField()
    variant = pw.TextField()
    trading = BinaryJSONField()
    settled_at = DateTimeTZField()
    corrected_by = pw.BigIntegerField(null=True)

    class Meta:
        table_name = "settlements"


class Rollback(Row):
    """A rollback from its request on. `level`, `state`, `policy`: the numbers of rollbacks.proto."""

    id = pw.BigAutoField()
    level = pw.SmallIntegerField()
    state = pw.SmallIntegerField()
    trade_id = pw.BigIntegerField(null=True)
    player_id = pw.BigIntegerField(null=True)
    window_id = pw.BigIntegerField(null=True)
    since = DateTimeTZField(null=True)
    policy = pw.SmallIntegerField()
    plan = BinaryJSONField(null=True)
    prices = BinaryJSONField(null=True)
    reason = pw.TextField()
    requested_by = pw.BigIntegerField()
    requested_at = DateTimeTZField()
    expires_at = DateTimeTZField(null=True)
    decided_by = pw.BigIntegerField(null=True)
    decided_at = DateTimeTZField(null=True)
    done_at = DateTimeTZField(null=True)
    total = pw.BigIntegerField(default=0)
    done = pw.BigIntegerField(default=0)
    effects = BinaryJSONField(null=True)  # null: not begun
    closing = BinaryJSONField(null=True)  # the movements after the last reversal, until they are made
    failure = pw.TextField(default="")
    proof = pw.TextField(default="")

    class Meta:
        table_name = "rollbacks"


class Reversal(Row):
    """A trade that a rollback has reversed, or, without a time, is about to."""

    trade_id = pw.BigIntegerField(primary_key=True)
    rollback_id = pw.BigIntegerField()
    reversed_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "reversals"


class Earmark(Row):
    """What a rollback under way holds on an account: what it needs of it, and what it has put there."""

    rollback_id = pw.BigIntegerField()
    account_id = pw.BigIntegerField()
    amount = pw.BigIntegerField()

    class Meta:
        table_name = "earmarks"
        primary_key = pw.CompositeKey("rollback_id", "account_id")


class Market(Row):
    """The one row that says when the market is open."""

    id = pw.SmallIntegerField(primary_key=True)
    override = pw.SmallIntegerField()
    all_halted = pw.BooleanField()
    schedule = BinaryJSONField(null=True)

    class Meta:
        table_name = "market"


class Account(Row):
    """What one owner has of one asset. Only the ledger changes it.

    `kind` is "player" for players, "debt" for what they owe the house; for the house "issuer", "treasury",
    "fees", "escrow", and the tills of instruments: "dealer", where the house deals, and "pool". A till's
    `version` rises when something else than trading changes how its instrument is dealt in.
    On a player's cash account `order_sequence` numbers the owner's order updates and `version` the
    changes of the wallet. On share accounts `cost_cents` is what the shares cost, `realised_cents` the
    gain from sales.
    """

    id = pw.BigAutoField()
    owner = pw.ForeignKeyField(Player, column_name="owner_id")
    asset = pw.BigIntegerField()
    kind = pw.TextField()
    balance = pw.BigIntegerField(default=0)
    held = pw.BigIntegerField(default=0)
    version = pw.BigIntegerField(default=0)
    order_sequence = pw.BigIntegerField(default=0)
    cost_cents = pw.BigIntegerField(default=0)
    realised_cents = pw.BigIntegerField(default=0)
    instrument_id = pw.BigIntegerField(default=0)  # of tills
    debt_id = pw.BigIntegerField(default=0)  # of a player's cash account: that of the debt; 0: there is none

    class Meta:
        table_name = "accounts"


class Posting(Row):
    """One movement: `amount` of an asset out of `debit` into `credit`. Never changed, never deleted."""

    id = pw.BigAutoField()
    debit = pw.BigIntegerField()
    credit = pw.BigIntegerField()
    amount = pw.BigIntegerField()
    debit_balance = pw.BigIntegerField()
    credit_balance = pw.BigIntegerField()
    reason = pw.TextField()
    reference = pw.TextField()
    actor_id = pw.BigIntegerField()
    request_id = pw.TextField()
    note = pw.TextField()
    created_at = DateTimeTZField()

    class Meta:
        table_name = "postings"


class Order(Row):
    """An order as accepted and as it stands. See rules.orders for the enums' numbers.

    `status` stays QUEUED while an order rests: resting needs no write. A triggered stop is WORKING.
    """

    id = pw.BigIntegerField(primary_key=True)
    player_id = pw.BigIntegerField()
    instrument_id = pw.BigIntegerField()
    side = pw.SmallIntegerField()
    type = pw.SmallIntegerField()
    time_in_force = pw.SmallIntegerField()
    quantity = pw.BigIntegerField()
    price_cents = pw.BigIntegerField()
    stop_price_cents = pw.BigIntegerField()
    post_only = pw.BooleanField()
    self_trade = pw.SmallIntegerField()
    fee_bps = pw.BigIntegerField()
    priority = pw.BigIntegerField()
    filled = pw.BigIntegerField(default=0)
    value_cents = pw.BigIntegerField(default=0)
    fee_cents = pw.BigIntegerField(default=0)
    held = pw.BigIntegerField()
    borrowed_cents = pw.BigIntegerField(default=0)  # of what it holds, drawn as a loan
    status = pw.SmallIntegerField()
    end_reason = pw.SmallIntegerField(default=0)
    request_id = pw.TextField()
    request_hash = pw.BlobField()
    accepted_at = DateTimeTZField()
    updated_at = DateTimeTZField()
    expires_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "orders"


class Trade(Row):
    """A trade. `aggressor` is the side that took, 0 in an auction."""

    id = pw.BigIntegerField(primary_key=True)
    instrument_id = pw.BigIntegerField()
    price_cents = pw.BigIntegerField()
    quantity = pw.BigIntegerField()
    aggressor = pw.SmallIntegerField()
    buy_order_id = pw.BigIntegerField()
    sell_order_id = pw.BigIntegerField()
    buyer_id = pw.BigIntegerField()
    seller_id = pw.BigIntegerField()
    buyer_fee_cents = pw.BigIntegerField()
    seller_fee_cents = pw.BigIntegerField()
    executed_at = DateTimeTZField()
    window_id = pw.BigIntegerField(default=0)  # the trading window it belongs to; 0: none
    seller_cost_cents = pw.BigIntegerField(default=0)  # what the sold shares had cost

    class Meta:
        table_name = "trades"


class Candle(Row):
    """Trading of one instrument in one minute or quarter of an hour; longer periods are derived."""

    instrument_id = pw.BigIntegerField()
    seconds = pw.IntegerField()
    start = pw.BigIntegerField()  # epoch seconds
    open_cents = pw.BigIntegerField()
    high_cents = pw.BigIntegerField()
    low_cents = pw.BigIntegerField()
    close_cents = pw.BigIntegerField()
    volume = pw.BigIntegerField()
    value_cents = pw.BigIntegerField()
    trades = pw.BigIntegerField()

    class Meta:
        table_name = "candles"
        primary_key = pw.CompositeKey("instrument_id", "seconds", "start")


class DayUsage(Row):
    """What a player has ordered on one day, counted while a daily limit is set."""

    player_id = pw.BigIntegerField()
    day = pw.DateField()
    orders = pw.BigIntegerField()
    value_cents = pw.BigIntegerField()

    class Meta:
        table_name = "day_usage"
        primary_key = pw.CompositeKey("player_id", "day")


class Event(Row):
    """One state change, written in its transaction. Read in the order of (xid, id): see events.log."""

    id = pw.BigAutoField()
    xid = pw.BigIntegerField()
    type = pw.TextField()
    subject = pw.TextField()
    actor_id = pw.BigIntegerField()
    owner_id = pw.BigIntegerField(null=True)
    owner_sequence = pw.BigIntegerField(null=True)
    address = pw.TextField()
    request_id = pw.TextField()
    payload = BinaryJSONField()
    created_at = DateTimeTZField()

    class Meta:
        table_name = "events"


class Request(Row):
    """A mutation that was done, and what was answered; orders keep theirs themselves."""

    actor_id = pw.BigIntegerField()
    request_id = pw.TextField()
    method = pw.TextField()
    body_hash = pw.BlobField()
    response = pw.BlobField()
    created_at = DateTimeTZField()

    class Meta:
        table_name = "requests"
        primary_key = pw.CompositeKey("actor_id", "request_id")


class Transfer(Row):
    """Cash that one player gave another."""

    id = pw.BigAutoField()
    from_id = pw.BigIntegerField()
    to_id = pw.BigIntegerField()
    amount_cents = pw.BigIntegerField()
    fee_cents = pw.BigIntegerField()
    note = pw.TextField()
    created_at = DateTimeTZField()

    class Meta:
        table_name = "transfers"


class Shard(Row):
    """A lease on a sixteenth of the instruments. The epoch rises with each change of owner."""

    id = pw.SmallIntegerField(primary_key=True)
    owner = pw.TextField()  # an address; empty: free
    epoch = pw.BigIntegerField()
    expires_at = DateTimeTZField()

    class Meta:
        table_name = "shards"
