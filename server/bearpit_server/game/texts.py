"""What people write to each other: one line, nothing a terminal would obey."""

from bearpit_server.rules.refusals import invalid

NOTE = 140
"""Characters of a note to a transfer, or of the reason of an adjustment."""


def line(field: str, text: str, lowest: int, highest: int) -> str:
    """The text, if it is one line of so many printable characters. Raises Refused INVALID_FIELD.

    Printable leaves out control characters, which terminals obey and `storage.bulk` separates by, and
    marks that turn the direction of what follows.
    """
    if not lowest <= len(text) <= highest:
        bounds = f"{lowest} to {highest}" if lowest else f"at most {highest}"
        raise invalid(field, f"give {bounds} characters")
    if not text.isprintable() or (lowest and not text.strip()):
        raise invalid(field, "give one line of printable characters")
    return text
