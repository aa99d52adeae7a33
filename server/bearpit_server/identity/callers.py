"""Who calls: known once the interceptor has checked the token, and read by the services."""

from contextvars import ContextVar

from bearpit_server.events.log import Origin
from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.roles import Permission


@record
class Caller:
    """A person or a service whose token has been checked.

    `player_id` is 0 for a service, which has `scopes` in place of permissions; `sign_in_id` tells the
    caller's sign-ins apart, 0 for a service. An operator who looks through a player's eyes is that player
    to the services, with the player's permissions; `operator_id` and the sign-in are the operator's.
    """

    player_id: int
    name: str
    permissions: frozenset[Permission] = frozenset()
    scopes: frozenset[str] = frozenset()
    sign_in_id: int = 0
    frozen: bool = False
    """Whether all that is left is to look."""
    operator_id: int = 0
    operator: str = ""
    """The operator's name; empty: the player itself calls."""

    @property
    def is_service(self) -> bool:
        """Whether no person calls."""
        return not self.player_id

    @property
    def actor_id(self) -> int:
        """Who answers for what the call does, in the event log."""
        return self.operator_id or self.player_id

    def may(self, permission: Permission) -> bool:
        """Whether the caller is allowed something, now."""
        return permission in self.permissions and (permission is Permission.LOOK or not self.frozen)


@record
class Call:
    """One call under way: its path, where it came from, and who made it; None: nobody had to say."""

    method: str
    address: str
    caller: Caller | None


_current: ContextVar[Call] = ContextVar("call")
enter = _current.set
"""Called by the interceptor, in the task of the call."""
current_call = _current.get
"""The call that this task serves. Threads of an executor do not see it: hand them what they need."""


def signed_in() -> Caller:
    """Who makes the current call. Raises Refused NOT_SIGNED_IN."""
    caller = _current.get().caller
    if caller is None:
        raise not_signed_in()
    return caller


def origin(request_id: str = "") -> Origin:
    """Where the current call comes from, for the event log."""
    call = _current.get()
    return Origin(call.caller.actor_id if call.caller else 0, call.address, request_id)


def not_signed_in(message: str = "sign in first") -> Refused:
    """The refusal of a call without a token that holds."""
    return Refused("NOT_SIGNED_IN", message)
