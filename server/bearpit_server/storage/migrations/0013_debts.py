"""Debts are found by an index that names no balance: with it no change of any account was heap-only."""

from typing import Any

SCHEMA = """
DROP INDEX accounts_that_owe;
CREATE INDEX debts ON accounts (id) WHERE kind = 'debt';
"""


def up(migrator: Any, db: Any) -> None:
    """Replace it."""
    db.execute_sql(SCHEMA)
