"""Why the server says no: one exception, and the one table of reasons with their canonical codes."""

from enum import IntEnum

from bearpit_server.rules.units import points


class Code(IntEnum):
    """The canonical gRPC codes that we use, by their numbers."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    OUT_OF_RANGE = 11
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


CODES: dict[str, Code] = {
    "INVALID_FIELD": Code.INVALID_ARGUMENT,
    "REQUEST_ID_REUSED": Code.ALREADY_EXISTS,
    "NOT_SIGNED_IN": Code.UNAUTHENTICATED,
    "BAD_CREDENTIALS": Code.UNAUTHENTICATED,
    "TOKEN_REUSED": Code.UNAUTHENTICATED,
    "NOT_ALLOWED": Code.PERMISSION_DENIED,
    "PLAYER_DISABLED": Code.PERMISSION_DENIED,
    "RATE_LIMITED": Code.RESOURCE_EXHAUSTED,
    "NOT_FOUND": Code.NOT_FOUND,
    "ALREADY_EXISTS": Code.ALREADY_EXISTS,
    "INSUFFICIENT_FUNDS": Code.FAILED_PRECONDITION,
    "INSUFFICIENT_SHARES": Code.FAILED_PRECONDITION,
    "MARKET_CLOSED": Code.FAILED_PRECONDITION,
    "NOT_IN_AUCTION": Code.FAILED_PRECONDITION,
    "OFF_TICK": Code.INVALID_ARGUMENT,
    "OFF_LOT": Code.INVALID_ARGUMENT,
    "SIZE_OUT_OF_RANGE": Code.INVALID_ARGUMENT,
    "PRICE_OUT_OF_BAND": Code.FAILED_PRECONDITION,
    "LIMIT_EXCEEDED": Code.FAILED_PRECONDITION,
    "NO_REFERENCE_PRICE": Code.FAILED_PRECONDITION,
    "ORDER_NOT_OPEN": Code.FAILED_PRECONDITION,
    "NOT_TRADABLE": Code.FAILED_PRECONDITION,
    "RESUME_TOO_OLD": Code.OUT_OF_RANGE,
    "SLOW_CONSUMER": Code.RESOURCE_EXHAUSTED,
    "SHARD_ELSEWHERE": Code.UNAVAILABLE,
    "DATABASE_UNAVAILABLE": Code.UNAVAILABLE,
    "NOT_READY": Code.UNAVAILABLE,
    "INTERNAL": Code.INTERNAL,
    "TRANSFER_TO_SELF": Code.INVALID_ARGUMENT,
    "BELOW_MINIMUM": Code.INVALID_ARGUMENT,
    "REGISTRATION_CLOSED": Code.PERMISSION_DENIED,
    "BAD_PAGE_TOKEN": Code.INVALID_ARGUMENT,
    "NO_PRICE": Code.FAILED_PRECONDITION,
    "INVENTORY_LIMIT": Code.FAILED_PRECONDITION,
    "WINDOW_NOT_TRADING": Code.FAILED_PRECONDITION,
    "NOT_POSSIBLE_NOW": Code.FAILED_PRECONDITION,
    "ALREADY_REVERSED": Code.FAILED_PRECONDITION,
    "SHORTAGE": Code.FAILED_PRECONDITION,
    "PRICE_OUT_OF_ORDER": Code.FAILED_PRECONDITION,
    "PRICE_STALE": Code.FAILED_PRECONDITION,
    "PRICE_ABSURD": Code.FAILED_PRECONDITION,
    "IN_DEBT": Code.FAILED_PRECONDITION,
    "PLAYER_FROZEN": Code.PERMISSION_DENIED,
    "NOT_BROKE": Code.FAILED_PRECONDITION,
    "SECOND_OPERATOR_NEEDED": Code.PERMISSION_DENIED,
    "NOT_WHILE_IMPERSONATING": Code.PERMISSION_DENIED,
    "LAST_ADMIN": Code.FAILED_PRECONDITION,
    "DUEL_WITH_SELF": Code.INVALID_ARGUMENT,
    "DUEL_TAKEN": Code.FAILED_PRECONDITION,
    "TOO_LATE": Code.FAILED_PRECONDITION,
    "COMMITMENT_MISMATCH": Code.INVALID_ARGUMENT,
    "NOT_YOUR_DUEL": Code.PERMISSION_DENIED,
    "COMMITMENT_REUSED": Code.ALREADY_EXISTS,
    "CODE_MISTYPED": Code.INVALID_ARGUMENT,
    "CODE_UNKNOWN": Code.NOT_FOUND,
    "CODE_EXPIRED": Code.FAILED_PRECONDITION,
    "CODE_USED_UP": Code.FAILED_PRECONDITION,
    "CODE_ALREADY_REDEEMED": Code.FAILED_PRECONDITION,
    "CODE_WITHDRAWN": Code.FAILED_PRECONDITION,
    "REFERRAL_CLOSED": Code.FAILED_PRECONDITION,
    "TEAM_FULL": Code.FAILED_PRECONDITION,
    "ALREADY_IN_TEAM": Code.FAILED_PRECONDITION,
    "ALREADY_VISITED": Code.FAILED_PRECONDITION,
    "CHANNEL_UNREACHABLE": Code.FAILED_PRECONDITION,
    "CHANNEL_NOT_OFFERED": Code.FAILED_PRECONDITION,
    "CHANNEL_CODE_WRONG": Code.INVALID_ARGUMENT,
    "ADDRESS_NOT_ALLOWED": Code.INVALID_ARGUMENT,
}
"""Every reason of errors.proto, without its prefix, and the code it always comes with."""


class Refused(Exception):
    """A request that is refused and changes nothing.

    `reason` is a key of CODES, `message` tells a person what to do next, `metadata` holds the numbers
    that explain it, and `field` names the request's field at fault, if one is.
    """

    def __init__(self, reason: str, message: str, field: str = "", **metadata: object) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.metadata = {key: str(value) for key, value in metadata.items()}

    @property
    def code(self) -> Code:
        """The canonical code."""
        return CODES[self.reason]


def frozen(field: str = "", who: str = "you are") -> Refused:
    """The refusal of what a frozen player asks for, or of what concerns one."""
    return Refused("PLAYER_FROZEN", f"{who} frozen: looking is all that is left; ask an operator", field)


def in_debt(debt_cents: int, what: str) -> Refused:
    """The refusal of what nobody may do who owes the house."""
    return Refused(
        "IN_DEBT",
        f"you owe the house {points(debt_cents)} points, and {what} until that is repaid; what comes in "
        "repays it",
        debt_cents=debt_cents,
    )


def invalid(field: str, message: str) -> Refused:
    """The refusal of a field that is malformed or out of range."""
    return Refused("INVALID_FIELD", f"{field}: {message}", field)


def not_found(kind: str, name: object) -> Refused:
    """The refusal of a thing that there is not."""
    return Refused("NOT_FOUND", f"there is no {kind} {name}", kind=kind, name=name)
