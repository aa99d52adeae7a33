"""What is ours and how it came about: postings, transfers, the comeback loan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Protocol

from bearpit.client import Client
from bearpit.v1 import wallet_pb2
from bearpit_tui.commands import CommandError, parse_cents
from bearpit_tui.model import EPOCH
from bearpit_tui.wire import moment

PAGE = 100
CASH, DEBT = "cash", "debt"
"""Assets beside the symbols; an empty one means all but debts."""


class Kind(Enum):
    """What postings are looked at by."""

    ALL = "everything"
    TRADES = "trades"
    FEES = "fees"
    TRANSFERS = "transfers"
    REWARDS = "rewards"
    GAMES = "duels and arcade"
    DEBT = "debt"
    OPERATORS = "operators"


REASONS: Mapping[str, tuple[str, str, Kind]] = MappingProxyType(
    {
        "trade": ("bought", "sold", Kind.TRADES),
        "fee": ("trading fee", "trading fee back", Kind.FEES),
        "grant": ("given by the game", "", Kind.OPERATORS),
        "adjustment": ("corrected by operators", "", Kind.OPERATORS),
        "issue": ("issued", "", Kind.TRADES),
        "transfer": ("sent to a player", "received from a player", Kind.TRANSFERS),
        "transfer_fee": ("fee of a transfer", "", Kind.FEES),
        "rollback": ("a trade taken back", "", Kind.OPERATORS),
        "rollback_fee": ("its fee given back", "", Kind.OPERATORS),
        "rollback_cover": ("covered by the house", "", Kind.OPERATORS),
        "rollback_issue": ("shares lent to take it back", "", Kind.OPERATORS),
        "rollback_charge": ("charged for missing shares", "", Kind.OPERATORS),
        "rollback_bridge": ("corrected after a trade taken back", "", Kind.OPERATORS),
        "loan": ("loan", "", Kind.DEBT),
        "repayment": ("debt repaid", "", Kind.DEBT),
        "interest": ("interest on the debt", "", Kind.DEBT),
        "debt": ("debt set by operators", "", Kind.DEBT),
        "debt_waived": ("debt waived", "", Kind.DEBT),
        "code": ("code redeemed", "", Kind.REWARDS),
        "booth": ("visited a booth", "", Kind.REWARDS),
        "referral": ("brought a player along", "", Kind.REWARDS),
        "badge": ("badge earned", "", Kind.REWARDS),
        "arcade_take": ("played at a machine", "", Kind.GAMES),
        "arcade_give": ("won at a machine", "", Kind.GAMES),
        "arcade_void": ("a machine's play taken back", "", Kind.GAMES),
        "duel_stake": ("stake of a duel", "", Kind.GAMES),
        "duel_return": ("stake given back", "", Kind.GAMES),
        "duel_win": ("duel won", "", Kind.GAMES),
        "duel_house": ("the house's share of a duel", "", Kind.GAMES),
    }
)
"""The contract's reasons in people's words: when cash left, when it came (if other), and their kind."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement; `amount` in cents, or shares of a symbol, negative when they left."""

    posting_id: int
    symbol: str
    amount: int
    balance_after: int
    reason: str
    reference: str = ""
    note: str = ""
    at: datetime = EPOCH

    @property
    def kind(self) -> Kind:
        return REASONS[self.reason][2] if self.reason in REASONS else Kind.OPERATORS

    @property
    def words(self) -> str:
        """Why, as people say it; a reason that is new is told as it is written."""
        left, came, _ = REASONS.get(self.reason, (self.reason.replace("_", " "), "", Kind.OPERATORS))
        # Shares come when cash leaves.
        return (came or left) if (self.amount > 0) != bool(self.symbol) else left


@dataclass(frozen=True, slots=True)
class Postings:
    """A page of them, newest first; `token` leads to the next one, empty: this was the last."""

    rows: tuple[Posting, ...] = ()
    token: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the wallet's stream does not bring."""

    credit_cents: int = 0
    """How far debt may go by buying; 0: not at all."""
    comeback_cents: int = 0
    """What can be borrowed now to begin again; 0: nothing."""
    fee_off_bps: int = 0
    fee_off_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gift:
    """Cash to be given to another player."""

    to: str
    amount_cents: int
    note: str = ""


def amount_of(written: str) -> int:
    """An amount as typed, in cents. Raises ValueError, whose text tells what to type."""
    try:
        return parse_cents(written)
    except CommandError:
        raise ValueError(f'"{written}" is no amount. Type points such as 25 or 12.50.') from None


@dataclass(frozen=True, slots=True)
class Given:
    """What a transfer costs, or has cost."""

    fee_cents: int
    free_after_cents: int


@dataclass(frozen=True, slots=True)
class Loan:
    """A comeback loan."""

    amount_cents: int
    debt_cents: int
    left: int


class Purse(Protocol):
    """What the wallet asks of a server."""

    async def standing(self) -> Standing:
        """Credit, comeback and coupon as they are now."""

    async def postings(self, asset: str = "", token: str = "") -> Postings:
        """A page of what moved cash or shares, newest first; `asset` is CASH, DEBT, a symbol, or all."""

    async def quote(self, gift: Gift) -> Given:
        """What a transfer would cost."""

    async def give(self, gift: Gift, request_id: str) -> Given:
        """Make a transfer; the same id with the same gift makes it once."""

    async def borrow(self, request_id: str) -> Loan:
        """Take the comeback loan."""


class RemotePurse:
    """A server's wallet service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def standing(self) -> Standing:
        wallet = (await self._client.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet
        until = moment(wallet.fee_off_until) if wallet.HasField("fee_off_until") else None
        return Standing(wallet.credit_cents, wallet.comeback_cents, wallet.fee_off_bps, until)

    async def postings(self, asset: str = "", token: str = "") -> Postings:
        request = wallet_pb2.ListPostingsRequest(asset=asset, page_size=PAGE, page_token=token)
        answer = await self._client.wallet.ListPostings(request)
        rows = tuple(
            Posting(
                one.posting_id,
                one.symbol,
                one.amount,
                one.balance_after,
                one.reason,
                one.reference,
                one.note,
                moment(one.created_at),
            )
            for one in answer.postings
        )
        return Postings(rows, answer.next_page_token)

    async def quote(self, gift: Gift) -> Given:
        return await self._transfer(gift, self._client.new_request_id(), only=True)

    async def give(self, gift: Gift, request_id: str) -> Given:
        return await self._transfer(gift, request_id, only=False)

    async def _transfer(self, gift: Gift, request_id: str, *, only: bool) -> Given:
        request = wallet_pb2.TransferRequest(
            to_player=gift.to,
            amount_cents=gift.amount_cents,
            note=gift.note,
            request_id=request_id,
            validate_only=only,
        )
        answer = await self._client.wallet.Transfer(request)
        return Given(answer.fee_cents, answer.free_cash_after_cents)

    async def borrow(self, request_id: str) -> Loan:
        request = wallet_pb2.TakeComebackLoanRequest(request_id=request_id)
        answer = await self._client.wallet.TakeComebackLoan(request)
        return Loan(answer.amount_cents, answer.debt_cents, answer.left)
