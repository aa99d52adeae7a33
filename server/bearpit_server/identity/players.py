"""Players in the database. Every function runs inside the caller's transaction and logs what it changes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import peewee as pw

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.identity import sign_ins
from bearpit_server.identity.callers import Caller
from bearpit_server.identity.names import check_name, is_name
from bearpit_server.ledger import accounts
from bearpit_server.ledger.journal import Journal
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.rules.roles import ADMIN, ROLES, Permission, lacking, permissions_of
from bearpit_server.storage.clock import now
from bearpit_server.storage.models import CASH, HOUSE, Account, Player


def create_player(
    name: str,
    password_hash: str,
    roles: Iterable[str],
    cash_cents: int,
    origin: Origin,
    credit_cents: int = 0,
) -> Player:
    """Make a player with its starting cash and its credit line.

    `origin` with actor 0 means that the player made itself, or that the house did. Raises Refused
    INVALID_FIELD for a name that cannot be, ALREADY_EXISTS for one that is taken.
    """
    given = sorted(set(roles))
    assert given and ROLES.keys() >= set(given), "roles are of the table"
    check_name(name)
    made = (
        Player.insert(
            name=name, password_hash=password_hash, roles=given, credit_cents=credit_cents, created_at=now()
        )
        .on_conflict_ignore()
        .returning(Player)
        .execute()
    )
    player: Player | None = next(iter(made), None)
    if player is None:
        raise Refused("ALREADY_EXISTS", f"the name {name} is taken; choose another", "name", name=name)
    log.append(
        [
            Event(
                "player.created",
                f"player:{player.id}",
                origin,
                {"name": name, "roles": given, "cash_cents": cash_cents},
            )
        ]
    )
    _open_account(player.id, cash_cents, origin)
    return player


def find(name: str) -> Player | None:
    """The player of that name, without regard to case; never the house."""
    if not is_name(name):
        return None
    lower = pw.fn.lower(Player.name)
    row: Player | None = Player.get_or_none((lower == name.lower()) & (Player.id != HOUSE))
    return row


def get(name: str) -> Player:
    """The player of that name. Raises Refused NOT_FOUND."""
    player = find(name)
    if player is None:
        raise not_found("player", name)
    return player


def by_id(player_id: int) -> Player:
    """The player of that id; players are never deleted."""
    row: Player = Player.get_by_id(player_id)
    return row


def set_disabled(player: Player, disabled: bool, origin: Origin) -> Player:
    """Disable or enable a player; one that is disabled is signed out everywhere.

    Afterwards: `Authority.forget`, and cancel its orders. Raises Refused LAST_ADMIN.
    """
    if bool(player.disabled) == disabled:
        return player
    if disabled:
        _keep_an_admin_beside(player.id)
    change = {Player.disabled: disabled}
    if disabled:
        change[Player.token_epoch] = Player.token_epoch + 1
    player = _update(player.id, change)
    if disabled:
        sign_ins.end_all(player.id, origin)
    kind = "player.disabled" if disabled else "player.enabled"
    log.append([Event(kind, f"player:{player.id}", origin)])
    return player


def set_frozen(player: Player, frozen: bool, reason: str, origin: Origin) -> Player:
    """Freeze a player, who then can look and do nothing, or let him play again.

    Afterwards: `Authority.forget`, and cancel its orders. Raises Refused LAST_ADMIN.
    """
    if bool(player.frozen) == frozen:
        return player
    if frozen:
        _keep_an_admin_beside(player.id)
    player = _update(player.id, {Player.frozen: frozen})
    kind = "player.frozen" if frozen else "player.unfrozen"
    log.append([Event(kind, f"player:{player.id}", origin, {"player_id": player.id, "reason": reason})])
    return player


@dataclass(frozen=True, slots=True)
class RolesChanged:
    """What a change of roles did, in the order of the table."""

    player: Player
    gained: list[Permission]
    lost: list[Permission]


def set_roles(
    name: str, roles: Collection[str], expected: Collection[str], caller: Caller, origin: Origin
) -> RolesChanged:
    """Say what a player is from now on; `expected`, if any, is what it must be until now.

    Nobody grants what he has not got himself. Afterwards: `Authority.forget`. Raises Refused NOT_FOUND,
    NOT_ALLOWED, NOT_POSSIBLE_NOW or LAST_ADMIN.
    """
    wanted = sorted(set(roles))
    assert wanted and ROLES.keys() >= set(wanted), "roles are of the table"
    player = get(name)
    if ADMIN not in wanted:
        _keep_an_admin_beside(player.id)
    player = Player.select().where(Player.id == player.id).for_update("FOR NO KEY UPDATE").get()
    if expected and set(expected) != set(player.roles):
        has = ", ".join(player.roles)
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"player {player.name} is {has} by now; look at it, and say again what it shall be",
            "expected_roles",
            state=has,
        )
    before, after = permissions_of(player.roles), permissions_of(wanted)
    lacking(after - before, caller.permissions, "granting this")
    if wanted == sorted(player.roles):
        return RolesChanged(player, [], [])
    change = RolesChanged(
        _update(player.id, {Player.roles: wanted}),
        [permission for permission in Permission if permission in after - before],
        [permission for permission in Permission if permission in before - after],
    )
    payload = {
        "before": list(player.roles), "roles": wanted, "gained": change.gained, "lost": change.lost,
    }  # fmt: skip
    log.append([Event("player.roles_changed", f"player:{player.id}", origin, payload)])
    return change


def _keep_an_admin_beside(player_id: int) -> None:
    """Raises Refused LAST_ADMIN for the last one who can run the game.

    All of them are locked: of two admins who take each other's role away at once, the second is refused.
    """
    able = (Player.id == player_id) | (Player.roles.contains(ADMIN) & ~Player.disabled & ~Player.frozen)
    rows = list(Player.select().where(able).order_by(Player.id).for_update("FOR NO KEY UPDATE"))
    admins = [row for row in rows if ADMIN in row.roles and not row.disabled and not row.frozen]
    if [row.id for row in admins] == [player_id]:
        raise Refused(
            "LAST_ADMIN",
            f"the last admin is {admins[0].name}, and without one nobody runs the game; make another first",
            "name",
        )


def set_password(
    player_id: int, password_hash: str, origin: Origin, expected_hash: str | None = None
) -> Player:
    """Set a password and sign the player out everywhere. Afterwards: `Authority.forget`.

    Raises Refused BAD_CREDENTIALS when the password is no longer the expected one.
    """
    where = Player.id == player_id
    if expected_hash is not None:
        where &= Player.password_hash == expected_hash
    change = {Player.password_hash: password_hash, Player.token_epoch: Player.token_epoch + 1}
    player = _update(player_id, change, where)
    sign_ins.end_all(player_id, origin)
    log.append([Event("player.password_changed", f"player:{player_id}", origin)])
    return player


def keep_hash(player_id: int, old_hash: str, new_hash: str) -> None:
    """Put the hash of the same password with today's parameters in the old one's place."""
    Player.update(password_hash=new_hash).where(
        Player.id == player_id, Player.password_hash == old_hash
    ).execute()


def sign_out_everywhere(player_id: int, origin: Origin) -> None:
    """Void every sign-in and access token of a player. Afterwards: `Authority.forget`."""
    _update(player_id, {Player.token_epoch: Player.token_epoch + 1})
    sign_ins.end_all(player_id, origin)


def _update(player_id: int, change: Mapping[pw.Field, object], where: pw.Expression | None = None) -> Player:
    condition = Player.id == player_id if where is None else where
    changed = Player.update(change).where(condition).returning(Player).execute()
    player: Player | None = next(iter(changed), None)
    if player is None:
        raise Refused("BAD_CREDENTIALS", "the password has just been changed; sign in again")
    return player


def _open_account(player_id: int, cash_cents: int, origin: Origin) -> None:
    """Open the player's cash account, and let the house put in what it starts with."""
    account = accounts.open_account(player_id, CASH)
    if not cash_cents:
        return
    issuer = Account.get((Account.owner == HOUSE) & (Account.asset == CASH) & (Account.kind == "issuer"))
    journal = Journal(now())
    journal.lock([account, int(issuer.id)])
    journal.post(int(issuer.id), account, cash_cents, "grant", f"player:{player_id}", origin)
    journal.write()
