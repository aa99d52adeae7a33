"""What the screen needs of a server: a small protocol, which the real client and the tests' fake both are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bearpit_tui.commands import Amend
from bearpit_tui.drafts import Draft
from bearpit_tui.model import (
    Bar,
    Book,
    Fill,
    Instrument,
    Link,
    Me,
    Order,
    Preview,
    Quote,
    Status,
    Tick,
    Timeframe,
    Wallet,
)
from bearpit_tui.windows import Windows

if TYPE_CHECKING:  # the state and its words load without the client
    from bearpit_tui.camp.codes import Codes
    from bearpit_tui.camp.duels import Dueling
    from bearpit_tui.camp.inbox import Letters
    from bearpit_tui.camp.news import Newsroom
    from bearpit_tui.camp.people import People
    from bearpit_tui.camp.ranks import Rankings
    from bearpit_tui.camp.teams import Teams
    from bearpit_tui.camp.wallet import Purse


@dataclass(frozen=True, slots=True)
class PricesFrame:
    """Quotes that changed, or with `whole` all of them."""

    quotes: tuple[Quote, ...]
    server_time: datetime
    whole: bool = False


@dataclass(frozen=True, slots=True)
class BookFrame:
    """Levels that changed, or with `whole` the book."""

    book: Book
    whole: bool = False


@dataclass(frozen=True, slots=True)
class TicksFrame:
    """New public trades, or with `whole` the latest ones, which the candles hold already."""

    ticks: tuple[Tick, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class OrdersFrame:
    """One order that changed and the fill that changed it, or with `whole` all open orders."""

    orders: tuple[Order, ...]
    fill: Fill | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class WalletFrame:
    """Cash and the positions that changed, or with `whole` the wallet."""

    wallet: Wallet
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as it was committed."""

    order: Order
    fills: tuple[Fill, ...] = ()


class Gateway(Protocol):
    """A connection to one server.

    Calls raise `bearpit.client.BearpitError`; streams reconnect by themselves, and are to be closed.
    """

    @property
    def player(self) -> str:
        """Who is signed in; empty: nobody."""

    @property
    def purse(self) -> Purse:
        """The wallet's calls."""

    @property
    def codes(self) -> Codes:
        """What is asked about codes."""

    @property
    def letters(self) -> Letters:
        """What is asked about notifications."""

    @property
    def teams(self) -> Teams:
        """What is asked about teams."""

    @property
    def people(self) -> People:
        """What is asked about others."""

    @property
    def duels(self) -> Dueling:
        """What is asked about duels."""

    @property
    def newsroom(self) -> Newsroom:
        """What is asked about news."""

    @property
    def rankings(self) -> Rankings:
        """What is asked about ranks."""

    def new_request_id(self) -> str:
        """A new id for a mutation."""

    def watch_link(self, callback: Callable[[Link], None]) -> Callable[[], None]:
        """Call back now and whenever the connection changes; the returned function ends that."""

    async def sign_in(self, name: str, password: str) -> None:
        """Sign in as a known player."""

    async def register(self, name: str, password: str) -> None:
        """Make a player and sign it in."""

    async def resume(self, refresh_token: str) -> None:
        """Go on with an earlier sign-in; the token is spent by this."""

    async def sign_out(self) -> None:
        """End this sign-in."""

    async def me(self) -> Me:
        """Who is signed in, and what that player may do."""

    async def change_password(self, old: str, new: str) -> None:
        """Set a new password; all other sign-ins end."""

    async def sign_out_everywhere(self) -> None:
        """End all of the player's sign-ins, this one too."""

    async def instruments(self) -> tuple[list[Instrument], list[Quote]]:
        """All that is traded."""

    async def bars(self, symbol: str, timeframe: Timeframe, limit: int) -> list[Bar]:
        """The latest candles, oldest first."""

    async def orders(self) -> list[Order]:
        """The latest of our orders, open or not."""

    async def preview(self, draft: Draft) -> Preview:
        """What an order would do now."""

    async def place(self, draft: Draft, request_id: str) -> Placed:
        """Place an order; the same id with the same order returns that order."""

    async def amend(self, change: Amend, request_id: str) -> Placed:
        """Change an open order."""

    async def cancel(self, order_id: int, request_id: str) -> Order:
        """Cancel an open order."""

    async def cancel_all(self, symbol: str, request_id: str) -> list[Order]:
        """Cancel all open orders, or those of one instrument."""

    async def fills(self) -> list[Fill]:
        """The latest of our sides of trades."""

    async def order_of_request(self, request_id: str) -> Order | None:
        """What became of a placed order whose answer was lost; None: it never arrived."""

    async def explain(self, order_id: int) -> str:
        """Why an order has not filled, in a sentence."""

    def stream_prices(self) -> AsyncGenerator[PricesFrame, None]:
        """Quotes of everything."""

    def stream_book(self, symbol: str) -> AsyncGenerator[BookFrame, None]:
        """One instrument's book."""

    def stream_ticks(self, symbol: str) -> AsyncGenerator[TicksFrame, None]:
        """One instrument's public trades."""

    def stream_status(self) -> AsyncGenerator[Status, None]:
        """The market's phase, announcements and headlines."""

    def stream_windows(self) -> AsyncGenerator[Windows, None]:
        """The trading windows; it ends at once where the server has none."""

    def stream_orders(self) -> AsyncGenerator[OrdersFrame, None]:
        """Our orders."""

    def stream_wallet(self) -> AsyncGenerator[WalletFrame, None]:
        """Our wallet."""


Connector = Callable[[str, Callable[[str], None]], AbstractAsyncContextManager[Gateway]]
"""Opens a gateway to `host:port`. The callback hears of each new refresh token, to store it; empty: void."""
