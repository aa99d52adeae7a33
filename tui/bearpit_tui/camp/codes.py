"""Codes: what one brings, and what a player's own brings to others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bearpit.client import Client
from bearpit.v1 import codes_pb2
from bearpit_tui.wire import moment

LONGEST = 200


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code brings, or has brought: points, or lower fees, or shares."""

    points_cents: int = 0
    fee_off_bps: int = 0
    fee_off_until: datetime | None = None
    replaced_off_bps: int = 0
    symbol: str = ""
    shares: int = 0
    reason: str = ""
    referrer: str = ""
    """Whose referral it is; then the points come after the first trade."""
    free_after_cents: int = 0


@dataclass(frozen=True, slots=True)
class Referral:
    """A player's own code for newcomers."""

    code: str
    newcomers: int = 0
    rewarded: int = 0
    rewarded_at_most: int = 0
    earned_cents: int = 0
    reward_cents: int = 0
    newcomer_cents: int = 0
    referrer: str = ""


class Codes(Protocol):
    """What is asked about codes."""

    async def redeem(self, code: str, request_id: str) -> Redeemed:
        """Redeem a code, or a link with one; the same id with the same code redeems it once."""

    async def referral(self) -> Referral:
        """One's own code for newcomers."""


class RemoteCodes:
    """A server's code service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def redeem(self, code: str, request_id: str) -> Redeemed:
        request = codes_pb2.RedeemCodeRequest(code=code, request_id=request_id)
        answer = await self._client.codes.RedeemCode(request)
        reward = answer.reward
        return Redeemed(
            reward.points_cents,
            reward.fee_coupon.off_bps,
            moment(answer.fee_off_until) if answer.HasField("fee_off_until") else None,
            answer.replaced_off_bps,
            reward.shares.symbol,
            reward.shares.quantity,
            answer.reason,
            answer.referrer,
            answer.free_cash_after_cents,
        )

    async def referral(self) -> Referral:
        one = await self._client.codes.GetReferral(codes_pb2.GetReferralRequest())
        return Referral(
            one.code,
            one.newcomers,
            one.rewarded,
            one.rewarded_at_most,
            one.earned_cents,
            one.reward_cents,
            one.newcomer_cents,
            one.referrer,
        )
