"""Debts are found by an index that names no balance: with it no change of any account was heap-only.

A game that was made between two versions has it already: 0003 made it for a while.
"""

from typing import Any

SCHEMA = """
DROP INDEX IF EXISTS accounts_that_owe;
CREATE INDEX IF NOT EXISTS debts ON accounts (id) WHERE kind = 'debt';
"""


def up(migrator: Any, db: Any) -> None:
    """Replace it."""
    db.execute_sql(SCHEMA)
