"""PricingService: how prices form, and what operators, services and players have to do with it."""
# ruff: noqa: N802 - the methods are named by the contract

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Protocol

from bearpit.v1 import pricing_pb2 as pb
from bearpit.v1.pricing_pb2_grpc import PricingServiceServicer

from bearpit_server.events.log import Origin
from bearpit_server.exchange.listings import Listings
from bearpit_server.exchange.standing import Standing
from bearpit_server.game.trading import news, pricing, recordings
from bearpit_server.game.trading.news import Draft
from bearpit_server.game.trading.pricing import Grouped
from bearpit_server.game.trading.recordings import Recorded
from bearpit_server.identity.callers import signed_in
from bearpit_server.rules.mechanisms import MECHANISMS
from bearpit_server.rules.parameters import Parameter, as_text, schema
from bearpit_server.rules.roles import Permission
from bearpit_server.rules.units import BPS
from bearpit_server.services import translate
from bearpit_server.services.admin.desk import Context, Desk
from bearpit_server.services.idempotency import Done
from bearpit_server.services.pages import Page
from bearpit_server.services.pushing import Pushing


class Exchange(Protocol):
    """What is asked of the exchange here; all on the event loop."""

    @property
    def listings(self) -> Listings:
        """All instruments."""
        ...

    async def push(self, symbol: str, price_cents: int, at: datetime) -> None:
        """Take a price from outside."""

    async def attention(self, group_name: str) -> Standing:
        """Where players look in a group."""
        ...

    def late_steps(self, group_id: int) -> int:
        """How many of a group's steps came late."""
        ...


class PricingService(PricingServiceServicer):
    """Every RPC on how prices form; who may call which is in `services.permissions`."""

    def __init__(self, desk: Desk, exchange: Exchange) -> None:
        self._desk = desk
        self._database = desk.database
        self._exchange = exchange

    # Mechanisms and groups

    async def ListMechanisms(
        self, request: pb.ListMechanismsRequest, context: Context
    ) -> pb.ListMechanismsResponse:
        """The ways for a price to form."""
        made = [MECHANISMS[name] for name in sorted(MECHANISMS)]
        return pb.ListMechanismsResponse(
            mechanisms=[
                pb.Mechanism(
                    name=one.name,
                    title=one.title,
                    description=one.description,
                    group_parameters=map(_parameter, schema(one.group_parameters)),
                    instrument_parameters=map(_parameter, schema(one.member_parameters)),
                )
                for one in made
            ]
        )

    async def ListGroups(self, request: pb.ListGroupsRequest, context: Context) -> pb.ListGroupsResponse:
        """All groups, by name."""
        found = await self._database.run(pricing.list_all)
        return pb.ListGroupsResponse(groups=map(self._group, found))

    async def CreateGroup(self, request: pb.CreateGroupRequest, context: Context) -> pb.CreateGroupResponse:
        """Make a group."""

        def work(by: Origin) -> Done[pb.CreateGroupResponse]:
            made = pricing.create(request.name, request.mechanism, request.parameters, by)
            return Done(pb.CreateGroupResponse(group=self._group(made)))

        response = await self._desk.once(request, pb.CreateGroupResponse, work)
        await self._desk.refresh(request)
        return response

    async def UpdateGroup(self, request: pb.UpdateGroupRequest, context: Context) -> pb.UpdateGroupResponse:
        """Change a group while it runs."""

        def work(by: Origin) -> Done[pb.UpdateGroupResponse]:
            changed = pricing.update(request.name, request.parameters, by)
            return Done(pb.UpdateGroupResponse(group=self._group(changed)))

        response = await self._desk.once(request, pb.UpdateGroupResponse, work)
        await self._desk.refresh(request)
        return response

    def _group(self, found: Grouped) -> pb.Group:
        row = found.row
        return pb.Group(
            name=row.name,
            mechanism=row.mechanism,
            parameters=row.parameters,
            symbols=found.symbols,
            steps=row.steps,
            stepped_at=None if row.stepped_at is None else translate.timestamp(row.stepped_at),
            refused=row.refused,
            late_steps=self._exchange.late_steps(row.id),
        )

    # Recordings

    async def ImportRecording(
        self, request: pb.ImportRecordingRequest, context: Context
    ) -> pb.ImportRecordingResponse:
        """Keep the histories of a CSV file."""

        def work(by: Origin) -> Done[pb.ImportRecordingResponse]:
            kept = recordings.import_csv(request.name, request.csv, request.replace, by)
            return Done(pb.ImportRecordingResponse(recordings=map(_recording, kept)))

        response = await self._desk.once(request, pb.ImportRecordingResponse, work)
        await self._desk.refresh(request)
        return response

    async def ListRecordings(
        self, request: pb.ListRecordingsRequest, context: Context
    ) -> pb.ListRecordingsResponse:
        """What can be played, by name."""
        found = await self._database.run(recordings.list_all)
        return pb.ListRecordingsResponse(recordings=map(_recording, found))

    # Prices from outside

    async def PushPrices(
        self, requests: AsyncIterator[pb.PushPricesRequest], context: Context
    ) -> pb.PushPricesResponse:
        """Take prices as they come, each by itself; a stream that ends half way has counted until there."""
        pushing = Pushing(self._exchange, self._database)
        try:
            async for request in requests:
                await pushing.take(request)
        finally:
            # A stream that is cancelled may be so twice: the counting goes on by itself.
            counting = asyncio.ensure_future(pushing.count())
            await asyncio.shield(counting)
        return pushing.response

    # News

    async def PublishNews(self, request: pb.PublishNewsRequest, context: Context) -> pb.PublishNewsResponse:
        """Publish a headline, or schedule it."""
        draft = Draft(
            text=request.text,
            symbols=tuple(request.symbols),
            drift_bps=request.drift_bps,
            volatility_bps=request.volatility_bps if request.HasField("volatility_bps") else BPS,
            lifetime_seconds=request.lifetime_seconds,
            publish_at=request.publish_at.ToDatetime(UTC) if request.HasField("publish_at") else None,
        )

        def work(by: Origin) -> Done[pb.PublishNewsResponse]:
            made = news.publish(draft, by)
            return Done(pb.PublishNewsResponse(headline=translate.headline(made, everything=True)))

        response = await self._desk.once(request, pb.PublishNewsResponse, work)
        await self._desk.refresh(request)
        return response

    async def WithdrawNews(
        self, request: pb.WithdrawNewsRequest, context: Context
    ) -> pb.WithdrawNewsResponse:
        """Take back a headline, or end its effect."""

        def work(by: Origin) -> Done[pb.WithdrawNewsResponse]:
            taken = news.withdraw(request.news_id, by)
            return Done(pb.WithdrawNewsResponse(headline=translate.headline(taken, everything=True)))

        response = await self._desk.once(request, pb.WithdrawNewsResponse, work)
        await self._desk.refresh(request)
        return response

    async def ListNews(self, request: pb.ListNewsRequest, context: Context) -> pb.ListNewsResponse:
        """Headlines, newest first; operators see those to come as well."""
        everything = signed_in().may(Permission.MANAGE_MARKET)
        page = Page(request)
        found = await self._database.run(news.page, page.limit, page.after_id, everything)
        rows, token = page.close(found, lambda row: row.news_id)
        return pb.ListNewsResponse(
            headlines=[translate.headline(row, everything) for row in rows], next_page_token=token
        )

    # Attention

    async def GetAttention(
        self, request: pb.GetAttentionRequest, context: Context
    ) -> pb.GetAttentionResponse:
        """Where the players look, and what the next redistribution would make of it."""
        found = await self._exchange.attention(request.group)
        return pb.GetAttentionResponse(
            group=found.group,
            instruments=[
                pb.Attention(
                    symbol=one.symbol,
                    score=one.score,
                    share_bps=one.share_bps,
                    price_cents=one.price_cents,
                    next_cents=one.next_cents,
                    pool_cents=one.pool_cents,
                )
                for one in found.instruments
            ],
            next_at=None if found.next_at is None else translate.timestamp(found.next_at),
        )


def _parameter(one: Parameter) -> pb.Parameter:
    return pb.Parameter(
        key=one.key, description=one.description, default_value=as_text(one.default), bounds=one.bounds
    )


def _recording(one: Recorded) -> pb.Recording:
    return pb.Recording(
        name=one.name,
        bars=one.bars,
        starts_at=translate.timestamp(one.starts_at),
        ends_at=translate.timestamp(one.ends_at),
        low_cents=one.low_cents,
        high_cents=one.high_cents,
    )
