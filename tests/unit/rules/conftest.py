"""Both books take the tests of the book: the fast one that trades, and the naive one it is checked by."""

import pytest
from bearpit_server.rules.book import Book

from tests.unit.rules.entries import AnyBook
from tests.unit.rules.naive_book import NaiveBook


@pytest.fixture(params=[Book, NaiveBook])
def book(request: pytest.FixtureRequest) -> AnyBook:
    made: AnyBook = request.param()
    return made
