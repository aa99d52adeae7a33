"""The client: the services, the sign-in, the streams, and a few words for what players do all day."""

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from bearpit.client import calls, contract
from bearpit.client.connection import Connection
from bearpit.client.errors import BearpitError
from bearpit.client.session import Session
from bearpit.client.streams import Frame, follow
from bearpit.client.timing import Timing
from bearpit.v1 import (
    auth_pb2,
    duels_pb2,
    market_pb2,
    notifications_pb2,
    pricing_pb2,
    trading_pb2,
    wallet_pb2,
    windows_pb2,
)
from bearpit.v1.market_pb2_grpc import MarketServiceStub

if TYPE_CHECKING:  # these exist in the types only
    from bearpit.v1.admin_pb2_grpc import AdminServiceAsyncStub
    from bearpit.v1.announcements_pb2_grpc import AnnouncementServiceAsyncStub
    from bearpit.v1.arcade_pb2_grpc import ArcadeServiceAsyncStub
    from bearpit.v1.auth_pb2_grpc import AuthServiceAsyncStub
    from bearpit.v1.booths_pb2_grpc import BoothServiceAsyncStub
    from bearpit.v1.bus_pb2_grpc import BusServiceAsyncStub
    from bearpit.v1.channels_pb2_grpc import ChannelServiceAsyncStub
    from bearpit.v1.codes_pb2_grpc import CodeServiceAsyncStub
    from bearpit.v1.duels_pb2_grpc import DuelServiceAsyncStub
    from bearpit.v1.market_pb2_grpc import MarketServiceAsyncStub
    from bearpit.v1.notifications_pb2_grpc import NotificationServiceAsyncStub
    from bearpit.v1.pricing_pb2_grpc import PricingServiceAsyncStub
    from bearpit.v1.ranks_pb2_grpc import RankServiceAsyncStub
    from bearpit.v1.rollbacks_pb2_grpc import RollbackServiceAsyncStub
    from bearpit.v1.teams_pb2_grpc import TeamServiceAsyncStub
    from bearpit.v1.trading_pb2_grpc import TradingServiceAsyncStub
    from bearpit.v1.wallet_pb2_grpc import WalletServiceAsyncStub
    from bearpit.v1.windows_pb2_grpc import WindowServiceAsyncStub

    _Trades = grpc.aio.UnaryStreamCall[market_pb2.StreamTradesRequest, market_pb2.StreamTradesResponse]
    _Orders = grpc.aio.UnaryStreamCall[trading_pb2.StreamOrdersRequest, trading_pb2.StreamOrdersResponse]
    _Wallet = grpc.aio.UnaryStreamCall[wallet_pb2.StreamWalletRequest, wallet_pb2.StreamWalletResponse]
    _Notifications = grpc.aio.UnaryStreamCall[
        notifications_pb2.StreamNotificationsRequest, notifications_pb2.StreamNotificationsResponse
    ]

Q = TypeVar("Q")
F = TypeVar("F", bound=Frame)

MAX_MESSAGE_BYTES = 4 * 1024 * 1024

_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.enable_retries", 1),
    ("grpc.service_config", contract.service_config()),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A connection that a laptop's sleep or a router has cut shows within 15 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC waits up to two minutes by itself; in a game that is for ever.
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)
_PRICE_OPTIONS: tuple[tuple[str, str | int], ...] = (
    *_OPTIONS,
    # Without these a client that stops reading is sent megabytes of stale prices first.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16_384),
)


def connect(
    address: str,
    *,
    tls: bool | str | Path = False,
    on_tokens: Callable[[auth_pb2.Tokens | None], None] | None = None,
    timing: Timing | None = None,
    clock: Callable[[], float] = time.time,
) -> "Client":
    """A client of the server at `host:port`, for `async with`; call it where an event loop runs.

    `tls`: False for none, True for the certificate authorities gRPC knows, a path for one's own.
    `on_tokens` hears of every new pair of tokens, to store it, and None when they are void.
    Nothing is sent yet: the first call finds out whether the server is there.
    """
    if ":" not in address or address.endswith("]"):
        address = f"{address}:{contract.DEFAULT_PORT}"
    return Client(address, tls, on_tokens, timing or Timing(), clock)


class Client:
    """One player's connection. Calls raise BearpitError; deadlines, retries and sign-in are seen to.

    The services are the generated stubs: `await client.trading.GetOrder(GetOrderRequest(order_id=7))`.
    """

    auth: "AuthServiceAsyncStub"
    market: "MarketServiceAsyncStub"
    trading: "TradingServiceAsyncStub"
    wallet: "WalletServiceAsyncStub"
    admin: "AdminServiceAsyncStub"
    pricing: "PricingServiceAsyncStub"
    windows: "WindowServiceAsyncStub"
    rollbacks: "RollbackServiceAsyncStub"
    ranks: "RankServiceAsyncStub"
    notifications: "NotificationServiceAsyncStub"
    bus: "BusServiceAsyncStub"
    codes: "CodeServiceAsyncStub"
    duels: "DuelServiceAsyncStub"
    arcade: "ArcadeServiceAsyncStub"
    booths: "BoothServiceAsyncStub"
    teams: "TeamServiceAsyncStub"
    announcements: "AnnouncementServiceAsyncStub"
    channels: "ChannelServiceAsyncStub"

    def __init__(
        self,
        address: str,
        tls: bool | str | Path,
        on_tokens: Callable[[auth_pb2.Tokens | None], None] | None,
        timing: Timing,
        clock: Callable[[], float],
    ) -> None:
        self.address = address
        self._timing = timing
        self._closed = False
        self._session = Session(self._refresh, timing.refresh_ahead, on_tokens, clock)
        intercept = calls.interceptors(self._session, timing.deadline, self.new_request_id)
        self._channel = _channel(address, tls, _OPTIONS, intercept)
        self._price_channel = _channel(address, tls, _PRICE_OPTIONS, intercept)
        self._prices = MarketServiceStub(self._price_channel)
        self.connection = Connection(self._channel, timing)

    if not TYPE_CHECKING:

        def __getattr__(self, noun: str) -> object:
            """The stub of the service in the file of that name, made when it is first asked for."""
            if noun not in contract.SERVICES:
                raise AttributeError(noun)
            if self._closed:  # gRPC ends the whole process when a stub is made on a closed channel
                raise RuntimeError("this client is closed; connect again")
            stubs = import_module(f"bearpit.v1.{noun}_pb2_grpc")
            stub = getattr(stubs, f"{contract.SERVICES[noun].name}Stub")(self._channel)
            setattr(self, noun, stub)
            return stub

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls and streams. The sign-in stays good: resume it with the last refresh token."""
        if self._closed:
            return
        self._closed = True
        await self._session.close()
        await self.connection.close()
        await self._price_channel.close()
        await self._channel.close()

    # --- signing in ---------------------------------------------------------------------------

    @property
    def player(self) -> auth_pb2.Player | None:
        """Who is signed in; None: nobody."""
        return self._session.player

    @property
    def tokens(self) -> auth_pb2.Tokens | None:
        """The tokens as they are now; `refresh_token` is what `resume` takes, once."""
        return self._session.tokens

    @property
    def on_tokens(self) -> Callable[[auth_pb2.Tokens | None], None] | None:
        """Hears of every new pair of tokens, and None when they are void."""
        return self._session.on_tokens

    @on_tokens.setter
    def on_tokens(self, callback: Callable[[auth_pb2.Tokens | None], None] | None) -> None:
        self._session.on_tokens = callback

    async def sign_in(self, name: str, password: str) -> auth_pb2.Player:
        """Sign in. Raises BearpitError BAD_CREDENTIALS or PLAYER_DISABLED."""
        answer = await self.auth.SignIn(auth_pb2.SignInRequest(name=name, password=password))
        self._session.take(answer.tokens, answer.player)
        return answer.player

    async def register(self, name: str, password: str, referral: str = "") -> auth_pb2.Player:
        """Make a player and sign it in; `referral` is the code of who brought it along.

        Raises BearpitError ALREADY_EXISTS, INVALID_FIELD or REGISTRATION_CLOSED; for the referral
        CODE_MISTYPED, CODE_UNKNOWN, REFERRAL_CLOSED or RATE_LIMITED.
        """
        request = auth_pb2.RegisterRequest(name=name, password=password, referral=referral)
        answer = await self.auth.Register(request)
        self._session.take(answer.tokens, answer.player)
        return answer.player

    async def resume(self, refresh_token: str) -> auth_pb2.Player:
        """Go on with an earlier sign-in. The token is spent by this: store what `on_tokens` brings.

        Raises BearpitError NOT_SIGNED_IN or TOKEN_REUSED: sign in anew.
        """
        self._session.take(await self._refresh(refresh_token))
        answer = await self.auth.GetMe(auth_pb2.GetMeRequest())
        self._session.player = answer.player
        return answer.player

    def use_service_token(self, secret: str) -> None:
        """Call as a service, with a token from `bearpit-admin token create`."""
        self._session.use_service_token(secret)

    async def sign_out(self) -> None:
        """End this sign-in, here and on the server."""
        if self.tokens is None:
            return
        await self.auth.SignOut(auth_pb2.SignOutRequest(refresh_token=self.tokens.refresh_token))
        self._session.take(None)

    async def sign_out_everywhere(self) -> None:
        """End all of the player's sign-ins."""
        await self.auth.SignOutEverywhere(auth_pb2.SignOutEverywhereRequest())
        self._session.take(None)

    async def change_password(self, old: str, new: str) -> None:
        """Set a new password; all other sign-ins end. Raises BearpitError BAD_CREDENTIALS."""
        request = auth_pb2.ChangePasswordRequest(old_password=old, new_password=new)
        self._session.take((await self.auth.ChangePassword(request)).tokens)

    async def _refresh(self, refresh_token: str) -> auth_pb2.Tokens:
        request = auth_pb2.RefreshTokenRequest(refresh_token=refresh_token)
        return (await self.auth.RefreshToken(request)).tokens

    # --- streams: for ever, through reconnects --------------------------------------------------

    def stream_prices(
        self, symbols: Iterable[str] = ()
    ) -> AsyncGenerator[market_pb2.StreamPricesResponse, None]:
        """Quotes of these or all instruments: a snapshot, then what changes, ten times a second at most."""
        request = market_pb2.StreamPricesRequest(symbols=list(symbols))
        return self._follow(lambda _: self._prices.StreamPrices(request), resumes=False)

    def stream_book(
        self, symbol: str, levels: int = 20
    ) -> AsyncGenerator[market_pb2.StreamBookResponse, None]:
        """An instrument's book: a snapshot, then the levels that changed."""
        request = market_pb2.StreamBookRequest(symbol=symbol, levels=levels)
        return self._follow(lambda _: self._prices.StreamBook(request), resumes=False)

    def stream_trades(
        self, symbol: str, after: int | None = None
    ) -> AsyncGenerator[market_pb2.StreamTradesResponse, None]:
        """An instrument's trades without gaps, after a trade id or from the latest ones on."""

        def open_after(sequence: int) -> "_Trades":
            request = market_pb2.StreamTradesRequest(symbol=symbol, after_sequence=sequence)
            return self.market.StreamTrades(request)

        return self._follow(open_after, after or 0)

    def stream_status(self) -> AsyncGenerator[market_pb2.StreamStatusResponse, None]:
        """The market's phase and the operators' announcements."""
        request = market_pb2.StreamStatusRequest()
        return self._follow(lambda _: self.market.StreamStatus(request), resumes=False)

    def stream_windows(self) -> AsyncGenerator[windows_pb2.StreamWindowsResponse, None]:
        """Trading windows as they change."""
        request = windows_pb2.StreamWindowsRequest()
        return self._follow(lambda _: self.windows.StreamWindows(request), resumes=False)

    def stream_duels(self) -> AsyncGenerator[duels_pb2.StreamDuelsResponse, None]:
        """The open board of duels and one's own, all of it again whenever it changes."""
        request = duels_pb2.StreamDuelsRequest()
        return self._follow(lambda _: self.duels.StreamDuels(request), resumes=False)

    def stream_orders(self, after: int = 0) -> AsyncGenerator[trading_pb2.StreamOrdersResponse, None]:
        """Every change of one's orders without gaps; `after` a number, or 0: a snapshot first."""

        def open_after(sequence: int) -> "_Orders":
            return self.trading.StreamOrders(trading_pb2.StreamOrdersRequest(after_sequence=sequence))

        return self._follow(open_after, after)

    def stream_notifications(
        self, after: int = 0
    ) -> AsyncGenerator[notifications_pb2.StreamNotificationsResponse, None]:
        """One's notifications without gaps; `after` a number, or 0: the inbox first. Being open, it says
        that one is there."""

        def open_after(sequence: int) -> "_Notifications":
            return self.notifications.StreamNotifications(
                notifications_pb2.StreamNotificationsRequest(after_sequence=sequence)
            )

        return self._follow(open_after, after)

    def stream_wallet(self, after: int = 0) -> AsyncGenerator[wallet_pb2.StreamWalletResponse, None]:
        """Every change of one's wallet without gaps; `after` a number, or 0: a snapshot first."""

        def open_after(sequence: int) -> "_Wallet":
            return self.wallet.StreamWallet(wallet_pb2.StreamWalletRequest(after_sequence=sequence))

        return self._follow(open_after, after)

    def _follow(
        self,
        open_after: Callable[[int], "grpc.aio.UnaryStreamCall[Q, F]"],
        after: int = 0,
        *,
        resumes: bool = True,
    ) -> AsyncGenerator[F, None]:
        return follow(open_after, after, self._timing, resumes=resumes, is_closed=self._is_closed)

    # --- trading in a few words -----------------------------------------------------------------

    async def buy(
        self,
        symbol: str,
        quantity: int,
        price_cents: int | None = None,
        *,
        stop_price_cents: int = 0,
        time_in_force: trading_pb2.TimeInForce = trading_pb2.TIME_IN_FORCE_UNSPECIFIED,
        post_only: bool = False,
        self_trade: trading_pb2.SelfTrade = trading_pb2.SELF_TRADE_UNSPECIFIED,
        request_id: str = "",
        validate_only: bool = False,
    ) -> trading_pb2.PlaceOrderResponse:
        """Buy shares, at this price or better; without a price, at the market.

        With a stop price the order waits until that has traded. With `validate_only` the answer's
        `preview` tells what it would do. `request_id` makes a call repeatable; by default it is new.
        """
        spec = trading_pb2.OrderSpec(
            symbol=symbol,
            side=trading_pb2.SIDE_BUY,
            type=_type_of(price_cents, stop_price_cents),
            quantity=quantity,
            price_cents=price_cents or 0,
            stop_price_cents=stop_price_cents,
            time_in_force=time_in_force,
            post_only=post_only,
            self_trade=self_trade,
        )
        return await self.place(spec, request_id=request_id, validate_only=validate_only)

    async def sell(
        self,
        symbol: str,
        quantity: int,
        price_cents: int | None = None,
        *,
        stop_price_cents: int = 0,
        time_in_force: trading_pb2.TimeInForce = trading_pb2.TIME_IN_FORCE_UNSPECIFIED,
        post_only: bool = False,
        self_trade: trading_pb2.SelfTrade = trading_pb2.SELF_TRADE_UNSPECIFIED,
        request_id: str = "",
        validate_only: bool = False,
    ) -> trading_pb2.PlaceOrderResponse:
        """Sell shares; the other side of `buy`."""
        spec = trading_pb2.OrderSpec(
            symbol=symbol,
            side=trading_pb2.SIDE_SELL,
            type=_type_of(price_cents, stop_price_cents),
            quantity=quantity,
            price_cents=price_cents or 0,
            stop_price_cents=stop_price_cents,
            time_in_force=time_in_force,
            post_only=post_only,
            self_trade=self_trade,
        )
        return await self.place(spec, request_id=request_id, validate_only=validate_only)

    async def place(
        self, spec: trading_pb2.OrderSpec, *, request_id: str = "", validate_only: bool = False
    ) -> trading_pb2.PlaceOrderResponse:
        """Place an order that is spelt out. Raises BearpitError with the reason it was refused for."""
        request = trading_pb2.PlaceOrderRequest(
            order=spec, request_id=request_id, validate_only=validate_only
        )
        return await self.trading.PlaceOrder(request)

    async def cancel(self, order_id: int) -> trading_pb2.Order:
        """Cancel an open order. Raises BearpitError NOT_FOUND or ORDER_NOT_OPEN."""
        return (await self.trading.CancelOrder(trading_pb2.CancelOrderRequest(order_id=order_id))).order

    async def cancel_all(self, symbol: str = "") -> list[trading_pb2.Order]:
        """Cancel all open orders, or those of one instrument."""
        answer = await self.trading.CancelAllOrders(trading_pb2.CancelAllOrdersRequest(symbol=symbol))
        return list(answer.orders)

    async def push_prices(
        self, prices: AsyncIterator[pricing_pb2.PushPricesRequest]
    ) -> pricing_pb2.PushPricesResponse:
        """Send prices as they come, and hear in the end what became of them. Raises BearpitError."""
        try:
            return await self.pricing.PushPrices(prices)
        except grpc.aio.AioRpcError as raw:
            raise BearpitError.from_rpc(raw) from raw

    def _is_closed(self) -> bool:
        return self._closed

    @staticmethod
    def new_request_id() -> str:
        """A new id for a mutation."""
        return uuid.uuid4().hex


def _type_of(price_cents: int | None, stop_price_cents: int) -> trading_pb2.OrderType:
    if stop_price_cents:
        return trading_pb2.ORDER_TYPE_STOP if price_cents is None else trading_pb2.ORDER_TYPE_STOP_LIMIT
    return trading_pb2.ORDER_TYPE_MARKET if price_cents is None else trading_pb2.ORDER_TYPE_LIMIT


def _channel(
    address: str,
    tls: bool | str | Path,
    options: tuple[tuple[str, str | int], ...],
    intercept: list[grpc.aio.ClientInterceptor],
) -> grpc.aio.Channel:
    if tls is False:
        return grpc.aio.insecure_channel(address, options, interceptors=intercept)
    roots = None if tls is True else Path(tls).read_bytes()
    credentials = grpc.ssl_channel_credentials(roots)
    return grpc.aio.secure_channel(address, credentials, options, interceptors=intercept)
