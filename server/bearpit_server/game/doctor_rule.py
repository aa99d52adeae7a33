"""What a rule of the doctor's is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence that must be true, and a query: a row for each thing checked, (whether broken, what)."""

    sentence: str
    sql: str
