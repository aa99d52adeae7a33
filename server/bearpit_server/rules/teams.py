"""What a team may look like, and the codes by which players join one."""

from collections.abc import Callable

from bearpit_server.rules.refusals import Refused, invalid

MAX_NAME = 40
MAX_PLAYERS = 1_000_000
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without 0 and O, 1 and I: codes are read off a board and typed."""
CODE = 8
"""Letters of a code: 40 bits of chance, for ever too many to guess a few a minute."""


def check_name(name: str, field: str = "name") -> str:
    """The name, if it may be a team's. Raises Refused INVALID_FIELD."""
    if not 1 <= len(name) <= MAX_NAME:
        raise invalid(field, f"give 1 to {MAX_NAME} characters")
    if not name.isprintable() or name != name.strip():
        raise invalid(field, "give one line of printable characters, without spaces around them")
    return name


def check_size(max_players: int, members: int = 0) -> int | None:
    """How many a team of so many members may take; None: any number. Raises Refused INVALID_FIELD."""
    if not 0 <= max_players <= MAX_PLAYERS:
        raise invalid("max_players", f"give a number from 1 to {MAX_PLAYERS}, or 0 for any number")
    if max_players and max_players < members:
        raise invalid("max_players", f"{members} are in it; give {members} or more, or take some out first")
    return max_players or None


def make_code(below: Callable[[int], int]) -> str:
    """A new code; `below(n)` gives a number of 0 to n - 1 that nobody can foretell."""
    return "".join(ALPHABET[below(len(ALPHABET))] for _ in range(CODE))


def bare(text: str) -> str:
    """A code as it is kept, from what somebody typed. Raises Refused INVALID_FIELD when it cannot be one."""
    code = text.replace("-", "").replace(" ", "").upper()
    if len(code) != CODE or not all(letter in ALPHABET for letter in code):
        raise invalid("code", f"a team's code has {CODE} letters and digits, such as K7MQ-3XPA")
    return code


def shown(code: str) -> str:
    """A code as people read it: in two halves."""
    return f"{code[: CODE // 2]}-{code[CODE // 2 :]}"


def full(name: str, max_players: int) -> Refused:
    """The refusal of one too many."""
    return Refused(
        "TEAM_FULL",
        f"team {name} takes {max_players} players and has them; choose another, or ask an operator",
        allowed=max_players,
    )
