"""Real order flow gives the book that NASDAQ published, level by level and maker by maker."""

from collections.abc import Iterator

import pytest
from bearpit_server.rules.book import Book, Fill
from bearpit_server.rules.orders import TimeInForce

from tests.lobster import (
    DATA,
    LEVELS,
    Action,
    Answer,
    Cancel,
    Look,
    Place,
    Reduce,
    Report,
    Take,
    drive,
    replay,
)
from tests.unit.rules.entries import AnyBook, entry
from tests.unit.rules.naive_book import NaiveBook

TAKERS_FROM = 10**12


class Venue:
    """A book that takes a replay's actions; the makers are one owner, the takers another."""

    def __init__(self, book: AnyBook, numbers: Iterator[int]) -> None:
        self.book = book
        self.numbers = numbers

    def do(self, action: Action) -> Answer:
        match action:
            case Place(order_id, side, price, quantity):
                self.book.execute(
                    entry(order_id, side, quantity, price, owner_id=1, priority=next(self.numbers))
                )
            case Cancel(order_id):
                self.book.cancel(order_id)
            case Reduce(order_id, quantity):
                self.book.reduce(order_id, quantity)
            case Take(side, price, quantity):
                number = next(self.numbers)
                order = entry(
                    TAKERS_FROM + number,
                    side,
                    quantity,
                    price,
                    owner_id=2,
                    priority=number,
                    time_in_force=TimeInForce.IOC,
                )
                outcomes = self.book.execute(order)
                return [outcome.maker.id for outcome in outcomes if isinstance(outcome, Fill)]
            case Look():
                bids, asks = self.book.depth(LEVELS)
                return [level[:2] for level in bids], [level[:2] for level in asks]
        return None


@pytest.fixture(scope="module", params=[Book, NaiveBook])
def report(request: pytest.FixtureRequest) -> Report:
    if not DATA.exists():
        pytest.skip(f"no LOBSTER sample in {DATA}")
    return drive(replay(), Venue(request.param(), iter(range(1, 10**6))).do)


def test_every_row_of_ten_levels_is_the_published_one(report: Report) -> None:
    assert report.differences == []
    assert (report.rows, report.equal_rows) == (998, 998)


def test_every_known_execution_trades_with_exactly_the_order_the_file_names(report: Report) -> None:
    assert report.executions == 98
    assert (report.known_executions, report.exact_executions) == (94, 94)
