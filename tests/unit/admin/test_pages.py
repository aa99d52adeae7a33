"""Page tokens go on where the page ended, and belong to one query only."""

from base64 import urlsafe_b64encode

import pytest
from bearpit.v1 import admin_pb2, wallet_pb2
from bearpit_server.rules.refusals import Refused
from bearpit_server.services.pages import Page
from hypothesis import given
from hypothesis import strategies as st


def request(search: str = "", size: int = 0, token: str = "") -> admin_pb2.ListPlayersRequest:
    return admin_pb2.ListPlayersRequest(search=search, page_size=size, page_token=token)


def read_all(rows: list[int], size: int) -> list[list[int]]:
    """A list's pages, as a client reads them."""
    pages, token = [], ""
    while True:
        page = Page(request(size=size, token=token))
        after = page.after_id or 0
        found = [row for row in rows if row > after][: page.limit]
        shown, token = page.close(found, lambda row: row)
        pages.append(list(shown))
        if not token:
            return pages


@given(st.sets(st.integers(1, 10**18), max_size=40), st.integers(1, 12))
def test_pages_hold_every_row_once_in_order(rows: set[int], size: int) -> None:
    pages = read_all(sorted(rows), size)
    assert [row for page in pages for row in page] == sorted(rows)
    assert all(len(page) == size for page in pages[:-1])
    assert len(pages) == max(1, -(-len(rows) // size))


def token_after(key: object, of: admin_pb2.ListPlayersRequest | None = None) -> str:
    _, token = Page(of or request(size=1)).close([key, key], lambda row: row)
    return token


def test_a_token_may_be_read_with_another_page_size() -> None:
    assert Page(request(size=500, token=token_after(7))).after_id == 7


@pytest.mark.parametrize(
    "other",
    [
        request(search="ada", token=token_after(7)),
        admin_pb2.ListPlayerOrdersRequest(page_token=token_after(7)),
        wallet_pb2.ListPostingsRequest(page_token=token_after(7)),
    ],
)
def test_a_token_of_another_query_is_refused(other: admin_pb2.ListPlayersRequest) -> None:
    with pytest.raises(Refused) as refusal:
        Page(other)
    assert refusal.value.reason == "BAD_PAGE_TOKEN"


def test_a_token_of_another_caller_is_refused() -> None:
    _, token = Page(wallet_pb2.ListPostingsRequest(page_size=1), owner=1).close([9, 8], lambda row: row)
    assert Page(wallet_pb2.ListPostingsRequest(page_token=token), owner=1).after_id == 9
    with pytest.raises(Refused) as refusal:
        Page(wallet_pb2.ListPostingsRequest(page_token=token), owner=2)
    assert refusal.value.reason == "BAD_PAGE_TOKEN"


@given(st.text(min_size=1, max_size=300))
def test_made_up_tokens_are_refused(token: str) -> None:
    with pytest.raises(Refused) as refusal:
        Page(request(token=token))
    assert refusal.value.reason == "BAD_PAGE_TOKEN"


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_refused(place: int, change: int) -> None:
    token = bytearray(token_after(123_456).encode())
    token[place % len(token)] ^= change
    with pytest.raises(Refused) as refusal:
        Page(request(token=token.decode("latin-1")))
    assert refusal.value.reason == "BAD_PAGE_TOKEN"


@pytest.mark.parametrize("key", ["abc", "-1", "9" * 30, "٣"])
def test_a_token_whose_place_is_no_id_is_refused(key: str) -> None:
    page = Page(request(token=token_after(key)))
    with pytest.raises(Refused) as refusal:
        _ = page.after_id
    assert refusal.value.reason == "BAD_PAGE_TOKEN"


def test_padding_does_not_make_a_second_token_of_one() -> None:
    padded = urlsafe_b64encode(b"").decode() + token_after(7) + "="
    with pytest.raises(Refused):
        Page(request(token=padded))


@pytest.mark.parametrize("size", [-1, 1_001, 2**31 - 1, -(2**31)])
def test_a_page_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(Refused) as refusal:
        Page(request(size=size))
    assert refusal.value.field == "page_size"


def test_no_page_size_means_the_default() -> None:
    assert Page(request()).limit == 101
    assert Page(request(), default_size=500).limit == 501
