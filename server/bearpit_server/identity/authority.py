"""Who signs people in, and vouches for their tokens afterwards."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bearpit_server.events.log import Logged, Origin
from bearpit_server.identity import impersonation, players, service_tokens, sign_ins, tokens
from bearpit_server.identity.callers import Call, Caller, not_signed_in
from bearpit_server.identity.names import MAX_PASSWORD, check_name, check_password
from bearpit_server.identity.passwords import Passwords
from bearpit_server.identity.sign_ins import Failure, Opened
from bearpit_server.identity.standings import FRESH_FOR, Standing, Standings
from bearpit_server.identity.tokens import AccessTokens, Claims
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import PLAYER, Permission
from bearpit_server.storage import requests
from bearpit_server.storage.clock import now
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import HOUSE, Player
from bearpit_server.storage.settings import Settings

_REGISTER = "Register"
_MAX_SERVICES = 1_000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A player with a fresh pair of tokens."""

    player: Player
    access_token: str
    access_expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime


class Authority:
    """Sign-ins of people, tokens of services. `secret` is what `tokens.load_secret` gives.

    `clock` gives monotonic seconds, for what is remembered; dates come from `storage.clock`.
    """

    FOLLOWED = ("player.", "sign_in.", "service_token.")
    """The events after which what is remembered may be wrong."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        passwords: Passwords,
        secret: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.passwords = passwords
        self._database = database
        self._settings = settings
        self._access = AccessTokens(secret)
        self._clock = clock
        self._standings = Standings(database, clock)
        self._services: dict[bytes, tuple[Caller, float]] = {}

    # --- who calls ------------------------------------------------------------------------------

    def recognise(self, token: str) -> Caller | None:
        """Who holds a token, when that can be said without asking the database; else None.

        Raises Refused NOT_SIGNED_IN for a token that cannot be good.
        """
        if token.startswith(tokens.SERVICE_PREFIX):
            caller, read_at = self._services.get(tokens.digest(token), (None, 0.0))
            return caller if self._clock() - read_at <= FRESH_FOR else None
        claims = self._access.read(token, now().timestamp())
        player, holder = self._standings.fresh(claims.player_id), self._standings.fresh(claims.holder_id)
        if player is None or holder is None or _fault(player, holder, claims) is not None:
            return None
        return _caller(player, holder, claims)

    async def authenticate(self, token: str) -> Caller:
        """Who holds a token. Raises Refused NOT_SIGNED_IN, PLAYER_DISABLED or DATABASE_UNAVAILABLE.

        One to look through a player's eyes holds no longer than its operator's sign-in, and the right to it.
        """
        caller = self.recognise(token)
        if caller is not None:
            return caller
        if token.startswith(tokens.SERVICE_PREFIX):
            return await self._service(token)
        claims = self._access.read(token, now().timestamp())
        player = holder = await self._standings.read(claims.player_id)
        if claims.operator_id:
            holder = await self._standings.read(claims.operator_id)
        if player is None or holder is None:
            raise _ended()
        if (fault := _fault(player, holder, claims)) is not None:
            raise fault
        return _caller(player, holder, claims)

    async def confirm(self, caller: Caller, token: str) -> Caller:
        """Check that a caller's sign-in still holds, though the access token may have ended meanwhile.

        Returns the caller as it is now. Raises Refused like `authenticate`. For streams, which outlive the
        token that opened them; but for those through another's eyes, which end with it.
        """
        if caller.is_service or caller.operator_id:
            return await self.authenticate(token)
        standing = self._standings.fresh(caller.player_id) or await self._standings.read(caller.player_id)
        if standing is not None and standing.disabled:
            raise _disabled()
        if standing is None or caller.sign_in_id not in standing.sign_ins:
            raise _ended()
        return replace(caller, permissions=standing.permissions, frozen=standing.frozen)

    async def witness(self, call: Call) -> None:
        """Log a call that is made through a player's eyes. Raises Refused DATABASE_UNAVAILABLE."""
        if call.caller is not None and call.caller.operator_id:
            await self._database.run(impersonation.witness, call)

    def forget(self, player_id: int) -> None:
        """A player's password, roles, sign-ins or being disabled has been changed, and that is committed."""
        self._standings.forget(player_id)

    def forget_services(self) -> None:
        """A service's token has been revoked, and that is committed."""
        self._services.clear()

    async def follow(self, events: Sequence[Logged]) -> None:
        """Listen to what changes who may do what, here or through another server."""
        for event in events:
            kind, _, id_ = event.subject.partition(":")
            if kind == "player" and id_.isdigit():
                self.forget(int(id_))
            elif kind == "service_token":
                self.forget_services()

    async def _service(self, token: str) -> Caller:
        token_hash = tokens.digest(token)
        read_at = self._clock()
        row = await self._database.run(service_tokens.find, token_hash)
        if row is None:
            raise not_signed_in("this service token is unknown or revoked; ask an operator for a new one")
        caller = Caller(0, row.name, scopes=frozenset(row.scopes))
        if len(self._services) >= _MAX_SERVICES:
            self._services.clear()
        self._services[token_hash] = (caller, read_at)
        return caller

    # --- signing in and out ---------------------------------------------------------------------

    async def register(
        self,
        name: str,
        password: str,
        request_id: str,
        origin: Origin,
        welcome: Callable[[Player], None] = lambda _: None,
    ) -> SignedIn:
        """Make a player and sign it in; `welcome` is what else is done in that transaction.

        The answer holds tokens, and those are not kept: a replay, the same request id and name with the
        right password, signs the same player in anew. With another name or password the id is refused
        as reused. Of the request only the name is remembered; a quick hash of a password is kept nowhere.

        Raises Refused INVALID_FIELD, REGISTRATION_CLOSED, ALREADY_EXISTS, REQUEST_ID_REUSED, or what
        `welcome` raises; then there is no player.
        """
        requests.check_id(request_id)
        check_name(name)
        check_password(password)
        if not await self._registered(request_id, name):
            if not self._settings.switch("registration_open"):
                raise Refused(
                    "REGISTRATION_CLOSED", "registration is closed; ask the operators for an account"
                )
            password_hash = await self.passwords.hash(password)
            try:
                opened = await self._database.run(
                    self._register, name, password_hash, request_id, origin, welcome
                )
                return self._issue(opened)
            except Refused as refusal:
                # Two like requests at once: the slower one finds the name taken by its own twin.
                if refusal.reason != "ALREADY_EXISTS" or not await self._registered(request_id, name):
                    raise
        try:
            return await self.sign_in(name, password, origin)
        except Refused as refusal:
            if refusal.reason == "BAD_CREDENTIALS":
                raise requests.reused(request_id) from None
            raise

    async def _registered(self, request_id: str, name: str) -> bool:
        earlier = await self._database.run(requests.recall, HOUSE, request_id, _REGISTER, name.encode())
        return earlier is not None

    def _register(
        self,
        name: str,
        password_hash: str,
        request_id: str,
        origin: Origin,
        welcome: Callable[[Player], None],
    ) -> Opened:
        cash = self._settings.number("starting_cash_cents")
        credit = self._settings.number("credit_line_cents")
        player = players.create_player(name, password_hash, [PLAYER], cash, origin, credit)
        welcome(player)
        requests.remember(HOUSE, request_id, _REGISTER, name.encode(), str(player.id).encode())
        return sign_ins.begin(player, origin)

    async def sign_in(self, name: str, password: str, origin: Origin) -> SignedIn:
        """Sign a player in. Raises Refused BAD_CREDENTIALS, PLAYER_DISABLED or RATE_LIMITED."""
        player = await self._database.run(players.find, name)
        while True:
            password_hash = player.password_hash if player is not None else None
            # No password is longer: what is cut off cannot make a wrong one right.
            matches = await self.passwords.matches(password_hash, password[: MAX_PASSWORD + 1])
            if player is None or not matches:
                raise _bad_credentials()
            if player.disabled:
                raise _disabled()
            newer = ""
            if self.passwords.is_outdated(player.password_hash):
                newer = await self.passwords.hash(password)
            begun = await self._database.run(_begin, player, newer, origin)
            if isinstance(begun, Opened):
                return self._issue(begun)
            player = begun

    async def refresh(self, token: str, origin: Origin) -> SignedIn:
        """Trade a refresh token for a new pair; once.

        Raises Refused TOKEN_REUSED, and voids the whole sign-in, when it was traded before;
        NOT_SIGNED_IN or PLAYER_DISABLED.
        """
        outcome, player_id = await self._database.run(sign_ins.refresh, token, origin)
        if isinstance(outcome, Opened):
            return self._issue(outcome)
        self.forget(player_id)
        if outcome is Failure.REUSED:
            raise Refused(
                "TOKEN_REUSED",
                "this refresh token was used before, so its sign-in has been ended for safety; sign in again",
            )
        if outcome is Failure.DISABLED:
            raise _disabled()
        raise _ended()

    async def sign_out(self, refresh_token: str, origin: Origin) -> None:
        """End the sign-in of a refresh token, its access tokens too; an unknown one is no error."""
        self.forget(await self._database.run(sign_ins.end, refresh_token, origin))

    async def sign_out_everywhere(self, player_id: int, origin: Origin) -> None:
        """End all of a player's sign-ins and access tokens."""
        await self._database.run(players.sign_out_everywhere, player_id, origin)
        self.forget(player_id)

    async def change_password(self, player_id: int, old: str, new: str, origin: Origin) -> SignedIn:
        """Set a new password, end all sign-ins, and begin one for the caller.

        Raises Refused BAD_CREDENTIALS when the old one is wrong, INVALID_FIELD when the new one cannot be.
        """
        check_password(new, "new_password")
        player = await self._database.run(players.by_id, player_id)
        if not await self.passwords.matches(player.password_hash, old[: MAX_PASSWORD + 1]):
            raise Refused("BAD_CREDENTIALS", "the old password is wrong", "old_password")
        new_hash = await self.passwords.hash(new)
        opened = await self._database.run(_change_password, player, new_hash, origin)
        self.forget(player_id)
        return self._issue(opened)

    def lend_eyes(self, player: Player, operator: Player, sign_in_id: int) -> tuple[str, datetime]:
        """A token to look through a player's eyes, and its end."""
        return self._access.issue_eyes(
            player.id, player.name, operator.id, operator.token_epoch, sign_in_id, now()
        )

    async def player(self, player_id: int) -> Player:
        """The player of that id."""
        return await self._database.run(players.by_id, player_id)

    def _issue(self, opened: Opened) -> SignedIn:
        player = opened.player
        self.forget(player.id)  # what is remembered does not know this sign-in
        access, expires_at = self._access.issue(player.id, player.token_epoch, opened.sign_in_id, now())
        return SignedIn(player, access, expires_at, opened.refresh_token, opened.refresh_expires_at)


def _begin(player: Player, newer_hash: str, origin: Origin) -> Opened | Player:
    """A new sign-in; or the player as it is now, when the hash was changed while we compared the old one.

    Another sign-in may have made the same password's hash anew, so that says nothing of the password yet.
    """
    locked: Player = Player.select().where(Player.id == player.id).for_update().get()
    if locked.password_hash != player.password_hash:
        return locked
    if locked.disabled:
        raise _disabled()
    if newer_hash:
        players.keep_hash(player.id, player.password_hash, newer_hash)
    return sign_ins.begin(locked, origin)


def _change_password(player: Player, new_hash: str, origin: Origin) -> Opened:
    changed = players.set_password(player.id, new_hash, origin, expected_hash=player.password_hash)
    return sign_ins.begin(changed, origin)


def _fault(player: Standing, holder: Standing, claims: Claims) -> Refused | None:
    """Why a token does not hold, whose player and holder stand so; None: it does."""
    if player.disabled or holder.disabled:
        return _disabled()
    if claims.epoch != holder.epoch or claims.sign_in_id not in holder.sign_ins:
        return _ended()
    if claims.operator_id and not _may_look_through(holder, player):
        return not_signed_in("you may no longer look through this player's eyes; sign in as yourself")
    return None


def _may_look_through(operator: Standing, player: Standing) -> bool:
    """Whether an operator may look through a player's eyes: nobody gets more permissions by that."""
    able = Permission.IMPERSONATE in operator.permissions and not operator.frozen
    return able and player.permissions <= operator.permissions


def _caller(player: Standing, holder: Standing, claims: Claims) -> Caller:
    return Caller(
        claims.player_id,
        player.name,
        player.permissions,
        sign_in_id=claims.sign_in_id,
        frozen=player.frozen,
        operator_id=claims.operator_id,
        operator=holder.name if claims.operator_id else "",
    )


def _ended() -> Refused:
    return not_signed_in("this sign-in has ended; sign in again")


def _bad_credentials() -> Refused:
    return Refused("BAD_CREDENTIALS", "the name or the password is wrong")


def _disabled() -> Refused:
    return Refused("PLAYER_DISABLED", "this player is disabled; ask the operators")
