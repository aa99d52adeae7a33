"""What the player is told, in one line."""

from dataclasses import replace

import pytest
from bearpit_tui.drafts import Kind, Life, Side
from bearpit_tui.gateway import Placed
from bearpit_tui.model import Fill, Order, OrderStatus
from bearpit_tui.notices import cancelled_notice, fill_notice, placed_notice

ORDER = Order(17, "AAPL", Side.BUY, Kind.LIMIT, 100, OrderStatus.WORKING, 1240, life=Life.GTC, remaining=100)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "#17 buy 100 AAPL @ 12.40 is working"),
        ({"filled": 60, "remaining": 40}, "#17 buy 100 AAPL @ 12.40: bought 60, 40 working"),
        (
            {"status": OrderStatus.FILLED, "filled": 100, "filled_value_cents": 123_950, "fee_cents": 124},
            "Bought 100 AAPL for 1,239.50, fee 1.24 (#17)",
        ),
        (
            {"status": OrderStatus.CANCELLED, "end_reason": "nothing more at its price"},
            "#17 buy 100 AAPL @ 12.40 ended without a trade: nothing more at its price",
        ),
        (
            {"status": OrderStatus.CANCELLED, "filled": 5, "side": Side.SELL},
            "#17 sell 100 AAPL @ 12.40: sold 5, the rest ended",
        ),
        (
            {"status": OrderStatus.WAITING, "kind": Kind.STOP, "stop_cents": 1300, "price_cents": 0},
            "#17 buy 100 AAPL stop 13.00 waits for its stop price",
        ),
        ({"status": OrderStatus.QUEUED}, "#17 buy 100 AAPL @ 12.40 is accepted and queued"),
    ],
)
def test_what_became_of_an_order(changes: dict[str, object], words: str) -> None:
    assert placed_notice(Placed(replace(ORDER, **changes))).text == words  # type: ignore[arg-type]


def test_a_fill_tells_what_is_left() -> None:
    fill = Fill(1, 17, "AAPL", Side.BUY, 1240, 40)
    part = replace(ORDER, filled=40, remaining=60)
    assert fill_notice(fill, part).text == "Bought 40 of 100 AAPL at 12.40 (#17), 60 working"


def test_cancelling_counts() -> None:
    assert "no open order" in cancelled_notice([]).text
    assert cancelled_notice([ORDER]).text == "Cancelled #17 buy 100 AAPL @ 12.40"
    assert cancelled_notice([ORDER, ORDER]).text == "Cancelled 2 orders"
