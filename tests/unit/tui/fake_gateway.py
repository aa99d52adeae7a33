"""A server in memory: a still market that moves only when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import grpc
from bearpit.client import BearpitError
from bearpit_tui.commands import Amend
from bearpit_tui.drafts import Draft, Kind, Side
from bearpit_tui.gateway import (
    BookFrame,
    Connector,
    Gateway,
    OrdersFrame,
    Placed,
    PricesFrame,
    TicksFrame,
    WalletFrame,
)
from bearpit_tui.model import (
    Bar,
    Book,
    Fill,
    Headline,
    Instrument,
    Level,
    Link,
    LinkState,
    Me,
    Order,
    OrderStatus,
    Phase,
    Position,
    Preview,
    Quote,
    Status,
    Tick,
    Timeframe,
    Wallet,
)
from bearpit_tui.windows import Settled, Window, Windows, WindowState

from tests.unit.tui.fakes import NOW
from tests.unit.tui.fakes.codes import FakeCodes
from tests.unit.tui.fakes.duels import FakeDuels
from tests.unit.tui.fakes.inbox import FakeLetters
from tests.unit.tui.fakes.news import FakeNewsroom
from tests.unit.tui.fakes.people import FakePeople, FakeTeams
from tests.unit.tui.fakes.ranks import FakeRankings
from tests.unit.tui.fakes.wallet import FakePurse

F = TypeVar("F")

LISTED = (
    ("AAPL", "Apple", 12_40), ("ACME", "Acme Robotics", 106_48), ("ECHO", "Echo Labs", 227_06),
    ("FLUX", "Flux Energy", 362_87), ("GRIT", "Grit Foods", 118_43), ("HELX", "Helix Bio", 51_34),
    ("IONA", "Iona Shipping", 472_27), ("JADE", "Jade Stone", 449_38), ("KELP", "Kelp Farms", 20_33),
    ("KITE", "Kite Air", 130_78), ("LUMO", "Lumo Lights", 248_41), ("LYNX", "Lynx Security", 17_67),
    ("MICA", "Mica Mines", 416_75), ("MOSS", "Moss Paper", 275_98), ("NEON", "Neon Arcades", 466_24),
    ("NOVA", "Nova Space", 396_82), ("ONYX", "Onyx Chips", 192_29), ("ORBX", "Orbix", 422_80),
    ("PIKE", "Pike Tools", 111_11), ("PYRE", "Pyre Games", 219_31), ("QBIT", "Qbit Computing", 326_90),
    ("QUAD", "Quad Motors", 211_74), ("RUNE", "Rune Books", 6_02), ("ZEPH", "Zephyr Wind", 384_52),
)  # fmt: skip


PRICES = {symbol: cents for symbol, _, cents in LISTED}


def wobble(seed: int, step: int) -> int:
    """A number from -100 to 100 that looks like chance and never changes."""
    mixed = (seed * 2_654_435_761 + step * 40_503 + step * step * 97) & 0xFFFFFFFF
    mixed ^= mixed >> 13
    return (mixed * 1_274_126_177 >> 8) % 201 - 100


def error(
    reason: str, code: grpc.StatusCode = grpc.StatusCode.FAILED_PRECONDITION, **numbers: str
) -> BearpitError:
    """A refusal as the client raises it."""
    return BearpitError(code, reason, f"the server says {reason}", numbers)


LOST = BearpitError(grpc.StatusCode.UNAVAILABLE, "", "The server cannot be reached.")


class FakeGateway:
    """A gateway without a server. What was asked of it is kept for the test to look at."""

    def __init__(self, *, players: dict[str, str] | None = None) -> None:
        self.players = {"ada": "correct horse"} if players is None else players
        self.player = ""
        self.who = Me("ada", ("player",), frozenset({"PLAY", "LOOK"}))
        self.purse = FakePurse(self.note)
        self.codes = FakeCodes(self.note)
        self.people = FakePeople(self.note)
        self.rankings = FakeRankings(self.note)
        self.duels = FakeDuels(self.note)
        self.newsroom = FakeNewsroom(self.note)
        self.letters = FakeLetters(self.note)
        self.teams = FakeTeams(self.note)
        self.on_token: Callable[[str], None] = lambda token: None
        self.link = Link(LinkState.LIVE, 12.0)
        self.watchers: list[Callable[[Link], None]] = []
        self.listed = [
            Instrument(symbol, name, max_quantity=1_000_000, fee_bps=10) for symbol, name, _ in LISTED
        ]
        self.quotes = {symbol: self._quote(symbol, cents) for symbol, _, cents in LISTED}
        self.status = Status(Phase.OPEN, NOW + timedelta(hours=2, minutes=29), Phase.CLOSED, "UTC")
        self.wallet = Wallet(
            10_000_00,
            100_00,
            {
                "AAPL": Position("AAPL", 300, 0, 3_600_00, 25_00),
                "KITE": Position("KITE", 10, 0, 1_400_00),
            },
            loaded=True,
        )
        self.windows = Windows()
        self.fills_known: list[Fill] = []
        self.orders_known: dict[int, Order] = {}
        self.by_request: dict[str, int] = {}
        self.ticks: dict[str, list[Tick]] = {}
        self.calls: list[tuple[str, object]] = []
        self.faults: dict[str, list[BearpitError]] = {}
        self.lose_answer = False
        self.orders_wait = asyncio.Event()
        self.orders_wait.set()
        self.preview_answer: Preview | None = None
        self.refuses_resume: BearpitError | None = None
        self._requests = 0
        self._streams: dict[str, list[asyncio.Queue[object]]] = {}

    def _quote(self, symbol: str, cents: int) -> Quote:
        spread = max(cents // 2000, 1)
        change = wobble(cents, 1)
        return Quote(
            symbol, cents - spread, 400, cents + spread, 250, cents, 1000 * (change + 120),
            cents - cents * change // 5000, Phase.OPEN,
        )  # fmt: skip

    # What a test does ---------------------------------------------------------------------------------

    def connector(self) -> Connector:
        """Opens this gateway, whatever the address."""

        @asynccontextmanager
        async def open_gateway(server: str, on_token: Callable[[str], None]) -> AsyncIterator[Gateway]:
            self.on_token = on_token
            yield self

        return open_gateway

    def send(self, stream: str, frame: object) -> None:
        """Send a frame to whoever reads a stream."""
        for queue in self._streams.get(stream, []):
            queue.put_nowait(frame)

    def read(self, stream: str) -> bool:
        """Whether anybody reads a stream."""
        return bool(self._streams.get(stream))

    def move(self, symbol: str, cents: int) -> None:
        """Trade at a price."""
        self.quotes[symbol] = replace(
            self._quote(symbol, cents), previous_close_cents=self.quotes[symbol].previous_close_cents
        )
        self.send("prices", PricesFrame((self.quotes[symbol],), NOW))
        self.send(f"ticks {symbol}", TicksFrame((Tick(symbol, cents, 10, NOW),)))

    def set_link(self, state: LinkState, latency_ms: float | None = None) -> None:
        """Cut or mend the connection."""
        self.link = Link(state, latency_ms)
        for watcher in list(self.watchers):
            watcher(self.link)
        if state is LinkState.LIVE:
            self.send("prices", PricesFrame(tuple(self.quotes.values()), NOW, whole=True))

    def fill(self, order_id: int, quantity: int) -> None:
        """Trade a part of a resting order."""
        order = self.orders_known[order_id]
        filled = order.filled + quantity
        order = replace(
            order,
            filled=filled,
            remaining=order.quantity - filled,
            status=OrderStatus.FILLED if filled == order.quantity else order.status,
            filled_value_cents=order.filled_value_cents + quantity * order.price_cents,
            updated_at=order.updated_at + timedelta(seconds=1),
        )
        self.orders_known[order_id] = order
        fill = Fill(900 + filled, order_id, order.symbol, order.side, order.price_cents, quantity, 1)
        self.send("orders", OrdersFrame((order,), fill))

    def fail(self, call: str, *errors: BearpitError) -> None:
        """Have the next calls of a kind fail."""
        self.faults.setdefault(call, []).extend(errors)

    def made(self, call: str) -> list[object]:
        """What a kind of call was made with."""
        return [what for name, what in self.calls if name == call]

    def placed(self) -> list[Draft]:
        """The orders that were sent."""
        return [what[0] for what in self.made("place") if isinstance(what, tuple)]

    def note(self, call: str, what: object) -> None:
        self.calls.append((call, what))
        if self.faults.get(call):
            raise self.faults[call].pop(0)

    # What the screen asks for -------------------------------------------------------------------------

    def new_request_id(self) -> str:
        self._requests += 1
        return f"request-{self._requests}"

    def watch_link(self, callback: Callable[[Link], None]) -> Callable[[], None]:
        callback(self.link)
        self.watchers.append(callback)
        return lambda: self.watchers.remove(callback)

    async def sign_in(self, name: str, password: str) -> None:
        self.note("sign_in", name)
        if self.players.get(name) != password:
            raise error("BAD_CREDENTIALS", grpc.StatusCode.UNAUTHENTICATED)
        self.player = name
        self.on_token(f"token of {name}")

    async def register(self, name: str, password: str) -> None:
        self.note("register", name)
        if name in self.players:
            raise error("ALREADY_EXISTS", grpc.StatusCode.ALREADY_EXISTS)
        self.players[name] = password
        self.player = name
        self.on_token(f"token of {name}")

    async def resume(self, refresh_token: str) -> None:
        self.note("resume", refresh_token)
        if self.refuses_resume is not None:
            raise self.refuses_resume
        self.player = "ada"
        self.on_token("another token")

    async def sign_out(self) -> None:
        self.note("sign_out", self.player)

    async def me(self) -> Me:
        self.note("me", None)
        return self.who

    async def change_password(self, old: str, new: str) -> None:
        self.note("change_password", None)
        if self.players.get("ada") != old:
            raise error("BAD_CREDENTIALS", grpc.StatusCode.UNAUTHENTICATED)
        self.players["ada"] = new
        self.on_token("token after the change")

    async def sign_out_everywhere(self) -> None:
        self.note("sign_out_everywhere", None)

    async def instruments(self) -> tuple[list[Instrument], list[Quote]]:
        self.note("instruments", None)
        return list(self.listed), [self.quotes[one.symbol] for one in self.listed]

    async def bars(self, symbol: str, timeframe: Timeframe, limit: int) -> list[Bar]:
        self.note("bars", (symbol, timeframe, limit))
        last = PRICES.get(symbol, 100)
        start = NOW.replace(second=0) - timedelta(seconds=timeframe.seconds * 119)
        price, bars = last, []
        for step in range(120):
            opened = price
            price = max(last // 2, price + last * wobble(last + len(timeframe.value), step) // 12_000)
            wick = abs(last * wobble(last, step + 500) // 30_000)
            bars.append(
                Bar(
                    start + timedelta(seconds=timeframe.seconds * step),
                    opened, max(opened, price) + wick, max(min(opened, price) - wick, 1), price,
                    500 + 5 * (wobble(last, step + 900) + 100),
                )
            )  # fmt: skip
        return bars[-limit:]

    async def orders(self) -> list[Order]:
        self.note("orders", None)
        await self.orders_wait.wait()
        return sorted(self.orders_known.values(), key=lambda order: -order.order_id)

    async def fills(self) -> list[Fill]:
        self.note("fills", None)
        return list(self.fills_known)

    async def preview(self, draft: Draft) -> Preview:
        self.note("preview", draft)
        worth = draft.quantity * (draft.price_cents or 12_41)
        return self.preview_answer or Preview(
            filled_quantity=min(draft.quantity, 60),
            average_price_e4=12_3950,
            filled_value_cents=743_70,
            fee_cents=74,
            resting_quantity=max(draft.quantity - 60, 0),
            free_cash_after_cents=self.wallet.free_cents - worth,
            free_shares_after=200,
        )

    async def place(self, draft: Draft, request_id: str) -> Placed:
        if request_id not in self.by_request:
            if not self.lose_answer:
                self.note("place", (draft, request_id))
            else:
                self.calls.append(("place", (draft, request_id)))
            order = Order(
                order_id=17 + len(self.orders_known),
                symbol=draft.symbol,
                side=draft.side,
                kind=draft.kind,
                quantity=draft.quantity,
                status=OrderStatus.WAITING if draft.stop_cents else OrderStatus.WORKING,
                price_cents=draft.price_cents,
                stop_cents=draft.stop_cents,
                remaining=draft.quantity,
                request_id=request_id,
                accepted_at=NOW,
                updated_at=NOW,
            )
            self.orders_known[order.order_id] = order
            self.by_request[request_id] = order.order_id
            self.send("orders", OrdersFrame((order,)))
        else:
            self.calls.append(("place again", (draft, request_id)))
        if self.lose_answer:
            self.lose_answer = False
            raise LOST
        return Placed(self.orders_known[self.by_request[request_id]])

    async def amend(self, change: Amend, request_id: str) -> Placed:
        self.note("amend", change)
        order = self.orders_known[change.order_id]
        order = replace(
            order,
            quantity=change.quantity or order.quantity,
            price_cents=change.price_cents or order.price_cents,
        )
        self.orders_known[order.order_id] = order
        return Placed(order)

    async def cancel(self, order_id: int, request_id: str) -> Order:
        self.note("cancel", order_id)
        if order_id not in self.orders_known:
            raise BearpitError(grpc.StatusCode.NOT_FOUND, "NOT_FOUND", f"you have no order {order_id}")
        order = replace(
            self.orders_known[order_id],
            status=OrderStatus.CANCELLED,
            updated_at=self.orders_known[order_id].updated_at + timedelta(seconds=1),
        )
        self.orders_known[order_id] = order
        self.send("orders", OrdersFrame((order,)))
        return order

    async def cancel_all(self, symbol: str, request_id: str) -> list[Order]:
        self.note("cancel_all", symbol)
        ids = [one.order_id for one in self.orders_known.values() if one.open and symbol in ("", one.symbol)]
        return [await self.cancel(order_id, request_id) for order_id in ids]

    async def order_of_request(self, request_id: str) -> Order | None:
        self.note("order_of_request", request_id)
        order_id = self.by_request.get(request_id)
        return self.orders_known[order_id] if order_id is not None else None

    async def explain(self, order_id: int) -> str:
        self.note("explain", order_id)
        return "2 orders for 300 shares go first."

    async def _stream(self, name: str, *first: F) -> AsyncGenerator[F, None]:
        self.note(f"stream {name}", None)
        queue: asyncio.Queue[object] = asyncio.Queue()
        self._streams.setdefault(name, []).append(queue)
        try:
            for frame in first:
                yield frame
            while True:
                yield await queue.get()  # type: ignore[misc]
        finally:
            self._streams[name].remove(queue)

    def stream_prices(self) -> AsyncGenerator[PricesFrame, None]:
        return self._stream("prices", PricesFrame(tuple(self.quotes.values()), NOW, whole=True))

    def stream_book(self, symbol: str) -> AsyncGenerator[BookFrame, None]:
        return self._stream(f"book {symbol}", BookFrame(self.book(symbol), whole=True))

    def book(self, symbol: str) -> Book:
        """Thirty levels a side."""
        quote = self.quotes[symbol]
        sizes = [50 + 4 * (wobble(quote.last_cents, step) + 100) for step in range(60)]
        return Book(
            symbol,
            tuple(Level(quote.bid_cents - step, sizes[step], 1 + step % 4) for step in range(30)),
            tuple(Level(quote.ask_cents + step, sizes[30 + step], 1 + step % 3) for step in range(30)),
            quote.last_cents,
        )

    def stream_ticks(self, symbol: str) -> AsyncGenerator[TicksFrame, None]:
        return self._stream(f"ticks {symbol}", TicksFrame(tuple(self.ticks.get(symbol, ())), whole=True))

    def stream_status(self) -> AsyncGenerator[Status, None]:
        return self._stream("status", self.status)

    def stream_windows(self) -> AsyncGenerator[Windows, None]:
        return self._stream("windows", self.windows)

    def stream_orders(self) -> AsyncGenerator[OrdersFrame, None]:
        open_orders = tuple(order for order in self.orders_known.values() if order.open)
        return self._stream("orders", OrdersFrame(open_orders, whole=True))

    def stream_wallet(self) -> AsyncGenerator[WalletFrame, None]:
        return self._stream("wallet", WalletFrame(self.wallet, whole=True))

    def with_mechanisms(self) -> FakeGateway:
        """With three feeds, four pools of attention and five instruments that windows price."""
        made = {
            **dict.fromkeys(("ECHO", "FLUX", "GRIT"), ("feed", "energy")),
            **dict.fromkeys(("JADE", "KELP", "KITE", "LUMO"), ("attention", "fame")),
            **dict.fromkeys(("NOVA", "ONYX", "ORBX", "PIKE", "PYRE"), ("window", "")),
        }
        shares = {"JADE": 12_50, "KELP": 51_20, "KITE": 28_10, "LUMO": 8_20}
        for place, one in enumerate(self.listed):
            mechanism, group = made.get(one.symbol, ("order_book", ""))
            self.listed[place] = replace(one, mechanism=mechanism, group=group)
            if mechanism == "order_book":
                continue
            quote = replace(self.quotes[one.symbol], priced_at_ms=int(NOW.timestamp() * 1000) - 400)
            if mechanism == "window":
                last = quote.last_cents
                quote = replace(quote, bid_cents=last, ask_cents=last, bid_quantity=0, ask_quantity=0)
            if mechanism == "attention":
                share = shares[one.symbol]
                following = quote.last_cents * (10_000 + (share - 25_00) // 10) // 10_000
                quote = replace(quote, attention_bps=share, indicative_cents=following)
            self.quotes[one.symbol] = quote
        self.ticks["FLUX"] = [
            Tick("FLUX", 362_80 + 4 * step, 40 * (step + 1), NOW - timedelta(seconds=60 - 9 * step), step + 1,
                 reversed=step == 1)
            for step in range(4)
        ]  # fmt: skip
        self.windows = Windows((self.window(), self.past_window()), self.results())
        return self

    def with_headlines(self) -> FakeGateway:
        """With one that has just come out, and one that is older."""
        self.status = replace(
            self.status,
            headlines=(
                Headline(
                    2, "Flux finds oil under its own head office; engineers ask who will tell the board",
                    ("FLUX", "ECHO"), NOW - timedelta(seconds=3), NOW + timedelta(seconds=300),
                ),
                Headline(1, "Rain is expected", (), NOW - timedelta(seconds=70), NOW - timedelta(seconds=60)),
            ),
        )  # fmt: skip
        return self

    def window(self, **changes: object) -> Window:
        """A window under way: trading ends in 92 seconds."""
        window = Window(
            12,
            "The long night",
            "chapter",
            12,
            WindowState.TRADING,
            frozenset(("NOVA", "ONYX", "ORBX", "PIKE", "PYRE")),
            WindowState.TRADE_CLOSE,
            NOW + timedelta(seconds=92),
            NOW - timedelta(seconds=208),
        )
        return replace(window, **changes)  # type: ignore[arg-type]

    def past_window(self) -> Window:
        """The one before, which is over."""
        state, began = WindowState.CLOSED, NOW - timedelta(days=7)
        return Window(
            11, "Homecoming", "chapter", 11, state, self.window().symbols, changed_at=began, settled=5
        )

    def results(self) -> tuple[Settled, ...]:
        """What the window before did to prices."""
        return (
            Settled(
                "NOVA", 370_16, 396_82, 7_20, "+7.2 %: demand +8.1 %, of 12 players; concentration −0.9 %"
            ),
            Settled("ONYX", 200_00, 192_29, -3_85, "demand −3.9 %, of 7 players"),
            Settled("ORBX", 422_80, 422_80, 0, "nobody traded it"),
            Settled("PIKE", 120_00, 99_00, -17_50, "demand −17.5 %, of 1 player", corrected=True),
            Settled(
                "PIKE", 120_00, 111_11, -7_40, "demand −7.4 %, of 3 players, without the reversed trades"
            ),
            Settled("PYRE", 215_00, 219_31, 2_00, "demand +4.4 %, bounded at +2.0 %"),
        )

    def with_orders(self) -> FakeGateway:
        """With a few orders in all their states."""
        samples = [
            (17, "ACME", Side.BUY, Kind.LIMIT, 200, 106_40, 0, 0, OrderStatus.WORKING, ""),
            (18, "ACME", Side.SELL, Kind.LIMIT, 150, 106_55, 0, 40, OrderStatus.WORKING, ""),
            (19, "ORBX", Side.BUY, Kind.LIMIT, 500, 48_10, 0, 500, OrderStatus.FILLED, ""),
            (20, "AAPL", Side.BUY, Kind.STOP_LIMIT, 10, 13_10, 13_00, 0, OrderStatus.WAITING, ""),
            (
                21,
                "KITE",
                Side.BUY,
                Kind.MARKET,
                900,
                0,
                0,
                300,
                OrderStatus.CANCELLED,
                "nothing more at its price",
            ),
        ]
        for place, (order_id, symbol, side, kind, quantity, price, stop, filled, status, why) in enumerate(
            samples
        ):
            self.orders_known[order_id] = Order(
                order_id, symbol, side, kind, quantity, status, price, stop,
                filled=filled, remaining=quantity - filled, filled_value_cents=filled * price, end_reason=why,
                accepted_at=NOW - timedelta(minutes=30 - place),
                updated_at=NOW - timedelta(minutes=20 - place),
            )  # fmt: skip
        return self
