"""Access tokens: only ours are read, and only until they end."""

import base64
import json
from datetime import UTC, datetime

import jwt
import pytest
from bearpit_server.identity.tokens import ACCESS_LIFETIME, AccessTokens, Claims
from bearpit_server.rules.refusals import Refused
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECRET = "a" * 64
TOKENS = AccessTokens(SECRET)


def _issue(tokens: AccessTokens = TOKENS) -> str:
    return tokens.issue(7, 3, 11, NOW)[0]


def test_reads_what_it_issued() -> None:
    ends = (NOW + ACCESS_LIFETIME).timestamp()
    assert TOKENS.read(_issue(), NOW.timestamp()) == Claims(7, 3, 11, ends)


def test_a_token_for_anothers_eyes_says_whose_sign_in_it_belongs_to() -> None:
    token, ends = TOKENS.issue_eyes(7, "ada", 2, 3, 11, NOW)
    claims = TOKENS.read(token, NOW.timestamp())
    assert claims == Claims(7, 3, 11, ends.timestamp(), operator_id=2)
    assert (claims.holder_id, TOKENS.read(_issue(), NOW.timestamp()).holder_id) == (2, 7)
    assert ends == NOW + ACCESS_LIFETIME


def test_a_token_ends_after_a_quarter_of_an_hour_even_when_it_was_read_before() -> None:
    tokens = AccessTokens(SECRET)
    token, expires_at = tokens.issue(7, 3, 11, NOW)
    tokens.read(token, NOW.timestamp())
    with pytest.raises(Refused, match="refresh"):
        tokens.read(token, expires_at.timestamp())


def test_all_processes_with_the_secret_read_each_others_tokens() -> None:
    assert AccessTokens(SECRET).read(_issue(), NOW.timestamp()).player_id == 7


def _forged(**header: str) -> str:
    parts = ({"alg": "none", "typ": "JWT", **header}, {"sub": "7", "epoch": 3, "sid": 11})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "a.b.c",
        _forged(),
        _forged(alg="HS512"),
        jwt.encode({"sub": "7", "epoch": 3, "sid": 11, "exp": 2**33}, "b" * 64, "HS256"),
        jwt.encode({"sub": "7"}, SECRET, "HS256"),
        jwt.encode({"sub": "x", "epoch": 3, "sid": 11, "exp": 2**33}, SECRET, "HS256"),
        # Nested so deeply that a JSON parser gives up.
        base64.urlsafe_b64encode(b"[" * 1_500).decode() + ".e30.x",
        "x" * 100_000,
        "\N{SNOWMAN}.\N{SNOWMAN}.\N{SNOWMAN}",
    ],
)
def test_refuses_what_it_did_not_issue(token: str) -> None:
    with pytest.raises(Refused) as caught:
        TOKENS.read(token, NOW.timestamp())
    assert caught.value.reason == "NOT_SIGNED_IN"


def _like_a_token(parts: list[bytes]) -> str:
    return ".".join(base64.urlsafe_b64encode(part).decode() for part in parts)


@given(st.text() | st.lists(st.binary(max_size=60), max_size=4).map(_like_a_token))
def test_no_string_at_all_makes_it_fail_otherwise(token: str) -> None:
    with pytest.raises(Refused):
        TOKENS.read(token, NOW.timestamp())


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_changed_letter_voids_a_token(position: int, letter: int) -> None:
    token = _issue()
    position %= len(token)
    changed = token[:position] + chr(letter) + token[position + 1 :]
    try:
        claims = AccessTokens(SECRET).read(changed, NOW.timestamp())
    except Refused:
        return
    # The last letter of a base64 text has bits that mean nothing.
    assert changed == token or position == len(token) - 1
    assert claims.player_id == 7
