"""Looking through a player's eyes: for a quarter of an hour, and on the record. Inside a transaction.

The token is the operator's: it ends with the operator's sign-in. What the services do for it they do for the
player; what is logged has the operator as its actor.
"""

from bearpit_server.events import log
from bearpit_server.events.log import Event, Origin
from bearpit_server.identity import players
from bearpit_server.identity.callers import Call, Caller
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.roles import lacking, permissions_of
from bearpit_server.storage.models import Player


def begin(name: str, operator: Caller, reason: str, origin: Origin) -> tuple[Player, Player]:
    """Log that an operator begins; returns the player and the operator.

    Raises Refused NOT_FOUND, INVALID_FIELD for oneself, NOT_ALLOWED for a player who may do what the
    operator may not, NOT_POSSIBLE_NOW for one who is disabled.
    """
    player = players.get(name)
    if player.id == operator.player_id:
        raise invalid("name", "these are your own eyes already; name another player")
    lacking(permissions_of(player.roles), operator.permissions, f"looking through the eyes of {player.name}")
    if player.disabled:
        raise Refused(
            "NOT_POSSIBLE_NOW",
            f"player {player.name} is disabled, and disabled players see nothing; read the events instead",
            "name",
            state="disabled",
        )
    log.append([_event("impersonation.begun", player.id, operator.name, origin, reason=reason)])
    return player, players.by_id(operator.player_id)


def witness(call: Call) -> None:
    """Log a call that is made through a player's eyes."""
    assert call.caller is not None
    caller = call.caller
    origin = Origin(caller.actor_id, call.address)
    log.append([_event("impersonation.called", caller.player_id, caller.operator, origin, call=call.method)])


def _event(kind: str, player_id: int, operator: str, origin: Origin, **payload: str) -> Event:
    return Event(kind, f"player:{player_id}", origin, {"operator": operator, **payload})
