"""Orders whose answer is lost, and failures in words."""

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit.client.errors import CONNECTION_FAULTS
from bearpit_tui import desk
from bearpit_tui.drafts import Draft, Side
from bearpit_tui.failures import error_words, unreachable_words
from bearpit_tui.gateway import Placed
from bearpit_tui.words import refusal_words

from tests.unit.tui.fake_gateway import LOST, FakeGateway, error

DRAFT = Draft(Side.BUY, 100, "AAPL", price_cents=1240)


class Waiting:
    """Counts how often the desk waited for the connection, and moves its clock."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.words: list[str] = []

    async def connected(self) -> None:
        self.now += self.seconds

    async def place(self, gateway: FakeGateway) -> Placed:
        return await desk.place(
            gateway, DRAFT, "one", connected=self.connected, waiting=self.words.append, clock=lambda: self.now
        )


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PAUSE_SECONDS", 0.0)


async def test_an_answer_is_an_answer() -> None:
    gateway = FakeGateway()
    assert (await Waiting().place(gateway)).order.order_id == 17
    assert len(gateway.calls) == 1


async def test_a_lost_answer_is_asked_after_and_nothing_is_sent_twice() -> None:
    gateway = FakeGateway()
    gateway.lose_answer = True
    waiting = Waiting()
    assert (await waiting.place(gateway)).order.order_id == 17
    assert [name for name, _ in gateway.calls] == ["place", "order_of_request"]
    assert "do not send it again" in waiting.words[0]


async def test_an_order_that_never_arrived_is_sent_again_with_the_same_id() -> None:
    gateway = FakeGateway()
    gateway.fail("place", LOST)
    await Waiting().place(gateway)
    assert gateway.made("place") == [(DRAFT, "one"), (DRAFT, "one")]


async def test_a_lost_enquiry_is_repeated() -> None:
    gateway = FakeGateway()
    gateway.lose_answer = True
    gateway.fail("order_of_request", LOST, LOST)
    await Waiting().place(gateway)
    assert [name for name, _ in gateway.calls] == ["place"] + ["order_of_request"] * 3


async def test_after_too_long_it_is_not_sent_again() -> None:
    gateway = FakeGateway()
    gateway.fail("place", LOST)
    with pytest.raises(desk.NeverArrived, match="Send it again if you still want it"):
        await Waiting(desk.PATIENCE_SECONDS + 1).place(gateway)
    assert len(gateway.made("place")) == 1


async def test_a_refusal_is_not_asked_after() -> None:
    gateway = FakeGateway()
    gateway.fail("place", error("INSUFFICIENT_FUNDS"))
    with pytest.raises(BearpitError):
        await Waiting().place(gateway)
    assert len(gateway.calls) == 1


@pytest.mark.parametrize(
    ("reason", "numbers", "words"),
    [
        (
            "INSUFFICIENT_FUNDS",
            {"needed_cents": "124000", "free_cents": "80000"},
            "needs 1,240.00, 800.00 is free",
        ),
        ("INSUFFICIENT_SHARES", {"needed": "50", "free": "20"}, "Sell 20 or fewer"),
        ("INSUFFICIENT_SHARES", {"needed": "50", "free": "0"}, "Buy some first"),
        ("OFF_TICK", {"tick_cents": "5"}, "steps of 0.05"),
        ("PRICE_OUT_OF_BAND", {"lower_cents": "900", "upper_cents": "1100"}, "from 9.00 to 11.00"),
        ("RATE_LIMITED", {"retry_after_ms": "1500"}, "Wait 2 s"),
        ("MARKET_CLOSED", {}, "Try again when it is open"),
        ("WINDOW_NOT_TRADING", {"next_open": "2026-03-02T18:00:00+00:00"}, "taken again at 18:00 on Monday"),
        ("WINDOW_NOT_TRADING", {}, "takes no orders now"),
        ("INVENTORY_LIMIT", {"allowed": "30"}, "Buy 30 or fewer"),
        ("INVENTORY_LIMIT", {"allowed": "0"}, "no shares of it left"),
        ("NO_PRICE", {}, "no price now"),
        ("INTERNAL", {"incident": "ab12"}, "ab12"),
        ("SOMETHING_NEW", {}, "The server says so."),
    ],
)
def test_refusals_say_what_to_do_next(reason: str, numbers: dict[str, str], words: str) -> None:
    assert words in refusal_words(reason, "the server says so", numbers)


def test_every_saying_does_without_numbers() -> None:
    from bearpit.v1 import errors_pb2

    for name in errors_pb2.Reason.keys():  # noqa: SIM118 - an enum wrapper is no dict
        assert refusal_words(name.removeprefix("REASON_"), "something is wrong", {}).endswith((".", "12.40"))


def test_no_connection_is_said_in_words() -> None:
    assert "cannot be reached" in error_words(LOST)
    unknown = BearpitError(grpc.StatusCode.UNKNOWN, "", "what")
    assert error_words(unknown) == "What."


@pytest.mark.parametrize("message", CONNECTION_FAULTS.values())
def test_a_fault_that_waiting_does_not_mend_is_named_with_what_to_do(message: str) -> None:
    fault = BearpitError(grpc.StatusCode.UNAVAILABLE, "", message)
    assert error_words(fault).startswith(f"{message} Start bearpit with --tls, --ca FILE or neither")
    assert unreachable_words(fault, "here:1").startswith(f"No connection to here:1. {message} Start bearpit")


def test_a_host_that_is_not_there_is_said_to_be_none() -> None:
    unknown = BearpitError(grpc.StatusCode.UNAVAILABLE, "", "There is no host of that name.")
    assert "there is no host of that name. Check the address" in unreachable_words(unknown, "here:1")
