"""Sign-ins in the database: each a family of refresh tokens, of which only the newest is good, once.

Nothing here is lenient. Of two refreshes with one token exactly one wins; the other is a reuse, and a
reuse voids the whole sign-in, for it may be the thief's or the owner's. A client that lost the answer to
a refresh therefore signs in anew. Every function runs inside the caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.identity import tokens
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import Player, RefreshToken, SignIn


@dataclass(frozen=True, slots=True)
class Opened:
    """A sign-in that goes on, with its newest refresh token."""

    player: Player
    sign_in_id: int
    refresh_token: str
    refresh_expires_at: datetime


class Failure(Enum):
    """Why a refresh token was not taken. Returned, not raised: what a reuse voids must be committed."""

    UNKNOWN = "unknown"  # or expired, or of a sign-in that has ended
    REUSED = "reused"
    DISABLED = "disabled"


def begin(player: Player, origin: Origin) -> Opened:
    """A new sign-in of a player."""
    sign_in = SignIn.create(player=player.id, created_at=now())
    log.append(
        [Event("sign_in.begun", f"player:{player.id}", _by(player.id, origin), {"sign_in": sign_in.id})]
    )
    return _opened(player, sign_in.id)


def refresh(token: str, origin: Origin) -> tuple[Opened | Failure, int]:
    """Trade a refresh token for the next one; also returns the player's id, 0 if the token is unknown."""
    token_hash = tokens.digest(token)
    at = now()
    taken = (
        RefreshToken.update(used_at=at)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_null())
        .execute()
    )
    row = (
        RefreshToken.select(RefreshToken, SignIn, Player)
        .join(SignIn)
        .join(Player)
        .where(RefreshToken.token_hash == token_hash)
        .get_or_none()
    )
    if row is None:
        return Failure.UNKNOWN, 0
    player, sign_in_id = row.sign_in.player, row.sign_in.id
    if not taken:
        _void([sign_in_id], player.id, "sign_in.reused", origin)
        return Failure.REUSED, player.id
    if player.disabled:
        return Failure.DISABLED, player.id
    # Locked, for a sign-out in the same moment: it waits for this, and then voids the new token too.
    still = SignIn.select().where(SignIn.id == sign_in_id).for_update().get()
    if still.voided_at is not None or row.expires_at <= at:
        return Failure.UNKNOWN, player.id
    log.append(
        [Event("sign_in.refreshed", f"player:{player.id}", _by(player.id, origin), {"sign_in": sign_in_id})]
    )
    return _opened(player, sign_in_id), player.id


def end(token: str, origin: Origin) -> int:
    """Void the sign-in that a refresh token, used or not, belongs to; returns the player's id or 0."""
    row = (
        RefreshToken.select(RefreshToken, SignIn)
        .join(SignIn)
        .where(RefreshToken.token_hash == tokens.digest(token))
        .get_or_none()
    )
    if row is None:
        return 0
    player_id = int(row.sign_in.player_id)
    _void([row.sign_in.id], player_id, "sign_in.ended", _by(player_id, origin))
    return player_id


def end_all(player_id: int, origin: Origin) -> None:
    """Void all of a player's sign-ins."""
    ids = [
        row.id
        for row in SignIn.select(SignIn.id).where(SignIn.player == player_id, SignIn.voided_at.is_null())
    ]
    _void(ids, player_id, "sign_in.ended", origin)


def sweep(at: datetime) -> int:
    """Forget expired refresh tokens and void sign-ins left without one; returns how many those were.

    For the server's housekeeping. A used token is kept until it would have expired anyway: knowing it
    is what tells a reuse.
    """
    RefreshToken.delete().where(RefreshToken.expires_at <= at).execute()
    alive = RefreshToken.select(RefreshToken.sign_in)
    ended = SignIn.update(voided_at=at).where(SignIn.voided_at.is_null(), SignIn.id.not_in(alive)).execute()
    return int(ended)


def _opened(player: Player, sign_in_id: int) -> Opened:
    token = tokens.new_secret()
    expires_at = now() + tokens.REFRESH_LIFETIME
    RefreshToken.create(token_hash=tokens.digest(token), sign_in=sign_in_id, expires_at=expires_at)
    return Opened(player, sign_in_id, token, expires_at)


def _void(ids: list[int], player_id: int, kind: str, origin: Origin) -> None:
    if not ids:
        return
    voided = SignIn.update(voided_at=now()).where(SignIn.id << ids, SignIn.voided_at.is_null())
    ended = [row.id for row in voided.returning(SignIn.id).execute()]
    log.append([Event(kind, f"player:{player_id}", origin, {"sign_in": id_}) for id_ in ended])


def _by(player_id: int, origin: Origin) -> Origin:
    """These calls carry no access token: who makes them is whoever holds the refresh token."""
    return Origin(origin.actor_id or player_id, origin.address, origin.request_id)
