"""Who brought whom along, and what both get for it once the newcomer has traded.

What a referral is worth is read when it is paid. A trade that is reversed later takes nothing back.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.game.points.adjustments import require_room
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.codes import NUMBERS, text_of, unknown
from bearpit_server.rules.refusals import Refused
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Player, Trade
from bearpit_server.storage.models.codes import Referral, ReferralCode
from bearpit_server.storage.settings import Settings

REASON = "referral"
"""Of the postings."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the game's settings say about referrals."""

    reward_cents: int
    newcomer_cents: int
    most: int
    days: int

    @classmethod
    def of(cls, settings: Settings) -> "Terms":
        """As they are set now."""
        return cls(
            settings.number("referral_reward_cents"),
            settings.number("referral_newcomer_cents"),
            settings.number("referral_max"),
            settings.number("referral_days"),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A player's referral code, and what it has brought."""

    text: str
    newcomers: int
    rewarded: int
    earned_cents: int
    referrer: str
    """Who brought the player along; empty: nobody."""
    open_until: datetime | None
    """Until when the player may still say so; None: no more."""


def standing(player_id: int, terms: Terms) -> Standing:
    """How a player's referrals stand. The code is made when it is first asked for."""
    mine = (Referral.referrer_id == player_id) & Referral.rewarded_at.is_null(False)
    player: Player = Player.get_by_id(player_id)
    earned = Referral.select(pw.fn.coalesce(pw.fn.sum(Referral.referrer_cents), 0).cast("bigint")).where(mine)
    came: Referral | None = Referral.get_or_none(Referral.newcomer_id == player_id)
    closes = player.created_at + timedelta(days=terms.days)
    is_open = came is None and closes > now() and not _has_traded(player_id)
    return Standing(
        text=_code_of(player_id),
        newcomers=Referral.select().where(Referral.referrer_id == player_id).count(),
        rewarded=Referral.select().where(mine).count(),
        earned_cents=int(earned.scalar()),
        referrer=Player.get_by_id(came.referrer_id).name if came is not None else "",
        open_until=closes if is_open else None,
    )


def owner_of(text: str) -> Player | None:
    """Whose referral code this is."""
    row: ReferralCode | None = ReferralCode.get_or_none(ReferralCode.text == text)
    return None if row is None else Player.get_by_id(row.player_id)


def arrive(newcomer: Player, referrer: Player, terms: Terms, origin: Origin, field: str = "code") -> None:
    """Note who brought a newcomer along; the newcomer's row is locked. Raises Refused REFERRAL_CLOSED."""
    at = now()
    if referrer.id == newcomer.id:
        raise _closed("older", "this is your own referral code; give it to a newcomer", field)
    if Referral.select().where(Referral.newcomer_id == newcomer.id).exists():
        raise _closed("referred", "you have said before who brought you along", field)
    if referrer.id > newcomer.id:
        raise _closed(
            "older", f"you were here before {referrer.name}; only newcomers are brought along", field
        )
    if newcomer.created_at + timedelta(days=terms.days) <= at:
        raise _closed("late", f"a referral code is good in one's first {terms.days} days only", field)
    if _has_traded(newcomer.id):
        raise _closed("traded", "a referral code is good before one's first trade only", field)
    if _paid_for(referrer.id) >= terms.most:
        raise _closed(
            "full",
            f"player {referrer.name} has brought as many as count, {terms.most}; go on without it",
            field,
        )
    Referral.create(newcomer_id=newcomer.id, referrer_id=referrer.id, created_at=at)
    payload = {"newcomer_id": newcomer.id, "referrer_id": referrer.id}
    log.append([Event("referral.made", f"referral:{newcomer.id}", origin, payload)], at)


def introduce(newcomer: Player, text: str, terms: Terms, origin: Origin) -> None:
    """Note who brought along somebody who registers. Raises Refused CODE_UNKNOWN or REFERRAL_CLOSED."""
    referrer = owner_of(text)
    if referrer is None:
        raise unknown("referral")
    arrive(newcomer, referrer, terms, origin, "referral")


def reward(newcomer_ids: Collection[int], terms: Terms) -> list[WalletChange]:
    """Reward both sides for those of these newcomers that nobody was rewarded for yet.

    A side that is disabled by then gets nothing, and nor does a referrer who has been rewarded as often as
    counts. All accounts are locked at once, whoever they belong to.
    """
    waiting = Referral.select().where(
        Referral.newcomer_id << sorted(newcomer_ids), Referral.rewarded_at.is_null()
    )
    rows: Sequence[Referral] = list(waiting.order_by(Referral.newcomer_id).for_update())
    if not rows:
        return []
    at = now()
    people = {row.newcomer_id for row in rows} | {row.referrer_id for row in rows}
    # Two at once may bring the same player's last rewards: one waits here and counts the other's.
    guards = ReferralCode.select().where(ReferralCode.player_id << list(people))
    list(guards.order_by(ReferralCode.player_id).for_update())
    accounts = {player_id: open_account(player_id, CASH) for player_id in sorted(people)}
    issuer = open_account(HOUSE, CASH, "issuer")
    journal = Journal(at)
    journal.lock([issuer, *accounts.values()])
    paid = {row.referrer_id: _paid_for(row.referrer_id) for row in rows}
    events = []
    for row in rows:
        is_full = paid[row.referrer_id] >= terms.most
        row.referrer_cents = 0 if is_full or _is_out(journal, row.referrer_id) else terms.reward_cents
        row.newcomer_cents = 0 if _is_out(journal, row.newcomer_id) else terms.newcomer_cents
        row.rewarded_at = at
        paid[row.referrer_id] += row.referrer_cents > 0
        reference = f"referral:{row.newcomer_id}"
        for player_id, cents in (
            (row.referrer_id, row.referrer_cents),
            (row.newcomer_id, row.newcomer_cents),
        ):
            if cents:
                require_room(journal.accounts[issuer].balance, cents, "amount")
                journal.post(issuer, accounts[player_id], cents, REASON, reference, HOUSE_ORIGIN)
        row.save()
        payload = {
            "newcomer_id": row.newcomer_id,
            "referrer_id": row.referrer_id,
            "newcomer_cents": row.newcomer_cents,
            "referrer_cents": row.referrer_cents,
        }
        events.append(Event("referral.rewarded", reference, HOUSE_ORIGIN, payload))
    log.append(events, at)
    return journal.write()


def _is_out(journal: Journal, player_id: int) -> bool:
    return journal.cash_of(player_id).disabled


def _paid_for(referrer_id: int) -> int:
    query = Referral.select().where(Referral.referrer_id == referrer_id, Referral.referrer_cents > 0)
    return int(query.count())


def _has_traded(player_id: int) -> bool:
    mine = (Trade.buyer_id == player_id) | (Trade.seller_id == player_id)
    return bool(Trade.select().where(mine).exists())


def _code_of(player_id: int) -> str:
    """A player's own code, made if missing."""
    ReferralCode.insert(
        player_id=player_id, text=text_of(secrets.randbelow(NUMBERS))
    ).on_conflict_ignore().execute()
    return str(ReferralCode.get_by_id(player_id).text)


def _closed(why: str, message: str, field: str) -> Refused:
    return Refused("REFERRAL_CLOSED", f"{field}: {message}", field, why=why)
