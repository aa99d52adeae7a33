"""The tokens themselves: access tokens are signed and say who one is; the others are only long and random."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import jwt

from bearpit_server.identity.callers import not_signed_in
from bearpit_server.storage.models import Setting

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)
SERVICE_PREFIX = "bps_"
"""Begins a service's secret, for people and scanners that come across one."""
MAX_LENGTH = 2_048
"""A longer token is none of ours."""

_ALGORITHM = "HS256"
_SECRET_KEY = "access_token_secret"  # noqa: S105 - where it is kept, not what it is
_CACHE_SIZE = 20_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says. It holds while its holder's epoch and sign-in still do."""

    player_id: int
    epoch: int
    sign_in_id: int
    expires_at: float
    """In epoch seconds."""
    operator_id: int = 0
    """Who looks through the player's eyes; 0: the player itself."""

    @property
    def holder_id(self) -> int:
        """Whose sign-in it belongs to."""
        return self.operator_id or self.player_id


class AccessTokens:
    """Signs access tokens and reads them; one that was read before costs a look-up."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._read: OrderedDict[str, Claims] = OrderedDict()

    def issue(self, player_id: int, epoch: int, sign_in_id: int, at: datetime) -> tuple[str, datetime]:
        """A new token and its end."""
        return self._sign({"sub": str(player_id), "epoch": epoch, "sid": sign_in_id}, at)

    def issue_eyes(
        self, player_id: int, name: str, operator_id: int, epoch: int, sign_in_id: int, at: datetime
    ) -> tuple[str, datetime]:
        """A new token to look through a player's eyes, and its end; epoch and sign-in are the operator's.

        The name is for the screen, which shows it before it has reached the server.
        """
        claims = {"sub": str(player_id), "name": name, "act": operator_id, "epoch": epoch, "sid": sign_in_id}
        return self._sign(claims, at)

    def _sign(self, claims: dict[str, object], at: datetime) -> tuple[str, datetime]:
        expires_at = at + ACCESS_LIFETIME
        return jwt.encode({**claims, "exp": expires_at}, self._secret, _ALGORITHM), expires_at

    def read(self, token: str, at: float) -> Claims:
        """What a token says. Raises Refused NOT_SIGNED_IN for one that is expired or not ours.

        `at` is in epoch seconds.
        """
        claims = self._read.get(token)
        if claims is None:
            claims = self._decode(token)
            self._read[token] = claims
            if len(self._read) > _CACHE_SIZE:
                self._read.popitem(last=False)
        if claims.expires_at <= at:
            raise not_signed_in("this access token has ended; refresh it")
        return claims

    def _decode(self, token: str) -> Claims:
        if len(token) > MAX_LENGTH:
            raise not_signed_in("this is not an access token; sign in")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                [_ALGORITHM],
                # The end is checked above, against our own clock, each time.
                options={"require": ["sub", "exp", "epoch", "sid"], "verify_exp": False},
            )
            return Claims(
                int(claims["sub"]),
                int(claims["epoch"]),
                int(claims["sid"]),
                float(claims["exp"]),
                int(claims.get("act", 0)),
            )
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
            raise not_signed_in("this is not an access token of this game; sign in") from None


def load_secret() -> str:
    """The key that signs access tokens, made at the first start; inside a transaction.

    It is kept in the database, so that all server processes accept each other's tokens. It is no
    setting: `rules.settings` does not list it, so nobody can read or set it through the contract.
    """
    Setting.insert(key=_SECRET_KEY, value=secrets.token_hex(32)).on_conflict_ignore().execute()
    return str(Setting.get(Setting.key == _SECRET_KEY).value)


def new_secret() -> str:
    """A refresh token, or the body of a service's secret: 256 bits of chance."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is kept of a secret. A plain hash will do: there is nothing to guess in 256 random bits."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
