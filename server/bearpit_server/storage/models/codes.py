"""The tables of codes and referrals."""

import peewee as pw
from playhouse.postgres_ext import DateTimeTZField

from bearpit_server.storage.models.base import Row


class CodeBatch(Row):
    """Codes that were made together, and what each of them brings.

    `kind` and `use` have the numbers of rules.codes; `max_uses` 0: by any number of players.
    """

    id = pw.BigAutoField()
    kind = pw.SmallIntegerField()
    value_cents = pw.BigIntegerField(default=0)  # points
    off_bps = pw.BigIntegerField(default=0)  # fee coupons, with:
    lifetime_seconds = pw.BigIntegerField(default=0)
    instrument_id = pw.BigIntegerField(null=True)  # shares, with:
    quantity = pw.BigIntegerField(default=0)
    use = pw.SmallIntegerField()
    max_uses = pw.BigIntegerField()
    code_count = pw.BigIntegerField()
    expires_at = DateTimeTZField(null=True)
    reason = pw.TextField()
    created_by = pw.BigIntegerField()
    created_at = DateTimeTZField()
    withdrawn_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "code_batches"


class Code(Row):
    """One code: its 13 symbols, without hyphens. `max_uses` is its batch's; a foreign key sees to that."""

    id = pw.BigAutoField()
    batch = pw.ForeignKeyField(CodeBatch, column_name="batch_id")
    max_uses = pw.BigIntegerField()
    text = pw.TextField()
    uses = pw.BigIntegerField(default=0)

    class Meta:
        table_name = "codes"


class Redemption(Row):
    """A code that a player has redeemed. What it brought stands in its batch, which never changes."""

    id = pw.BigAutoField()
    code = pw.ForeignKeyField(Code, column_name="code_id")
    player_id = pw.BigIntegerField()
    redeemed_at = DateTimeTZField()

    class Meta:
        table_name = "redemptions"


class CodeGuesser(Row):
    """Somebody who has tried wrong codes: when that was last logged, and how many there were since."""

    player_id = pw.BigIntegerField(primary_key=True)
    address = pw.TextField()
    pending = pw.BigIntegerField()
    logged_at = DateTimeTZField()

    class Meta:
        table_name = "code_guessers"


class ReferralCode(Row):
    """A player's own code, which brings nothing to who redeems it but a word on who sent him."""

    player_id = pw.BigIntegerField(primary_key=True)
    text = pw.TextField()

    class Meta:
        table_name = "referral_codes"


class Referral(Row):
    """Who brought a newcomer along, and what both got for it once the newcomer had traded."""

    newcomer_id = pw.BigIntegerField(primary_key=True)
    referrer_id = pw.BigIntegerField()
    created_at = DateTimeTZField()
    rewarded_at = DateTimeTZField(null=True)
    referrer_cents = pw.BigIntegerField(default=0)
    newcomer_cents = pw.BigIntegerField(default=0)

    class Meta:
        table_name = "referrals"
