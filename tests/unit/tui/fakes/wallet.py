"""A wallet in memory: a history of a few days, transfers that cost one percent."""

from __future__ import annotations

from datetime import timedelta

import grpc
from bearpit.client import BearpitError
from bearpit_tui.camp.wallet import CASH, DEBT, Gift, Given, Loan, Posting, Postings, Standing

from tests.unit.tui.fakes import NOW, Note

PAGE = 30

DONE = (
    ("", 50_00, "code", "code:BEAR-7K2M", "opening party"),
    ("", -12_40, "transfer", "transfer:9", "pizza"),
    ("", -12, "transfer_fee", "transfer:9", ""),
    ("AAPL", 10, "trade", "trade:88", ""),
    ("", -124_00, "trade", "trade:88", ""),
    ("", -12, "fee", "trade:88", ""),
    ("", 20_00, "duel_win", "duel:4", ""),
    ("", -10_00, "duel_stake", "duel:4", ""),
    ("", 10_00, "booth", "booth:2", "robotics"),
    ("KITE", -5, "trade", "trade:71", ""),
    ("", 653_90, "trade", "trade:71", ""),
    ("", 75_00, "transfer", "transfer:3", "for the tickets, thank you"),
)


class FakePurse:
    """The wallet's calls."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.players = {"bob", "Clara", "dave.k", "ada"}
        self.free_cents = 9_900_00
        self.now = Standing()
        self.history = self._history(90)
        self.given: dict[str, tuple[Gift, Given]] = {}
        self.lose_answer = False

    def _history(self, count: int) -> list[Posting]:
        """The newest first; each balance is what the postings before it made."""
        balances: dict[str, int] = {"": 9_321_00, "AAPL": 0, "KITE": 40}
        rows: list[Posting] = []
        for step in range(count):
            symbol, amount, reason, reference, note = DONE[(count - 1 - step) % len(DONE)]
            balances[symbol] += amount
            at = NOW - timedelta(minutes=47 * (count - 1 - step), seconds=11)
            rows.append(Posting(step + 1, symbol, amount, balances[symbol], reason, reference, note, at))
        return rows[::-1]

    async def standing(self) -> Standing:
        self.note("standing", None)
        return self.now

    async def postings(self, asset: str = "", token: str = "") -> Postings:
        self.note("postings", (asset, token))
        wanted = {"": None, CASH: "", DEBT: "debt"}.get(asset, asset)
        rows = [one for one in self.history if wanted is None or one.symbol == wanted]
        start = int(token or 0)
        page = tuple(rows[start : start + PAGE])
        return Postings(page, str(start + PAGE) if start + PAGE < len(rows) else "")

    async def quote(self, gift: Gift) -> Given:
        self.note("quote", gift)
        return self._given(gift)

    def _given(self, gift: Gift) -> Given:
        if gift.to.lower() not in {name.lower() for name in self.players}:
            raise BearpitError(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", f"there is no player {gift.to}", {})
        if gift.to.lower() == "ada":
            raise BearpitError(
                grpc.StatusCode.INVALID_ARGUMENT, "TRANSFER_TO_SELF", "name somebody other than yourself", {}
            )
        fee = gift.amount_cents // 100
        free = self.free_cents - gift.amount_cents - fee
        if free < 0:
            numbers = {"needed_cents": str(gift.amount_cents + fee), "free_cents": str(self.free_cents)}
            raise BearpitError(
                grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", "not enough", numbers
            )
        return Given(fee, free)

    async def give(self, gift: Gift, request_id: str) -> Given:
        self.note("give", (gift, request_id))
        if request_id not in self.given:
            self.given[request_id] = (gift, self._given(gift))
            self.free_cents = self.given[request_id][1].free_after_cents
        if self.lose_answer:
            self.lose_answer = False
            raise BearpitError(grpc.StatusCode.UNAVAILABLE, "", "The server cannot be reached.")
        return self.given[request_id][1]

    async def borrow(self, request_id: str) -> Loan:
        self.note("borrow", request_id)
        loan = Loan(self.now.comeback_cents, self.now.comeback_cents, 1)
        self.now = Standing(credit_cents=self.now.credit_cents)
        return loan
