"""What is kept of loans, beside the ledger's accounts of debts."""

import peewee as pw
from playhouse.postgres_ext import DateTimeTZField

from bearpit_server.storage.models.base import Row


class InterestRun(Row):
    """The charging of one period's interest, account by account in the order of ids."""

    period = pw.BigIntegerField(primary_key=True)
    rate_bps = pw.BigIntegerField()
    after_account = pw.BigIntegerField(default=0)  # debts up to this one have been charged
    began_at = DateTimeTZField()
    done_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "interest_runs"


class ComebackLoan(Row):
    """A loan that let a player who was broke begin again; the first has number 1."""

    player_id = pw.BigIntegerField()
    number = pw.BigIntegerField()
    amount_cents = pw.BigIntegerField()
    created_at = DateTimeTZField()

    class Meta:
        table_name = "comeback_loans"
        primary_key = pw.CompositeKey("player_id", "number")
