"""CodeService: codes that bring points, shares or lower fees, and referrals."""
# ruff: noqa: N802 - the methods are named by the contract

from datetime import UTC

from bearpit.v1 import codes_pb2 as pb
from bearpit.v1.codes_pb2_grpc import CodeServiceServicer

from bearpit_server.events.log import Origin
from bearpit_server.game.codes import codes, redeeming, referrals
from bearpit_server.game.codes.codes import Batch, Bounds, Draft, Gift, Redeemed
from bearpit_server.game.codes.redeeming import Brought
from bearpit_server.game.codes.referrals import Terms
from bearpit_server.identity import players
from bearpit_server.identity.callers import origin, signed_in
from bearpit_server.rules.codes import Kind, Use, grouped, normalise
from bearpit_server.rules.refusals import invalid
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import Context, Desk
from bearpit_server.services.guessing import Guessing
from bearpit_server.services.idempotency import Done
from bearpit_server.services.pages import Page
from bearpit_server.storage.models.codes import Code


class CodeService(CodeServiceServicer):
    """All of CodeService."""

    def __init__(self, desk: Desk, guessing: Guessing) -> None:
        self._desk = desk
        self._database = desk.database
        self._guessing = guessing

    # Batches

    async def CreateCodes(self, request: pb.CreateCodesRequest, context: Context) -> pb.CreateCodesResponse:
        """Make a batch."""
        draft = Draft(
            gift=_gift_in(request.reward),
            use=_use_in(request.use),
            max_uses=request.max_uses,
            count=request.count,
            expires_at=request.expires_at.ToDatetime(UTC) if request.HasField("expires_at") else None,
            reason=request.reason,
        )
        settings = self._desk.settings
        bounds = Bounds(settings.number("code_batch_max"), settings.number("code_value_max_cents"))

        def work(by: Origin) -> Done[pb.CreateCodesResponse]:
            batch = _batch(codes.create(draft, bounds, by))
            if request.validate_only:
                batch.batch_id = 0
            return Done(pb.CreateCodesResponse(batch=batch))

        return await self._desk.once(request, pb.CreateCodesResponse, work)

    async def ListBatches(self, request: pb.ListBatchesRequest, context: Context) -> pb.ListBatchesResponse:
        """Batches, newest first."""
        page = Page(request)
        found = await self._database.run(codes.page, page.limit, page.after_id, request.open_only)
        rows, token = page.close(found, lambda row: row.batch_id)
        return pb.ListBatchesResponse(batches=map(_batch, rows), next_page_token=token)

    async def GetBatch(self, request: pb.GetBatchRequest, context: Context) -> pb.GetBatchResponse:
        """A batch and its codes."""
        page = Page(request)

        def read() -> tuple[Batch, list[Code]]:
            return codes.get(request.batch_id), codes.codes_of(request.batch_id, page.limit, page.after_id)

        batch, found = await self._database.run(read)
        rows, token = page.close(found, lambda row: row.id)
        return pb.GetBatchResponse(batch=_batch(batch), codes=map(_code, rows), next_page_token=token)

    async def WithdrawBatch(
        self, request: pb.WithdrawBatchRequest, context: Context
    ) -> pb.WithdrawBatchResponse:
        """Void a batch."""

        def work(by: Origin) -> Done[pb.WithdrawBatchResponse]:
            return Done(pb.WithdrawBatchResponse(batch=_batch(codes.withdraw(request.batch_id, by))))

        return await self._desk.once(request, pb.WithdrawBatchResponse, work)

    # Redeeming

    async def RedeemCode(self, request: pb.RedeemCodeRequest, context: Context) -> pb.RedeemCodeResponse:
        """Give the caller what a code brings."""
        player_id = signed_in().player_id
        text = normalise(request.code)
        terms = Terms.of(self._desk.settings)

        def work(by: Origin) -> Done[pb.RedeemCodeResponse]:
            brought = redeeming.redeem(player_id, text, terms, by)
            return Done(_brought(brought, request.validate_only), brought.changes)

        async with self._guessing.one(origin(request.request_id)):
            return await self._desk.once(request, pb.RedeemCodeResponse, work)

    async def ListRedemptions(
        self, request: pb.ListRedemptionsRequest, context: Context
    ) -> pb.ListRedemptionsResponse:
        """Who redeemed what, newest first."""
        page = Page(request)

        def read() -> list[Redeemed]:
            player_id = players.get(request.player).id if request.player else None
            if request.batch_id:
                codes.get(request.batch_id)
            return codes.redemptions(page.limit, page.after_id, request.batch_id, player_id)

        rows, token = page.close(await self._database.run(read), lambda row: row.redemption_id)
        return pb.ListRedemptionsResponse(redemptions=map(_redemption, rows), next_page_token=token)

    # Referrals

    async def GetReferral(self, request: pb.GetReferralRequest, context: Context) -> pb.GetReferralResponse:
        """The caller's referral code, and what it has brought."""
        terms = Terms.of(self._desk.settings)
        found = await self._database.run(referrals.standing, signed_in().player_id, terms)
        return pb.GetReferralResponse(
            code=grouped(found.text),
            newcomers=found.newcomers,
            rewarded=found.rewarded,
            rewarded_at_most=terms.most,
            earned_cents=found.earned_cents,
            reward_cents=terms.reward_cents,
            newcomer_cents=terms.newcomer_cents,
            referrer=found.referrer,
            open_until=None if found.open_until is None else translate.timestamp(found.open_until),
        )


def _use_in(use: "pb.CodeUse") -> Use:
    if use not in [*Use]:
        raise invalid("use", "say how often a code can be redeemed: single, limited or per player")
    return Use(use)


def _gift_in(reward: pb.Reward) -> Gift:
    match reward.WhichOneof("reward"):
        case "points_cents":
            return Gift(Kind.POINTS, value_cents=reward.points_cents)
        case "fee_coupon":
            coupon = reward.fee_coupon
            return Gift(Kind.FEE_COUPON, off_bps=coupon.off_bps, lifetime_seconds=coupon.lifetime_seconds)
        case "shares":
            return Gift(Kind.SHARES, symbol=reward.shares.symbol, quantity=reward.shares.quantity)
    raise invalid("reward", "say what a code brings: points, a fee coupon or shares")


def _reward(gift: Gift) -> pb.Reward:
    match gift.kind:
        case Kind.POINTS:
            return pb.Reward(points_cents=gift.value_cents)
        case Kind.FEE_COUPON:
            coupon = pb.FeeCoupon(off_bps=gift.off_bps, lifetime_seconds=gift.lifetime_seconds)
            return pb.Reward(fee_coupon=coupon)
        case Kind.SHARES:
            return pb.Reward(shares=pb.ShareGift(symbol=gift.symbol, quantity=gift.quantity))


def _batch(batch: Batch) -> pb.CodeBatch:
    return pb.CodeBatch(
        batch_id=batch.batch_id,
        reward=_reward(batch.gift),
        use=pb.CodeUse.Name(int(batch.use)),
        max_uses=batch.max_uses,
        code_count=batch.code_count,
        expires_at=None if batch.expires_at is None else translate.timestamp(batch.expires_at),
        reason=batch.reason,
        created_by=batch.created_by,
        created_at=translate.timestamp(batch.created_at),
        withdrawn_at=None if batch.withdrawn_at is None else translate.timestamp(batch.withdrawn_at),
        redemption_count=batch.redemptions,
    )


def _code(row: Code) -> pb.Code:
    return pb.Code(code_id=row.id, text=grouped(row.text), uses=row.uses)


def _redemption(row: Redeemed) -> pb.Redemption:
    return pb.Redemption(
        redemption_id=row.redemption_id,
        batch_id=row.batch_id,
        code=grouped(row.text),
        player=row.player,
        redeemed_at=translate.timestamp(row.redeemed_at),
        reward=_reward(row.gift),
        reason=row.reason,
    )


def _brought(brought: Brought, is_rehearsal: bool) -> pb.RedeemCodeResponse:
    until = brought.fee_off_until
    return pb.RedeemCodeResponse(
        redemption_id=0 if is_rehearsal else brought.redemption_id,
        reward=_reward(brought.gift),
        reason=brought.reason,
        referrer=brought.referrer,
        free_cash_after_cents=brought.free_cash_cents,
        fee_off_until=None if until is None else translate.timestamp(until),
        replaced_off_bps=brought.replaced_off_bps,
    )
