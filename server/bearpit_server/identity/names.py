"""What a name and a password may look like."""

import re

from bearpit_server.rules.refusals import invalid

MAX_PASSWORD = 256
MIN_PASSWORD = 8
_NAME = re.compile(r"[A-Za-z0-9_.-]{3,24}")


def is_name(text: str) -> bool:
    """Whether somebody could be called so."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str, field: str = "name") -> str:
    """The name, if it may be one. Raises Refused INVALID_FIELD."""
    if not is_name(name):
        raise invalid(field, "give 3 to 24 of letters, digits, `_`, `-` and `.`")
    return name


def check_password(password: str, field: str = "password") -> str:
    """The password, if it may be one. Raises Refused INVALID_FIELD."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise invalid(field, f"give {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return password
