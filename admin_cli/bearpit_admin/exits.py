"""How a command ends: the exit codes, and the one table from gRPC's codes to ours."""

from enum import IntEnum


class Exit(IntEnum):
    """What a script may rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    """The command line is wrong, or a value in it."""
    CONFLICT = 3
    """There is no such thing, there is one already, or it is not in a state for this."""
    NOT_ALLOWED = 4
    """Not signed in, or without the permission it takes."""
    UNREACHABLE = 5
    """No server answered."""


OF_CODE: dict[str, Exit] = {
    "INVALID_ARGUMENT": Exit.USAGE,
    "OUT_OF_RANGE": Exit.USAGE,
    "NOT_FOUND": Exit.CONFLICT,
    "ALREADY_EXISTS": Exit.CONFLICT,
    "FAILED_PRECONDITION": Exit.CONFLICT,
    "ABORTED": Exit.CONFLICT,
    "UNAUTHENTICATED": Exit.NOT_ALLOWED,
    "PERMISSION_DENIED": Exit.NOT_ALLOWED,
    "UNAVAILABLE": Exit.UNREACHABLE,
    "DEADLINE_EXCEEDED": Exit.UNREACHABLE,
}
"""By the name of the gRPC code; what is not here is FAILED."""

HINTS: dict[str, str] = {
    "NOT_SIGNED_IN": "sign in with `bearpit-admin login`",
    "TOKEN_REUSED": "sign in again with `bearpit-admin login`",
    "PLAYER_DISABLED": "another operator can run `bearpit-admin player enable NAME`",
    "NOT_ALLOWED": "see who may with `bearpit-admin role list`, and who you are with `context list`",
    "NOT_WHILE_IMPERSONATING": "unset BEARPIT_TOKEN, and sign in as yourself",
    "LAST_ADMIN": "`bearpit-admin role grant NAME admin` makes another one",
    "INTERNAL": "the server's log has more under that number",
    "SHORTAGE": "see with --policy debt --dry-run who is short of what; then choose that, or --policy house",
    "ALREADY_REVERSED": "see what was with `bearpit-admin rollback list`",
    "SECOND_OPERATOR_NEEDED": "ask another operator for `bearpit-admin approve ID`",
}
"""What to do next, by the server's reason, where its own message does not say."""

FOUND_BY: dict[str, str] = {
    "player": "player list --search TEXT",
    "team": "team list",
    "booth": "booth list",
    "batch of codes": "code list",
    "arcade machine": "arcade list",
    "transaction": "arcade transactions",
    "announcement": "announce list",
    "duel": "duel list",
    "badge": "badge list",
    "final rank of window": "rank periods",
    "final rank of the day": "rank periods",
    "dead letter": "channel dead",
    "listener": "listener list",
    "service token": "token list",
    "setting": "settings list",
    "instrument": "instruments list",
    "mechanism": "mechanism list",
    "group": "mechanism groups",
    "group of the mechanism attention": "mechanism groups",
    "recording": "mechanism recordings",
    "algorithm": "settle algorithms",
    "window": "window list",
    "rollback": "rollback list",
    "headline": "news list",
    "order": "orders list",
    "trade": "trades list",
}
"""The command that lists things of a kind, by the kind that the server says there is none of."""

IN_POINTS: dict[str, str] = {
    "INSUFFICIENT_FUNDS": "This needs {needed_cents} points and {free_cents} are free.",
    "OFF_TICK": "The price is no multiple of the tick, {tick_cents}.",
}
"""What the server says in cents, by its reason, with the numbers of its metadata."""


class Failure(Exception):
    """A command that cannot go on: why, how it ends, and what to do next."""

    def __init__(self, message: str, exit_code: Exit = Exit.FAILED, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.hint = hint
