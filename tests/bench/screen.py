"""What the trade screen costs: 500 instruments, 2,000 ticks a second, 120 × 40 cells, in a real terminal.

A subprocess runs the app as `bearpit` does, in a pseudo-terminal whose output is drained here. The server of
screen_market.py, in this process, sends it what a real one would: ten conflated frames of 200 quotes a
second, and at the same pace the book and the trades of the chosen instrument, which trades in every frame.
The app measures its own CPU time, the connection's included, and how long its event loop was ever away.

    python -m tests.bench.screen
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bearpit.client import connect
from bearpit.v1 import market_pb2
from bearpit_tui.app import BearpitApp, Surroundings
from bearpit_tui.remote import connector
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.settings import remember
from bearpit_tui.start import Start
from bearpit_tui.widgets.pauses import shorten_pauses
from textual import work
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import DataTable

from tests.bench.screen_market import (
    FRAMES_PER_SECOND,
    INSTRUMENTS,
    PLAYER,
    TICKS_PER_SECOND,
    Market,
    serving,
)

COLUMNS, ROWS = 120, 40
CPU_TARGET_PERCENT, BLOCK_TARGET_MS = 20.0, 25.0
BEAT_SECONDS = 0.005
SETTLING_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
PASSWORD = "correct horse"
ROOT = Path(__file__).resolve().parents[2]
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def run(seconds: float = 10.0, rounds: int = 3) -> list[dict[str, object]]:
    """Measures; the target is met only if both the CPU share and the longest absence are within theirs.

    The round with the median CPU share is told, with its own longest absence; the others stand beside it.
    """
    tried = [_measure("screen", seconds) for _ in range(rounds)]
    middle = statistics.median_low(figures["cpu_percent"] for figures in tried)
    screen = next(figures for figures in tried if figures["cpu_percent"] == middle)
    table = _measure("table", seconds / 2)
    others = max(figures["others_percent"] for figures in tried)
    within = screen["cpu_percent"] <= CPU_TARGET_PERCENT and screen["longest_block_ms"] <= BLOCK_TARGET_MS
    return [
        {
            "name": "screen",
            "value": screen["cpu_percent"],
            "unit": "% of a core",
            "yardstick": table["cpu_percent"],
            "ratio": round(screen["cpu_percent"] / table["cpu_percent"], 3),
            "target": CPU_TARGET_PERCENT,
            "met": within,
            "longest_block_ms": screen["longest_block_ms"],
            "longest_block_target_ms": BLOCK_TARGET_MS,
            "longest_block_cpu_ms": screen["longest_block_cpu_ms"],
            "rounds": ", ".join(
                f"{figures['cpu_percent']} % with {figures['longest_block_ms']} ms" for figures in tried
            ),
            "others_used_the_machine": f"up to {others:.0f} % of a core",
            "terminal_kb_per_second": screen["terminal_kb_per_second"],
            "yardstick_is": "the same quotes in Textual's DataTable, update_cell by update_cell",
            "detail": f"the median of {rounds} rounds of {seconds:g} s; {INSTRUMENTS} instruments, "
            f"{TICKS_PER_SECOND} ticks/s in {FRAMES_PER_SECOND} frames a second, {COLUMNS}×{ROWS}",
        }
    ]


def _measure(subject: str, seconds: float) -> dict[str, float]:
    busy, own = _busy(), _own()
    began = time.monotonic()
    figures = asyncio.run(_play(subject, seconds))
    others = (_busy() - busy) - (_own() - own)
    figures["others_percent"] = max(100 * others / (time.monotonic() - began), 0.0)
    return figures


def _busy() -> float:
    """Seconds of CPU that all processes have used since the machine was started."""
    user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) / CLOCK_TICKS


def _own() -> float:
    """Seconds of CPU that this process and its ended children have used."""
    return sum(os.times()[:4])


# The parent: a terminal that only reads, and the server.


async def _play(subject: str, seconds: float) -> dict[str, float]:
    async with serving(Market()) as address:
        return await asyncio.to_thread(_watch_terminal, subject, seconds, address)


def _watch_terminal(subject: str, seconds: float, address: str) -> dict[str, float]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        environment = {
            **{name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TEXTUAL"}},
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "BEARPIT_HOME": folder,
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.screen", subject, str(seconds), address, str(report)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
            cwd=ROOT,
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


# The child: the app, and its heartbeat in the same loop.


@dataclass(frozen=True, slots=True)
class Subject:
    """An app to be measured once it is ready."""

    app: App[None]
    ready: Callable[[], bool]


def _trade_screen(address: str) -> Subject:
    """The program itself, as `bearpit` starts it."""
    remember(hint_seen=True)
    start = Start(address, PLAYER, PASSWORD)
    app = BearpitApp(start, connector(False), surroundings=Surroundings(when_open=shorten_pauses))

    def ready() -> bool:
        screen = app.screen
        return isinstance(screen, TradeScreen) and bool(
            screen.state.live
            and screen.state.chart.loaded
            and screen.state.book.bids
            and screen.state.wallet.loaded
            and screen.state.orders
        )

    return Subject(app, ready)


class TableApp(App[None]):
    """The yardstick: the same quotes in Textual's own table, cell by cell."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def compose(self) -> ComposeResult:
        yield DataTable()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for column in ("symbol", "last", "bid", "ask", "volume"):
            table.add_column(column, key=column, width=12)
        self._read()

    @work
    async def _read(self) -> None:
        async with connect(self._address) as client:
            await client.sign_in(PLAYER, PASSWORD)
            async for frame in client.stream_prices():
                self._take(frame)
                if frame.HasField("snapshot"):
                    shorten_pauses()

    def _take(self, frame: market_pb2.StreamPricesResponse) -> None:
        table = self.query_one(DataTable)
        for quote in frame.snapshot.quotes:
            table.add_row(
                quote.symbol, quote.last_cents, quote.bid_cents, quote.ask_cents, 0, key=quote.symbol
            )
        for quote in frame.update.quotes:
            table.update_cell(quote.symbol, "last", quote.last_cents)
            table.update_cell(quote.symbol, "bid", quote.bid_cents)
            table.update_cell(quote.symbol, "ask", quote.ask_cents)
            table.update_cell(quote.symbol, "volume", quote.volume)


def _table(address: str) -> Subject:
    app = TableApp(address)
    return Subject(app, lambda: app.query_one(DataTable).row_count == INSTRUMENTS)


SUBJECTS: dict[str, Callable[[str], Subject]] = {"screen": _trade_screen, "table": _table}


def _child(subject: Subject, seconds: float, report: Path) -> None:
    figures: dict[str, float] = {}

    async def watch(pilot: Pilot[object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            while not subject.ready():
                await pilot.pause(BEAT_SECONDS)
        await asyncio.sleep(SETTLING_SECONDS)
        figures.update(await _heartbeat(seconds))
        subject.app.exit()

    asyncio.run(subject.app.run_async(mouse=False, auto_pilot=watch))
    report.write_text(json.dumps(figures))


async def _heartbeat(seconds: float) -> dict[str, float]:
    """CPU time, and how long the loop is away between two beats: the whole gap, nothing taken off."""
    began, used = time.monotonic(), time.process_time()
    longest, longest_cpu = 0.0, 0.0
    while time.monotonic() - began < seconds:
        wall, cpu = time.monotonic(), time.thread_time()
        await asyncio.sleep(BEAT_SECONDS)
        longest = max(longest, time.monotonic() - wall)
        longest_cpu = max(longest_cpu, time.thread_time() - cpu)
    cpu_share = (time.process_time() - used) / (time.monotonic() - began)
    return {
        "cpu_percent": round(cpu_share * 100, 1),
        "longest_block_ms": round(longest * 1000, 1),
        "longest_block_cpu_ms": round(longest_cpu * 1000, 1),
    }


if __name__ == "__main__":
    if len(sys.argv) == 5:
        _child(SUBJECTS[sys.argv[1]](sys.argv[3]), float(sys.argv[2]), Path(sys.argv[4]))
    else:
        print(json.dumps(run(), indent=2, ensure_ascii=False))
