"""Who places the orders: a process of its own, with plain stubs, told what to do line by line.

`Load` is the parent's handle. The child, `python -m tests.bench.load`, reads a job a line and answers
with its figures, so that one interpreter serves all rounds. `python -m tests.bench.load echo` is the
yardstick's server: bare grpc.aio with our server's options, which sends each request back.
"""

import asyncio
import gc
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar, cast
from uuid import uuid4

import grpc
import psycopg
from bearpit.v1 import trading_pb2 as pb
from bearpit.v1.trading_pb2_grpc import TradingServiceStub
from bearpit_server.gate import SERVER_OPTIONS

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds after which a child is ended, whatever it does."""
WARM_UP = 0.5
BATCH = 100
QUANTITY = 10
PRICE_CENTS = 1_000
PRICES = 500
"""On each side of a book that is filled."""
ECHO = "/bearpit.bench.Echo/Echo"
INSERT = "INSERT INTO bench_rows (player, note) VALUES (%s, %s)"
CREATE = "CREATE TABLE bench_rows (id bigserial PRIMARY KEY, player bigint NOT NULL, note text NOT NULL)"

Job = dict[str, Any]
Figures = dict[str, float]
Metadata = tuple[tuple[str, str], ...]
A = TypeVar("A")


# --- the parent's side -----------------------------------------------------------------------------


class Child:
    """A process of this module that is told lines and answers with JSON."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.load", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self._alarm = threading.Timer(PATIENCE, self._process.kill)
        self._alarm.start()

    def answer(self) -> Figures:
        """What it says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "a child of the benchmark has ended; its complaint stands above"
        return cast(Figures, json.loads(line))

    def ask(self, **job: object) -> Figures:
        """Have a job done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        return self.answer()

    def end(self) -> None:
        """End it."""
        self._alarm.cancel()
        self._process.kill()
        self._process.communicate()


@contextmanager
def child(*arguments: str) -> Iterator[Child]:
    """A child that ends with the block."""
    made = Child(*arguments)
    try:
        yield made
    finally:
        made.end()


# --- the child: load -------------------------------------------------------------------------------


class Orders:
    """Orders one after the other: at one price, a sale and then the purchase that takes it."""

    def __init__(self, job: Job) -> None:
        self._numbers = count()
        self._symbols: list[str] = job["symbols"]
        self._metadata: tuple[list[Metadata], list[Metadata]] = (
            [(("authorization", f"Bearer {token}"),) for token in job["sellers"]],
            [(("authorization", f"Bearer {token}"),) for token in job["buyers"]],
        )
        self._prefix = uuid4().hex[:12]

    def one(self) -> tuple[pb.PlaceOrderRequest, Metadata]:
        """The next order, and who places it."""
        number = next(self._numbers)
        pair, buys = divmod(number, 2)
        people = self._metadata[buys]
        return self._order(number, pair, buys), people[pair % len(people)]

    def many(self) -> tuple[pb.PlaceOrdersRequest, Metadata]:
        """The next call: all sales or all purchases of one player, over all instruments."""
        number = next(self._numbers)
        pair, buys = divmod(number, 2)
        people = self._metadata[buys]
        orders = [self._order(number * BATCH + at, at, buys) for at in range(BATCH)]
        return pb.PlaceOrdersRequest(orders=orders), people[pair % len(people)]

    def _order(self, number: int, pair: int, buys: int) -> pb.PlaceOrderRequest:
        return pb.PlaceOrderRequest(
            order=pb.OrderSpec(
                symbol=self._symbols[pair % len(self._symbols)],
                side=pb.SIDE_BUY if buys else pb.SIDE_SELL,
                type=pb.ORDER_TYPE_LIMIT,
                quantity=QUANTITY,
                price_cents=PRICE_CENTS,
            ),
            request_id=f"{self._prefix}-{number}",
        )


async def _in_flight(
    job: Job, call: Callable[[], Awaitable[A]], count_takers: Callable[[A], int], items: int
) -> Figures:
    """So many calls at once for so many seconds; counts what is answered after the warm-up."""
    began = perf_counter() + WARM_UP
    ends = began + job["seconds"]
    calls = takers = 0

    async def work() -> None:
        nonlocal calls, takers
        while perf_counter() < ends:
            answer = await call()
            if began <= perf_counter() <= ends:
                calls += 1
                takers += count_takers(answer)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(job["in_flight"]):
            tasks.create_task(work())
    done = calls * items
    return {"per_second": done / job["seconds"], "takers": takers / done if done else 0.0}


async def _unary(channel: grpc.aio.Channel, job: Job) -> Figures:
    orders, place = Orders(job), TradingServiceStub(channel).PlaceOrder

    async def call() -> pb.PlaceOrderResponse:
        request, metadata = orders.one()
        return await place(request, metadata=metadata)

    return await _in_flight(job, call, _takes, 1)


async def _echo(channel: grpc.aio.Channel, job: Job) -> Figures:
    orders = Orders(job)
    place = channel.unary_unary(ECHO, pb.PlaceOrderRequest.SerializeToString, pb.PlaceOrderRequest.FromString)

    async def call() -> pb.PlaceOrderRequest:
        request, metadata = orders.one()
        return await place(request, metadata=metadata)

    return await _in_flight(job, call, lambda answer: answer.order.side == pb.SIDE_BUY, 1)


async def _batches(channel: grpc.aio.Channel, job: Job) -> Figures:
    orders, place = Orders(job), TradingServiceStub(channel).PlaceOrders

    async def call() -> pb.PlaceOrdersResponse:
        request, metadata = orders.many()
        return await place(request, metadata=metadata)

    def count_takers(answer: pb.PlaceOrdersResponse) -> int:
        refused = [result.refusal for result in answer.results if result.HasField("refusal")]
        assert not refused, refused[0]
        return sum(_takes(result.placed) for result in answer.results)

    return await _in_flight(job, call, count_takers, BATCH)


def _takes(placed: pb.PlaceOrderResponse) -> bool:
    """Whether it matched what was there; its maker may be told of the fill as well, if both came at once."""
    return any(not fill.maker for fill in placed.fills)


async def _singly(channel: grpc.aio.Channel, job: Job) -> Figures:
    """One order at a time."""
    orders, place = Orders(job), TradingServiceStub(channel).PlaceOrder
    took = []
    for _ in range(job["times"]):
        request, metadata = orders.one()
        began = perf_counter()
        await place(request, metadata=metadata)
        took.append(perf_counter() - began)
    return _percentiles(took)


def _inserts(job: Job) -> Figures:
    """One row at a time, each committed."""
    took = []
    with psycopg.connect(job["url"]) as connection:
        for number in range(job["times"]):
            began = perf_counter()
            connection.execute(INSERT, (number, "x" * 100))
            connection.commit()
            took.append(perf_counter() - began)
    return _percentiles(took)


async def _rest(channel: grpc.aio.Channel, job: Job) -> Figures:
    """Fill the books: so many orders that rest, over so many prices a side."""
    orders, place = Orders(job), TradingServiceStub(channel).PlaceOrders
    for number in range(job["orders"] // BATCH):
        request, metadata = orders.many()
        for at, one in enumerate(request.orders):
            # Calls of sales and of purchases take turns: each pair of calls goes on to the next prices.
            away = 1 + (number // 2 * BATCH + at) // len(job["symbols"]) % PRICES
            one.order.price_cents += away if one.order.side == pb.SIDE_SELL else -away
        answer = await place(request, metadata=metadata)
        assert all(result.placed.order.status == pb.ORDER_STATUS_WORKING for result in answer.results)
    return {}


async def _take(channel: grpc.aio.Channel, job: Job) -> Figures:
    """A purchase at any price, as soon as the server answers, that must fill."""
    orders, place = Orders(job), TradingServiceStub(channel).PlaceOrder
    orders.one()
    request, metadata = orders.one()
    request.order.price_cents *= 2
    answer = await place(request, metadata=metadata, wait_for_ready=True, timeout=30)
    assert answer.order.status == pb.ORDER_STATUS_FILLED, answer
    return {}


_JOBS: dict[str, Callable[[grpc.aio.Channel, Job], Awaitable[Figures]]] = {
    "unary": _unary,
    "echo": _echo,
    "batches": _batches,
    "singly": _singly,
    "rest": _rest,
    "take": _take,
}


def _percentiles(took: list[float]) -> Figures:
    ordered = sorted(took)
    return {"p50_ms": ordered[len(ordered) // 2] * 1000, "p99_ms": ordered[len(ordered) * 99 // 100] * 1000}


async def _do(job: Job) -> Figures:
    if job["kind"] == "inserts":
        return _inserts(job)
    async with grpc.aio.insecure_channel(job["address"]) as channel:
        return await _JOBS[job["kind"]](channel, job)


def _serve_jobs() -> None:
    for line in sys.stdin:
        print(json.dumps(asyncio.run(_do(json.loads(line)))), flush=True)


# --- the child: echo -------------------------------------------------------------------------------


async def _echo_back(request: pb.PlaceOrderRequest, context: object) -> pb.PlaceOrderRequest:
    return request


async def _serve_echo() -> None:
    server = grpc.aio.server(options=SERVER_OPTIONS)
    service, method = ECHO.strip("/").split("/")
    handler = grpc.unary_unary_rpc_method_handler(
        _echo_back, pb.PlaceOrderRequest.FromString, pb.PlaceOrderRequest.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    gc.collect()
    gc.freeze()  # as our server does
    print(json.dumps({"port": port}), flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    if sys.argv[1:] == ["echo"]:
        asyncio.run(_serve_echo())
    else:
        _serve_jobs()
