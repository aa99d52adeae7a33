"""Codes in memory: three that bring something, once each."""

from __future__ import annotations

from datetime import timedelta

import grpc
from bearpit.client import BearpitError
from bearpit_tui.camp.codes import Redeemed, Referral

from tests.unit.tui.fakes import NOW, Note


class FakeCodes:
    """What is asked about codes."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.good = {
            "BEAR": Redeemed(points_cents=50_00, reason="opening party", free_after_cents=9_950_00),
            "FEES": Redeemed(fee_off_bps=50_00, fee_off_until=NOW + timedelta(days=1)),
            "GIFT": Redeemed(symbol="KITE", shares=3, reason="prize"),
            "CLARA": Redeemed(points_cents=20_00, referrer="Clara"),
        }
        self.redeemed: dict[str, str] = {}
        self.lose_answer = False
        self.mine = Referral("K7QX-2M4N-9TR3A", 4, 3, 20, 60_00, 20_00, 10_00, "Clara")

    async def redeem(self, code: str, request_id: str) -> Redeemed:
        self.note("redeem", (code, request_id))
        code = code.rpartition("/")[2]
        if code not in self.good:
            raise BearpitError(grpc.StatusCode.NOT_FOUND, "CODE_UNKNOWN", "there is no such code", {})
        if self.redeemed.setdefault(code, request_id) != request_id:
            raise BearpitError(
                grpc.StatusCode.FAILED_PRECONDITION, "CODE_ALREADY_REDEEMED", "you have redeemed it", {}
            )
        if self.lose_answer:
            self.lose_answer = False
            raise BearpitError(grpc.StatusCode.UNAVAILABLE, "", "The server cannot be reached.")
        return self.good[code]

    async def referral(self) -> Referral:
        self.note("referral", None)
        return self.mine
