"""What players owe the house: credit lines, debts that operators set, interest, comeback loans.

A debt is the balance, below zero, of an account of its own. The ledger itself lets money that comes in repay
it (`ledger.journal`), and the exchange draws and gives back what an order borrows (`exchange.settlement`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bearpit_server.events import log
from bearpit_server.events.bus import Bus
from bearpit_server.events.log import HOUSE_ORIGIN, Event, Origin
from bearpit_server.events.records import WalletChange
from bearpit_server.game.duels.listing import staked_cents
from bearpit_server.game.points import wallets
from bearpit_server.game.points.adjustments import require_room
from bearpit_server.game.ranks.marks import latest_by_symbol
from bearpit_server.game.texts import NOTE, line
from bearpit_server.ledger.accounts import open_account
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.refusals import Refused, frozen, invalid
from bearpit_server.rules.units import BPS, MAX_AMOUNT_CENTS, points
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import CASH, HOUSE, Account, Player
from bearpit_server.storage.models.debts import ComebackLoan, InterestRun
from bearpit_server.storage.settings import Settings

LOOK_SECONDS = 1.0
"""How often it is looked whether a period of interest is over."""
AT_ONCE = 500
"""Debts that one transaction charges."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Somebody in debt; in cents."""

    account_id: int
    name: str
    debt_cents: int
    credit_cents: int


def set_credit(player: Player, credit_cents: int, reason: str, origin: Origin) -> int:
    """Say how far buying may go beyond the cash; returns the debt. Raises Refused INVALID_FIELD."""
    if not 0 <= credit_cents <= MAX_AMOUNT_CENTS:
        raise invalid("credit_cents", f"give a number from 0 to {MAX_AMOUNT_CENTS}")
    line("reason", reason, 1, NOTE)
    Player.update(credit_cents=credit_cents).where(Player.id == player.id).execute()
    payload = {"credit_cents": credit_cents, "before_cents": player.credit_cents, "reason": reason}
    log.append([Event("debt.credit_set", f"player:{player.id}", origin, payload)])
    return wallets.of(player.id).debt_cents


def set_debt(
    player: Player, debt_cents: int, reason: str, origin: Origin
) -> tuple[int, Sequence[WalletChange]]:
    """Let a player owe so much, by a posting against the issuer; the cash stays. Returns what was owed.

    Raises Refused INVALID_FIELD.
    """
    if not 0 <= debt_cents <= MAX_AMOUNT_CENTS:
        raise invalid("debt_cents", f"give a number from 0 to {MAX_AMOUNT_CENTS}")
    line("reason", reason, 1, NOTE)
    cash, issuer = open_account(player.id, CASH), open_account(HOUSE, CASH, "issuer")
    journal = Journal(now())
    journal.lock([cash, issuer])
    debt, before = journal.open_debt(player.id), journal.debt_of(player.id)
    reference = f"player:{player.id}"
    if debt_cents > before:
        journal.post(debt, issuer, debt_cents - before, "debt", reference, origin, reason)
    elif debt_cents < before:
        require_room(journal.accounts[issuer].balance, before - debt_cents, "debt_cents")
        journal.post(issuer, debt, before - debt_cents, "debt_waived", reference, origin, reason)
    changes = journal.write()
    payload = {"player_id": player.id, "before_cents": before, "debt_cents": debt_cents, "reason": reason}
    log.append([Event("debt.set", reference, origin, payload)], journal.at)
    return before, changes


def owed(after: Sequence[int], limit: int) -> list[Owed]:
    """Who owes the house, those who owe most first; `after` a debt and its account, or none."""
    rows = (
        Account.select(Account.id, Player.name, Account.balance * -1, Player.credit_cents)
        .join(Player, on=(Player.id == Account.owner))
        .where(Account.kind == "debt", Account.balance < 0)
        .order_by(Account.balance, Account.id)
        .limit(limit)
    )
    if after:
        debt_cents, account_id = after
        rows = rows.where(
            (Account.balance > -debt_cents) | ((Account.balance == -debt_cents) & (Account.id > account_id))
        )
    return [Owed(*row) for row in rows.tuples()]


# Comeback loans


@dataclass(frozen=True, slots=True)
class ComebackTerms:
    """What the game's settings say about them."""

    amount_cents: int
    below_cents: int
    """Who is worth less is broke."""
    most: int
    """Loans that a player may take."""

    @classmethod
    def of(cls, settings: Settings) -> "ComebackTerms":
        """As they are now."""
        return cls(
            settings.number("comeback_cents"),
            settings.number("comeback_below_cents"),
            settings.number("comeback_most"),
        )


def worth(wallet: wallets.Wallet, prices: Mapping[str, int]) -> int:
    """Cash, stakes of duels, and shares at these prices, in cents by symbol, less what is owed."""
    return wallet.cash_cents + staked_cents(wallet.player_id) - wallet.debt_cents + _at(prices, wallet)


def _worth_at_most(wallet: wallets.Wallet, prices: Mapping[str, int], enough_cents: int) -> int:
    """What somebody is worth; where that is not enough, shares count as their marks if those are higher.

    A trade with a friend, at a cent, makes nobody poor.
    """
    mine = worth(wallet, prices)
    if mine >= enough_cents or not wallet.positions:
        return mine
    marks = latest_by_symbol()
    return worth(wallet, {s: max(prices.get(s, 0), marks.get(s, 0)) for s in {**prices, **marks}})


def _at(prices: Mapping[str, int], wallet: wallets.Wallet) -> int:
    return sum(one.quantity * prices.get(one.symbol, 0) for one in wallet.positions)


def comeback_on_offer(
    player_id: int, wallet: wallets.Wallet, prices: Mapping[str, int], terms: ComebackTerms
) -> int:
    """What a player could borrow to begin again, in cents; 0: nothing."""
    if not terms.amount_cents or _worth_at_most(wallet, prices, terms.below_cents) >= terms.below_cents:
        return 0
    return terms.amount_cents if _taken(player_id) < terms.most else 0


def take_comeback(
    player_id: int, prices: Mapping[str, int], terms: ComebackTerms, origin: Origin
) -> tuple[int, int, Sequence[WalletChange]]:
    """Lend a player who is broke enough to begin again; returns the debt, and how many loans are left.

    It counts against the rank, for a debt is taken off what somebody is worth. Raises Refused NOT_BROKE,
    PLAYER_DISABLED or PLAYER_FROZEN.
    """
    cash = open_account(player_id, CASH)
    journal = Journal(now())
    journal.lock([cash])  # and two at once are one after the other
    if journal.accounts[cash].disabled:
        raise Refused("PLAYER_DISABLED", "you are disabled; ask an operator")
    if journal.accounts[cash].frozen:
        raise frozen()
    mine, taken = _worth_at_most(wallets.of(player_id), prices, terms.below_cents), _taken(player_id)
    if not terms.amount_cents:
        raise Refused("NOT_BROKE", "there are no comeback loans in this game")
    if taken >= terms.most:
        raise Refused(
            "NOT_BROKE",
            f"you have had {taken} comeback loans, and there are {terms.most} for everybody",
            taken=taken,
            allowed=terms.most,
        )
    if mine >= terms.below_cents:
        raise Refused(
            "NOT_BROKE",
            f"you are worth {points(mine)} points; a comeback loan is for those worth less than "
            f"{points(terms.below_cents)}",
            worth_cents=mine,
            below_cents=terms.below_cents,
        )
    number = taken + 1
    ComebackLoan.create(
        player_id=player_id, number=number, amount_cents=terms.amount_cents, created_at=journal.at
    )
    reference = f"comeback:{player_id}:{number}"
    journal.borrow(player_id, terms.amount_cents, reference, origin, "to begin again")
    debt = journal.debt_of(player_id)
    changes = journal.write()
    payload = {"player_id": player_id, "number": number, "amount_cents": terms.amount_cents}
    log.append([Event("debt.comeback", f"player:{player_id}", origin, payload)], journal.at)
    return debt, terms.most - number, changes


def _taken(player_id: int) -> int:
    return int(ComebackLoan.select().where(ComebackLoan.player_id == player_id).count())


# Interest


async def charge(database: Database, bus: Bus, settings: Settings) -> None:
    """Charge what is owed when a period is over, once, whichever server does it and however often it dies.

    Periods begin at multiples of their length since 1970. For periods in which no server ran nothing is
    charged, nor when interest is switched on: the first charge comes with the next period.
    """
    minutes, rate_bps = settings.number("debt_interest_minutes"), settings.number("debt_interest_bps")
    if not minutes or not rate_bps:
        return
    period = int(now().timestamp()) // (minutes * 60) * minutes * 60
    while True:
        changes = await database.run(_charge_some, period, rate_bps)
        if changes is None:
            return
        bus.publish(changes)


def _charge_some(period: int, rate_bps: int) -> Sequence[WalletChange] | None:
    """Charge some of the debts; None: there is nothing left to do, or another server is at it."""
    run = _run(period, rate_bps)
    if run is None:
        return None
    rows = (
        Account.select(Account.id, Account.owner)
        .where(Account.kind == "debt", Account.balance < 0, Account.id > run.after_account)
        .order_by(Account.id)
        .limit(AT_ONCE)
        .tuples()
    )
    debts = [*rows]
    if not debts:
        run.done_at = now()
        run.save(only=[InterestRun.done_at])
        return None
    changes = _charge(dict(debts), run)
    run.after_account = debts[-1][0]
    run.save(only=[InterestRun.after_account])
    return changes


def _run(period: int, rate_bps: int) -> InterestRun | None:
    """The run that is to be gone on with, locked; a period that is over begins one."""
    latest = InterestRun.select().order_by(InterestRun.period.desc()).limit(1).get_or_none()
    if latest is None or (latest.period < period and latest.done_at is not None):
        # The very first one only says from when on interest runs.
        done_at = now() if latest is None else None
        row = {"period": period, "rate_bps": rate_bps, "began_at": now(), "done_at": done_at}
        InterestRun.insert(row).on_conflict_ignore().execute()
    run: InterestRun | None = (
        InterestRun.select()
        .where(InterestRun.done_at.is_null())
        .order_by(InterestRun.period)
        .limit(1)
        .for_update("FOR UPDATE SKIP LOCKED")
        .get_or_none()
    )
    return run


def _charge(debts: Mapping[int, int], run: InterestRun) -> Sequence[WalletChange]:
    cash = Account.select(Account.id).where(
        Account.owner << [*debts.values()], Account.kind == "player", Account.asset == CASH
    )
    fees = open_account(HOUSE, CASH, "fees")
    journal = Journal(now())
    journal.lock([fees, *debts, *(id_ for (id_,) in cash.tuples())])
    events = []
    for account_id, owner_id in debts.items():
        interest = -journal.accounts[account_id].balance * run.rate_bps // BPS
        if interest > 0:
            journal.post(account_id, fees, interest, "interest", f"interest:{run.period}", HOUSE_ORIGIN)
            payload = {
                "player_id": owner_id,
                "interest_cents": interest,
                "debt_cents": journal.debt_of(owner_id),
            }
            events.append(Event("debt.interest", f"player:{owner_id}", HOUSE_ORIGIN, payload))
    log.append(events, journal.at)
    return journal.write()
