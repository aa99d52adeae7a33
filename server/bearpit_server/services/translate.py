"""From our records to the contract's messages."""

import json
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from bearpit.v1 import admin_pb2, auth_pb2, market_pb2, trading_pb2, wallet_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from bearpit_server.events.log import Logged
from bearpit_server.events.records import FillRecord, OrderRecord
from bearpit_server.game.notices.announcements import Announced
from bearpit_server.game.players import Summary
from bearpit_server.game.points.wallets import Movement, Wallet
from bearpit_server.game.proofs.doctor import Proof
from bearpit_server.game.trading.instruments import Supply
from bearpit_server.game.trading.listings import ListedTrade
from bearpit_server.game.trading.market import Market
from bearpit_server.game.trading.news import Headline
from bearpit_server.rules import roles
from bearpit_server.rules.parameters import as_text
from bearpit_server.rules.roles import Permission
from bearpit_server.rules.sessions import Phase, Schedule
from bearpit_server.rules.settings import SETTINGS
from bearpit_server.storage.models import Instrument, Player, ServiceToken, Shard
from bearpit_server.storage.settings import Settings

ROLES = {name: cast(auth_pb2.Role, auth_pb2.Role.Value(f"ROLE_{name.upper()}")) for name in roles.ROLES}


@lru_cache(maxsize=256)
def timestamp(at: datetime) -> Timestamp:
    """A moment. Kept for a while, as all changes of a batch have the same: do not change what is returned."""
    message = Timestamp()
    message.FromDatetime(at.astimezone(UTC))
    return message


def player(row: Player, permissions: Collection[Permission] = ()) -> auth_pb2.Player:
    """A player, without anything secret. The permissions are for nobody but the player."""
    return auth_pb2.Player(
        player_id=row.id,
        name=row.name,
        roles=map(ROLES.__getitem__, row.roles),
        disabled=row.disabled,
        frozen=row.frozen,
        created_at=timestamp(row.created_at),
        permissions=[permission for permission in Permission if permission in permissions],
    )


def summary(found: Summary) -> admin_pb2.PlayerSummary:
    """A player and its cash."""
    return admin_pb2.PlayerSummary(
        player=player(found.player), cash_cents=found.cash_cents, held_cents=found.held_cents
    )


def wallet(of: Wallet) -> wallet_pb2.Wallet:
    """What a player has."""
    positions = [
        wallet_pb2.Position(
            symbol=position.symbol,
            quantity=position.quantity,
            held=position.held,
            cost_cents=position.cost_cents,
            realised_cents=position.realised_cents,
        )
        for position in of.positions
    ]
    return wallet_pb2.Wallet(
        cash_cents=of.cash_cents,
        held_cents=of.held_cents,
        positions=positions,
        player_id=of.player_id,
        debt_cents=of.debt_cents,
    )


def posting(movement: Movement) -> wallet_pb2.Posting:
    """A posting from one account's side."""
    return wallet_pb2.Posting(
        posting_id=movement.posting_id,
        symbol=movement.symbol,
        amount=movement.amount,
        balance_after=movement.balance_after,
        reason=movement.reason,
        reference=movement.reference,
        created_at=timestamp(movement.created_at),
        note=movement.note,
    )


def instrument(row: Instrument, phase: Phase, supply: Supply) -> market_pb2.Instrument:
    """An instrument; its IPO only while there are shares left of it."""
    ipo = None
    if supply.ipo_remaining:
        ipo = market_pb2.Ipo(
            price_cents=row.ipo_price_cents, quantity=row.ipo_quantity, remaining=supply.ipo_remaining
        )
    return market_pb2.Instrument(
        instrument_id=row.id,
        symbol=row.symbol,
        name=row.name,
        mechanism=row.mechanism,
        tick_cents=row.tick_cents,
        lot=row.lot,
        min_quantity=row.min_quantity,
        max_quantity=row.max_quantity,
        fee_bps=row.fee_bps,
        band_bps=row.band_bps,
        reference_price_cents=row.reference_price_cents,
        phase=cast(market_pb2.Phase, phase),
        shares_issued=supply.issued,
        ipo=ipo,
        group=supply.group,
        parameters=row.parameters,
    )


def announcement(made: Announced) -> market_pb2.Announcement:
    """A word from the operators."""
    return market_pb2.Announcement(
        announcement_id=made.announcement_id,
        title=made.title,
        body=made.body,
        priority=cast(market_pb2.Priority, int(made.priority)),
        audience=cast(market_pb2.Audience, int(made.audience)),
        team=made.team,
        role=made.role,
        author=made.author,
        created_at=timestamp(made.created_at),
        starts_at=timestamp(made.starts_at),
        expires_at=None if made.expires_at is None else timestamp(made.expires_at),
        state=cast(market_pb2.AnnouncementState, int(made.state)),
    )


def headline(made: Headline, everything: bool = False) -> market_pb2.Headline:
    """A headline; with what it does to prices only for operators."""
    return market_pb2.Headline(
        news_id=made.news_id,
        text=made.text,
        symbols=made.symbols,
        published_at=timestamp(made.published_at),
        ends_at=timestamp(made.ends_at),
        drift_bps=made.drift_bps if everything else 0,
        volatility_bps=made.volatility_bps if everything else 0,
        withdrawn=made.withdrawn,
    )


def market_status(
    market: Market, announced: Iterable[Announced], headlines: Iterable[Headline], at: datetime
) -> market_pb2.MarketStatus:
    """The market as a whole at a moment."""
    change = market.next_change(at)
    return market_pb2.MarketStatus(
        phase=cast(market_pb2.Phase, market.phase(at)),
        next_change_at=None if change is None else timestamp(change[0]),
        next_phase=market_pb2.PHASE_UNSPECIFIED if change is None else cast(market_pb2.Phase, change[1]),
        time_zone=market.time_zone,
        announcements=[announcement(made) for made in announced],
        headlines=[headline(made) for made in headlines],
        server_time=timestamp(at),
    )


def schedule(hours: Schedule) -> admin_pb2.Schedule:
    """The market's hours."""
    return admin_pb2.Schedule(
        days=hours.days,
        opens=hours.opens,
        closes=hours.closes,
        pre_open_minutes=hours.pre_open_minutes,
        time_zone=hours.time_zone,
    )


def order(record: OrderRecord, player_name: str = "") -> trading_pb2.Order:
    """An order; with its owner's name only for operators."""
    made = trading_pb2.Order(player_name=player_name)
    write_order(made, record)
    return made


def write_order(into: trading_pb2.Order, record: OrderRecord) -> None:
    """Write an order into a message in its place: a message that is put into another is copied."""
    spec = into.spec
    spec.symbol = record.symbol
    spec.side = cast(trading_pb2.Side, record.side)
    spec.type = cast(trading_pb2.OrderType, record.type)
    spec.quantity = record.quantity
    spec.price_cents = record.price_cents
    spec.stop_price_cents = record.stop_price_cents
    spec.time_in_force = cast(trading_pb2.TimeInForce, record.time_in_force)
    spec.post_only = record.post_only
    spec.self_trade = cast(trading_pb2.SelfTrade, record.self_trade)
    into.order_id = record.order_id
    into.status = cast(trading_pb2.OrderStatus, record.status)
    into.end_reason = cast(trading_pb2.EndReason, record.end_reason)
    into.filled_quantity = record.filled
    into.remaining_quantity = record.remaining
    into.filled_value_cents = record.value_cents
    into.fee_cents = record.fee_cents
    into.held = record.held
    into.request_id = record.request_id
    into.accepted_at.CopyFrom(timestamp(record.accepted_at))
    into.updated_at.CopyFrom(timestamp(record.updated_at))
    into.player_id = record.player_id


def fill(record: FillRecord) -> trading_pb2.Fill:
    """One side of a trade."""
    made = trading_pb2.Fill()
    write_fill(made, record)
    return made


def write_fill(into: trading_pb2.Fill, record: FillRecord) -> None:
    """Write a fill into a message in its place."""
    into.trade_id = record.trade_id
    into.order_id = record.order_id
    into.symbol = record.symbol
    into.side = cast(trading_pb2.Side, record.side)
    into.price_cents = record.price_cents
    into.quantity = record.quantity
    into.fee_cents = record.fee_cents
    into.maker = record.maker
    into.executed_at.CopyFrom(timestamp(record.executed_at))
    into.reversed = record.reversed


def trade(listed: ListedTrade) -> admin_pb2.PlayerTrade:
    """A trade with both sides."""
    row = listed.row
    public = market_pb2.Trade(
        trade_id=row.id,
        symbol=listed.symbol,
        price_cents=row.price_cents,
        quantity=row.quantity,
        aggressor=cast(market_pb2.Aggressor, row.aggressor),
        executed_at=timestamp(row.executed_at),
        reversed=listed.reversed,
    )
    return admin_pb2.PlayerTrade(
        trade=public,
        buyer=listed.buyer,
        seller=listed.seller,
        buy_order_id=row.buy_order_id,
        sell_order_id=row.sell_order_id,
        buyer_fee_cents=row.buyer_fee_cents,
        seller_fee_cents=row.seller_fee_cents,
    )


def settings(held: Settings) -> list[admin_pb2.Setting]:
    """All settings, by key."""
    return [
        admin_pb2.Setting(
            key=key,
            value=held.text(key),
            description=SETTINGS[key].description,
            default_value=as_text(SETTINGS[key].default),
        )
        for key in sorted(SETTINGS)
    ]


def service_token(row: ServiceToken) -> admin_pb2.ServiceToken:
    """A service's token, without its secret."""
    return admin_pb2.ServiceToken(
        service_token_id=row.id,
        name=row.name,
        scopes=row.scopes,
        created_at=timestamp(row.created_at),
        revoked=row.revoked_at is not None,
    )


def event(logged: Logged) -> admin_pb2.Event:
    """A state change."""
    return admin_pb2.Event(
        position=str(logged.position),
        type=logged.type,
        subject=logged.subject,
        actor_id=logged.actor_id,
        address=logged.address,
        request_id=logged.request_id,
        payload_json=json.dumps(logged.payload, ensure_ascii=False, separators=(",", ":")),
        created_at=timestamp(logged.created_at),
    )


def proof(checked: Proof) -> admin_pb2.Proof:
    """A rule, checked."""
    return admin_pb2.Proof(
        rule=checked.rule, holds=checked.holds, checked=checked.checked, violations=checked.violations
    )


def shard(row: Shard) -> admin_pb2.Shard:
    """Who owns a shard; of the owner's name only the address."""
    return admin_pb2.Shard(
        shard_id=row.id,
        owner=row.owner.split(" ")[0],
        epoch=row.epoch,
        expires_at=timestamp(row.expires_at),
    )
