"""What every table has in common, and the numbers that code knows some rows by."""

import peewee as pw

database = pw.DatabaseProxy()
"""Bound once at start; every thread gets a connection of its own."""

HOUSE = 0
"""The player that owns the house's accounts; nobody can sign in as it."""
CASH = 0
"""The asset that is money; every other asset's id is an instrument's."""


class Row(pw.Model):
    """A table of ours."""

    class Meta:
        database = database
        legacy_table_names = False
