"""Redeeming codes: each at most as often as it may be, and by a player once; inside the caller's transaction.

The code's row is locked first, then the player's, then accounts. Whoever waits for the code finds it used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.game.codes import referrals
from bearpit_server.game.codes.codes import Gift, gift_of
from bearpit_server.game.codes.referrals import Terms
from bearpit_server.game.points import rewards
from bearpit_server.game.points.adjustments import require_room
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.codes import Discount, Kind, discounted, unknown
from bearpit_server.rules.refusals import Refused, frozen
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Account, Instrument, Player
from bearpit_server.storage.models.codes import Code, CodeBatch, Redemption

REASON = "code"
"""Of the postings."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a code has brought."""

    redemption_id: int
    """0: it was a referral."""
    gift: Gift
    reason: str
    referrer: str
    free_cash_cents: int
    changes: Sequence[WalletChange]
    fee_off_until: datetime | None = None
    replaced_off_bps: int = 0


def redeem(player_id: int, text: str, terms: Terms, origin: Origin) -> Brought:
    """Give a player what a code brings; `text` is as `rules.codes.normalise` returns it.

    Raises Refused CODE_UNKNOWN, CODE_WITHDRAWN, CODE_ALREADY_REDEEMED, CODE_EXPIRED, CODE_USED_UP,
    NOT_POSSIBLE_NOW for a coupon that is worse than what the player has, PLAYER_DISABLED, PLAYER_FROZEN,
    INVALID_FIELD when there would be more than can be counted; or as `referrals.arrive`.
    """
    code: Code | None = Code.select().where(Code.text == text).for_update("FOR NO KEY UPDATE").first()
    if code is None:
        return _arrive(player_id, text, terms, origin)
    batch: CodeBatch = CodeBatch.get_by_id(code.batch_id)
    player = _lock(player_id)
    at = now()
    _check(code, batch, player_id, at)
    Code.update(uses=Code.uses + 1).where(Code.id == code.id).execute()
    row = Redemption.create(code=code.id, player_id=player_id, redeemed_at=at)
    reference = f"redemption:{row.id}"
    changes: Sequence[WalletChange] = ()
    running = _running(player, at)
    discount = None
    match batch.kind:
        case Kind.POINTS:
            changes = rewards.give(player_id, batch.value_cents, REASON, reference, origin, batch.reason)
        case Kind.SHARES:
            changes = _give_shares(player_id, batch, reference, origin)
        case Kind.FEE_COUPON:
            discount = discounted(running, batch.off_bps, batch.lifetime_seconds, at)
            off = {Player.fee_off_bps: discount.off_bps, Player.fee_off_until: discount.until}
            Player.update(off).where(Player.id == player_id).execute()
    gift = gift_of(batch, _symbol(batch))
    payload = {
        "player_id": player_id,
        "redemption_id": row.id,
        "batch_id": batch.id,
        "kind": batch.kind,
        "value_cents": gift.value_cents,
        "off_bps": gift.off_bps,
        "symbol": gift.symbol,
        "quantity": gift.quantity,
        "fee_off_until": None if discount is None else discount.until.isoformat(),
        "reason": batch.reason,
    }
    log.append([Event("code.redeemed", f"code:{code.id}", origin, payload)], at)
    replaced = discount is not None and running is not None and running.off_bps < discount.off_bps
    return Brought(
        redemption_id=int(row.id),
        gift=gift,
        reason=batch.reason,
        referrer="",
        free_cash_cents=_free_cash(player_id),
        changes=changes,
        fee_off_until=None if discount is None else discount.until,
        replaced_off_bps=running.off_bps if replaced and running is not None else 0,
    )


def _arrive(player_id: int, text: str, terms: Terms, origin: Origin) -> Brought:
    referrer = referrals.owner_of(text)
    if referrer is None:
        raise unknown("code")
    referrals.arrive(_lock(player_id), referrer, terms, origin)
    gift = Gift(Kind.POINTS, terms.newcomer_cents)
    return Brought(0, gift, "", referrer.name, _free_cash(player_id), ())


def _lock(player_id: int) -> Player:
    """The player, who stays as he is until the transaction ends."""
    player: Player = Player.select().where(Player.id == player_id).for_update("FOR NO KEY UPDATE").get()
    if player.disabled:
        raise Refused("PLAYER_DISABLED", "you are disabled; ask an operator")
    if player.frozen:
        raise frozen()
    return player


def _check(code: Code, batch: CodeBatch, player_id: int, at: datetime) -> None:
    """Raises Refused when this player cannot redeem this code now."""
    if batch.withdrawn_at is not None:
        raise Refused("CODE_WITHDRAWN", "this code has been withdrawn; ask who gave it to you", "code")
    mine = Redemption.get_or_none((Redemption.code == code.id) & (Redemption.player_id == player_id))
    if mine is not None:
        raise Refused(
            "CODE_ALREADY_REDEEMED",
            f"you have redeemed this code before, at {mine.redeemed_at:%Y-%m-%d %H:%M} UTC",
            "code",
            redeemed_at=mine.redeemed_at.isoformat(),
        )
    if batch.expires_at is not None and batch.expires_at <= at:
        raise Refused(
            "CODE_EXPIRED",
            f"this code was good until {batch.expires_at:%Y-%m-%d %H:%M} UTC",
            "code",
            expired_at=batch.expires_at.isoformat(),
        )
    if code.max_uses and code.uses >= code.max_uses:
        times = "by somebody else" if code.max_uses == 1 else f"by {code.max_uses} players"
        raise Refused(
            "CODE_USED_UP", f"this code has been redeemed {times}; ask for another", "code",
            allowed=code.max_uses,
        )  # fmt: skip


def _give_shares(player_id: int, batch: CodeBatch, reference: str, origin: Origin) -> list[WalletChange]:
    """Issue shares to a player; they have cost nothing."""
    asset = batch.instrument_id
    issuer, account = open_account(HOUSE, asset, "issuer"), open_account(player_id, asset)
    journal = Journal(now())
    journal.lock([issuer, account, open_account(player_id, CASH)])
    require_room(journal.accounts[issuer].balance, batch.quantity, "code")
    journal.post(issuer, account, batch.quantity, REASON, reference, origin, batch.reason)
    return journal.write()


def _running(player: Player, at: datetime) -> Discount | None:
    if player.fee_off_until is None or player.fee_off_until <= at:
        return None
    return Discount(player.fee_off_bps, player.fee_off_until)


def _free_cash(player_id: int) -> int:
    cash = Account.get((Account.owner == player_id) & (Account.asset == CASH) & (Account.kind == "player"))
    return int(cash.balance - cash.held)


def _symbol(batch: CodeBatch) -> dict[int, str]:
    if batch.instrument_id is None:
        return {}
    return {batch.instrument_id: Instrument.get_by_id(batch.instrument_id).symbol}
