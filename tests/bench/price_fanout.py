"""Prices for a thousand: one server process, 1,000 streams over gRPC, 50 quotes, 10 frames a second.

`python -m tests.bench.price_fanout` prints what `run` returns; it takes about half a minute. The server is
the gate, the price hub and StreamPrices in a process of its own, without a database; a thread publishes
quotes on its bus as the exchange would, five every hundredth of a second. Two more processes are the
clients, so that their work is not counted, though they share the machine's cores. The yardstick is a bare
grpc.aio server that sends as many frames of the same size, encoded beforehand.

Both servers collect garbage rarely, as a server with thousands of coroutines must: with Python's defaults
a full collection comes every second or two and stops everything for 60 to 85 ms, and all of them together
take a tenth of the CPU.

A frame is on time when it comes no more than 150 ms after the one before it on its stream: the 100 ms of
the schedule and 50 ms of grace. Frames that were skipped count as late.

What else runs on the machine is measured, too (so this needs Linux): ours is measured again, at most twice,
when others took more than a fifth of a core meanwhile.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import grpc
from bearpit.v1 import market_pb2 as pb
from bearpit.v1.market_pb2_grpc import MarketServiceServicer, add_MarketServiceServicer_to_server
from bearpit_server.events.bus import Bus
from bearpit_server.events.records import QuoteRecord
from bearpit_server.exchange.order_events import record_of, record_of_row
from bearpit_server.gate import SERVER_OPTIONS, Gate
from bearpit_server.identity.authority import Authority
from bearpit_server.identity.callers import Caller
from bearpit_server.identity.rates import Rates
from bearpit_server.rules.roles import PLAYER, permissions_of
from bearpit_server.services.market import Market
from bearpit_server.services.streaming import MarketStreams, Streams, prices_frame, share_price_frames
from bearpit_server.storage.database import Database
from bearpit_server.storage.settings import Settings
from bearpit_server.streams.books import Level
from bearpit_server.streams.orders import Recording
from bearpit_server.streams.subscription import update

INSTRUMENTS = 50
CLIENTS = 2
CHANNELS = 10
"""Of each client process; each channel is a player with as many streams as one may have."""
STREAMS = 50
PERIOD = 0.1
GRACE = 0.05
STEP = 0.01
"""Between two publications of some quotes."""
WARM_UP = 2.0
SAMPLED = 10
"""One frame in so many is parsed, for the server's time in it."""
PATIENCE = 60.0
RETRIES = 2
QUIET = 20.0
"""Percent of a core that others may take."""

GC_THRESHOLDS = (50_000, 20, 50)

ON_TIME_TARGET = 99.0
CPU_TARGET = 70.0

TICKS = os.sysconf("SC_CLK_TCK")
METHOD = "/bearpit.v1.MarketService/StreamPrices"


def run(seconds: float = 10.0) -> list[dict[str, object]]:
    """Measures ours, then the bare server."""
    ours = _measure("ours", seconds)
    for _ in range(RETRIES):
        if ours.others > QUIET:
            ours = _measure("ours", seconds)
    bare = _measure("bare", seconds / 2)
    streams = CLIENTS * CHANNELS * STREAMS
    detail = (
        f"{streams} streams on {CLIENTS * CHANNELS} channels, {INSTRUMENTS} instruments, {seconds:g} s; "
        f"quotes published on the server's bus by a thread of it, not by an exchange"
    )
    return [
        {
            "name": "price frames on time",
            "value": round(ours.on_time, 2),
            "unit": "%",
            "yardstick": round(bare.on_time, 2),
            "ratio": round(ours.on_time / bare.on_time, 3),
            "target": ON_TIME_TARGET,
            "met": ours.on_time >= ON_TIME_TARGET,
            "yardstick_is": "a bare grpc.aio server sending frames of the same size, encoded beforehand",
            "frames": ours.frames,
            "frames_per_stream_and_second": round(ours.frames / streams / seconds, 2),
            "gap_p99_ms": ours.gap_p99_ms,
            "age_p50_ms": ours.age_p50_ms,
            "age_p99_ms": ours.age_p99_ms,
            "ages_are": "from a frame's server_time, which is its tick's, to its arrival at the client",
            "others_percent_of_a_core": round(ours.others, 1),
            "detail": detail,
        },
        {
            "name": "price server's CPU",
            "value": round(ours.cpu, 1),
            "unit": "% of a core",
            "yardstick": round(bare.cpu, 1),
            "ratio": round(ours.cpu / bare.cpu, 3),
            "target": CPU_TARGET,
            "met": ours.cpu <= CPU_TARGET,
            "yardstick_is": "the same bare server",
            "microseconds_a_frame": round(ours.cpu / 100 * seconds / ours.frames * 1e6, 1),
            "detail": detail,
        },
    ]


# --- the parent ------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What one server came to."""

    on_time: float
    cpu: float
    others: float
    """What all other processes took; both in percent of a core."""
    frames: int
    gap_p99_ms: float
    age_p50_ms: float
    age_p99_ms: float


class Child:
    """A process that is told lines and answers with JSON."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._alarm = threading.Timer(PATIENCE, self._process.kill)
        self._alarm.start()

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        return cast("dict[str, float]", json.loads(self._process.stdout.readline()))

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def end(self) -> None:
        self._alarm.cancel()
        self._process.kill()
        self._process.communicate()


@contextmanager
def _child(*arguments: str) -> Iterator[Child]:
    child = Child(*arguments)
    try:
        yield child
    finally:
        child.end()


def _measure(server_kind: str, seconds: float) -> Figures:
    with _child("server", server_kind) as server:
        port = int(server.answer()["port"])
        with _child("client", str(port), "0") as one, _child("client", str(port), "1") as two:
            clients = (one, two)
            for client in clients:
                client.answer()
            server.tell("go")
            _wait(WARM_UP)
            began, busy, cpu, mine = time.time(), _busy(), server.cpu, one.cpu + two.cpu
            _wait(seconds)
            ended, busy, cpu = time.time(), _busy() - busy, server.cpu - cpu
            mine = one.cpu + two.cpu - mine
            server.tell("stop")
            for client in clients:
                client.tell(f"{began} {ended}")
            parts = [client.answer() for client in clients]
    due = sum(part["due"] for part in parts)
    return Figures(
        on_time=100 * sum(part["on_time"] for part in parts) / due,
        cpu=100 * cpu / (ended - began),
        others=max(0.0, 100 * (busy - cpu - mine) / (ended - began)),
        frames=int(sum(part["frames"] for part in parts)),
        gap_p99_ms=round(max(part["gap_p99"] for part in parts) * 1000, 1),
        age_p50_ms=round(max(part["age_p50"] for part in parts) * 1000, 1),
        age_p99_ms=round(max(part["age_p99"] for part in parts) * 1000, 1),
    )


def _busy() -> float:
    """Seconds of CPU that all processes have used since the machine was started."""
    user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq))) / TICKS


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


# --- the server ------------------------------------------------------------------------------------


class Exchange:
    """What the streams ask of an exchange."""

    def __init__(self) -> None:
        self.instruments: dict[str, _Listed] = {}
        self.quotes = {record.instrument_id: record for record in _quotes(0)}

    def watching(self, player_id: int, instrument_id: int) -> AbstractContextManager[None]:
        return nullcontext()

    def glance(self, player_id: int, instrument_id: int) -> None:
        pass

    async def depth(self, instrument_id: int, levels: int) -> tuple[list[Level], list[Level], int]:
        return [], [], 0


@dataclass(frozen=True)
class _Listed:
    id: int
    symbol: str


class _Door:
    """Vouches for everybody; a token is a player's id."""

    def recognise(self, token: str) -> Caller:
        return Caller(int(token), f"player{token}", permissions_of([PLAYER]))


class _MarketService(Market, MarketStreams, MarketServiceServicer):
    def __init__(self, exchange: Exchange, streams: Streams) -> None:
        Market.__init__(self, exchange, cast(Database, None))
        MarketStreams.__init__(self, streams)


def _quotes(number: int) -> list[QuoteRecord]:
    """All quotes as they are at a moment; each differs from the one before."""
    return [
        QuoteRecord(
            id_, f"SYM{id_:03}", bid_cents=58_500 + number % 97, bid_quantity=100 + number % 13,
            ask_cents=58_510 + number % 97, ask_quantity=250, last_cents=58_505 + number % 97,
            volume=100_000 + number, previous_close_cents=58_000, phase=3, high_cents=59_000,
            low_cents=57_900,
        )
        for id_ in range(1, INSTRUMENTS + 1)
    ]  # fmt: skip


def _publish(bus: Bus, stopped: threading.Event) -> None:
    """A tenth of the quotes every hundredth of a second."""
    due, step = time.monotonic(), 0
    parts = int(PERIOD / STEP)
    while not stopped.is_set():
        bus.publish(_quotes(step)[step % parts :: parts])
        step += 1
        due += STEP
        stopped.wait(max(0.0, due - time.monotonic()))


async def _serve(kind: str) -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    stopped = threading.Event()
    started = asyncio.Event()
    if kind == "ours":
        bus = Bus()
        bus.start(loop)
        server = _ours(bus)
        thread = threading.Thread(target=_publish, args=(bus, stopped), daemon=True)
    else:
        server = _bare(started, stopped)
        thread = threading.Thread(target=lambda: None)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    _print(port=port)
    while line := (await lines.readline()).decode().strip():
        if line == "go":
            started.set()
            thread.start()
        elif line == "stop":
            stopped.set()
    await server.stop(None)


def _ours(bus: Bus) -> grpc.aio.Server:
    exchange = Exchange()
    recording = Recording(record_of_row, record_of)
    streams = Streams(exchange, bus, cast(Database, None), recording, asyncio.get_running_loop())
    gate = Gate(cast(Authority, _Door()), Rates(Settings(), lambda: 0.0))
    gate._rates = cast(Rates, _NoLimits())  # a thousand streams are opened at once, from one address
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((gate,))
    servicer = _MarketService(exchange, streams)
    add_MarketServiceServicer_to_server(servicer, gate.registry)
    share_price_frames(servicer, gate.registry)
    return server


class _NoLimits:
    def call_from(self, address: str) -> None: ...

    def call_by(self, caller: int | str) -> None: ...


def _bare(started: asyncio.Event, stopped: threading.Event) -> grpc.aio.Server:
    """As little as a server can do: every stream sleeps and sends the same bytes."""

    async def stream(request: bytes, context: object) -> AsyncGenerator[bytes, None]:
        yield prices_frame(update(1, _quotes(0))).SerializeToString()
        await started.wait()
        due = asyncio.get_running_loop().time()
        frame = prices_frame(update(1, _quotes(1))).SerializeToString()
        while not stopped.is_set():
            yield frame
            due += PERIOD
            await asyncio.sleep(due - asyncio.get_running_loop().time())

    server = grpc.aio.server(options=SERVER_OPTIONS)
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_stream_rpc_method_handler(stream)
    server.add_registered_method_handlers("bearpit.v1.MarketService", {"StreamPrices": handler})
    return server


# --- a client --------------------------------------------------------------------------------------


class Stream:
    """One subscriber: when its frames came, and how old some were."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.ages: list[tuple[float, float]] = []
        self.began = asyncio.Event()

    async def follow(self, call: "grpc.aio.UnaryStreamCall[bytes, bytes]") -> None:
        count = 0
        async for frame in call:
            arrived = time.time()
            self.arrivals.append(arrived)
            self.began.set()
            count += 1
            if count % SAMPLED == 0:
                sent = pb.StreamPricesResponse.FromString(frame).server_time
                self.ages.append((arrived, arrived - sent.seconds - sent.nanos / 1e9))


async def _follow(port: str, number: int) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    streams: list[Stream] = []
    tasks: list[asyncio.Task[None]] = []
    channels: list[grpc.aio.Channel] = []
    for index in range(CHANNELS):
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", 16_384),
        ]
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
        channels.append(channel)
        method: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(METHOD)
        token = 1 + number * CHANNELS + index
        for _ in range(STREAMS):
            stream = Stream()
            streams.append(stream)
            call = method(b"", metadata=(("authorization", f"Bearer {token}"),))
            tasks.append(loop.create_task(stream.follow(call)))
    for stream in streams:
        await stream.began.wait()
    _print(ready=1)
    began, ended = map(float, (await lines.readline()).split())
    for task in tasks:
        task.cancel()
    _print(**_sum_up(streams, began, ended))
    await asyncio.wait(tasks)
    for channel in channels:
        await channel.close()


def _sum_up(streams: list[Stream], began: float, ended: float) -> dict[str, float]:
    gaps: list[float] = []
    ages: list[float] = []
    for stream in streams:
        inside = [at for at in stream.arrivals if began <= at <= ended]
        # What did not come at all is a gap to the window's ends.
        edges = [began, *inside] if not inside or inside[0] - began > PERIOD + GRACE else inside
        edges = [*edges, ended] if ended - edges[-1] > PERIOD + GRACE else edges
        gaps += [after - before for before, after in pairwise(edges)]
        ages += [age for at, age in stream.ages if began <= at <= ended]
    skipped = sum(max(0, round(gap / PERIOD) - 1) for gap in gaps)
    gaps.sort()
    ages.sort()
    return {
        "frames": sum(began <= at <= ended for stream in streams for at in stream.arrivals),
        "due": len(gaps) + skipped,
        "on_time": sum(gap <= PERIOD + GRACE for gap in gaps),
        "gap_p99": gaps[int(len(gaps) * 0.99)],
        "age_p50": ages[len(ages) // 2],
        "age_p99": ages[int(len(ages) * 0.99)],
    }


def _print(**figures: float) -> None:
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["server"]:
        asyncio.run(_serve(sys.argv[2]))
    elif sys.argv[1:2] == ["client"]:
        asyncio.run(_follow(sys.argv[2], int(sys.argv[3])))
    else:
        for measurement in run():
            print(json.dumps(measurement, indent=2))
