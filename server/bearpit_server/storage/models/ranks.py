"""The tables of ranks and badges. Of places and pages there are two halves: one holds, one is filled anew."""

import peewee as pw
from playhouse.postgres_ext import ArrayField, DateTimeTZField

from bearpit_server.storage.models.base import Row


class RankEdition(Row):
    """A moment whose ranks were counted; the latest holds, in the half that its number is even or odd by.

    `day` and `window_id` say what the boards of that name are of. `posting_id` and `next_xid` are the last
    posting and the next transaction of its moment; all postings up to `settled_id` were committed by then.
    """

    id = pw.BigIntegerField(primary_key=True)
    at = DateTimeTZField()
    posting_id = pw.BigIntegerField()
    next_xid = pw.BigIntegerField()
    settled_id = pw.BigIntegerField()
    day = pw.DateField()
    window_id = pw.BigIntegerField(null=True)
    closes_day = pw.BooleanField()
    closes_window = pw.BooleanField()
    players = pw.BigIntegerField()

    class Meta:
        table_name = "rank_editions"


class RankSeen(Row):
    """A posting from outside that was counted, and is not among those that were surely seen by all."""

    posting_id = pw.BigIntegerField(primary_key=True)

    class Meta:
        table_name = "rank_seen"


class RankPlaces0(Row):
    """What a player is ranked by, and what the next edition must remember. See rules.ranking for `level`.

    `received_cents` came in from outside in all.
    `..._start_cents` is what had been gained when the day or the window began. `held`: shares, ever.
    """

    player_id = pw.BigIntegerField(primary_key=True)
    worth_cents = pw.BigIntegerField()
    realised_cents = pw.BigIntegerField()
    received_cents = pw.BigIntegerField()
    level = pw.BigIntegerField()
    peak = pw.BigIntegerField()
    drawdown_bps = pw.BigIntegerField()
    day_start_cents = pw.BigIntegerField()
    window_start_cents = pw.BigIntegerField()
    held = pw.BooleanField()
    ranked = pw.BooleanField()

    class Meta:
        table_name = "rank_places_0"


class RankPlaces1(Row):
    """The other half."""

    player_id = pw.BigIntegerField(primary_key=True)
    worth_cents = pw.BigIntegerField()
    realised_cents = pw.BigIntegerField()
    received_cents = pw.BigIntegerField()
    level = pw.BigIntegerField()
    peak = pw.BigIntegerField()
    drawdown_bps = pw.BigIntegerField()
    day_start_cents = pw.BigIntegerField()
    window_start_cents = pw.BigIntegerField()
    held = pw.BooleanField()
    ranked = pw.BooleanField()

    class Meta:
        table_name = "rank_places_1"


class RankPages0(Row):
    """A hundred players of a board, best first; the first page is 0. `low` is the last of its keys."""

    board = pw.SmallIntegerField()
    page = pw.BigIntegerField()
    low = pw.BigIntegerField()
    keys = ArrayField(pw.BigIntegerField, index=False)
    players = ArrayField(pw.BigIntegerField, index=False)

    class Meta:
        table_name = "rank_pages_0"
        primary_key = pw.CompositeKey("board", "page")


class RankPages1(Row):
    """The other half."""

    board = pw.SmallIntegerField()
    page = pw.BigIntegerField()
    low = pw.BigIntegerField()
    keys = ArrayField(pw.BigIntegerField, index=False)
    players = ArrayField(pw.BigIntegerField, index=False)

    class Meta:
        table_name = "rank_pages_1"
        primary_key = pw.CompositeKey("board", "page")


class RankTeam(Row):
    """A team's place in an edition."""

    edition_id = pw.BigIntegerField()
    team_id = pw.BigIntegerField()
    position = pw.BigIntegerField()
    rank = pw.BigIntegerField()
    members = pw.BigIntegerField()
    average_cents = pw.BigIntegerField()

    class Meta:
        table_name = "rank_teams"
        primary_key = pw.CompositeKey("edition_id", "team_id")


class RankMark(Row):
    """What a share counted as in an edition; of a pool also its cash and all its shares.

    `most` is how many shares one holding counts at most, so that no sum leaves an int64.
    """

    edition_id = pw.BigIntegerField()
    instrument_id = pw.BigIntegerField()
    mark_cents = pw.BigIntegerField()
    pool_cents = pw.BigIntegerField(null=True)
    pool_shares = pw.BigIntegerField(null=True)
    tick_cents = pw.BigIntegerField()
    most = pw.BigIntegerField()
    source = pw.SmallIntegerField()
    trades = pw.BigIntegerField()
    pairs = pw.BigIntegerField()

    class Meta:
        table_name = "rank_marks"
        primary_key = pw.CompositeKey("edition_id", "instrument_id")


class RankPeriod(Row):
    """A day or a window whose final ranks are kept, or what the change of rank is counted from."""

    id = pw.BigAutoField()
    kind = pw.SmallIntegerField()  # rules.ranking.PeriodKind
    day = pw.DateField(null=True)
    window_id = pw.BigIntegerField(null=True)
    at = DateTimeTZField()
    players = pw.BigIntegerField()

    class Meta:
        table_name = "rank_periods"


class RankResult(Row):
    """What a player was ranked by then: a key for each board, by its number; NULL: not on that board."""

    period_id = pw.BigIntegerField()
    player_id = pw.BigIntegerField()
    keys = ArrayField(pw.BigIntegerField, index=False)

    class Meta:
        table_name = "rank_results"
        primary_key = pw.CompositeKey("period_id", "player_id")


class RankResultPage(Row):
    """A page of a board, as it was then."""

    period_id = pw.BigIntegerField()
    board = pw.SmallIntegerField()
    page = pw.BigIntegerField()
    low = pw.BigIntegerField()
    keys = ArrayField(pw.BigIntegerField, index=False)
    players = ArrayField(pw.BigIntegerField, index=False)

    class Meta:
        table_name = "rank_result_pages"
        primary_key = pw.CompositeKey("period_id", "board", "page")


class RankResultTeam(Row):
    """A team's place then."""

    period_id = pw.BigIntegerField()
    team_id = pw.BigIntegerField()
    position = pw.BigIntegerField()
    rank = pw.BigIntegerField()
    members = pw.BigIntegerField()
    average_cents = pw.BigIntegerField()

    class Meta:
        table_name = "rank_result_teams"
        primary_key = pw.CompositeKey("period_id", "team_id")


class Badge(Row):
    """A badge that a player has, or had: one that was revoked is not earned again by itself."""

    player_id = pw.BigIntegerField()
    badge = pw.TextField()
    at = DateTimeTZField()
    first = pw.BooleanField(default=False)
    revoked_at = DateTimeTZField(null=True)

    class Meta:
        table_name = "badges"
        primary_key = pw.CompositeKey("player_id", "badge")
