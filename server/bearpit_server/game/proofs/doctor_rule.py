"""What a rule of the doctor's is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence that must be true, and a query: a row for each thing checked, (whether broken, what)."""

    sentence: str
    sql: str


def narrowed(rule: Rule, *tables: str) -> Rule:
    """A rule of fewer rows: named like the tables, they take their place in its query."""
    return Rule(rule.sentence, f"WITH {', '.join(tables)} SELECT * FROM ({rule.sql}) AS r")
