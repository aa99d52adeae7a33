"""The game's settings: one table of what can be set, its unit, its bounds and its default."""

from bearpit_server.rules.parameters import Parameter, by_key
from bearpit_server.rules.refusals import not_found

_RATE = 1_000_000
"""The highest rate that can be set."""

_ALL = (
    Parameter("registration_open", True, "whether anybody may register"),
    Parameter("starting_cash_cents", 1_000_000, "what a new player begins with, in cents"),
    Parameter("fee_bps", 10, "trading fee of new instruments, for each side, in basis points", 0, 1_000),
    Parameter("protection_bps", 1_000, "how far a market order may go, in basis points", 1, 10_000),
    Parameter("max_open_orders", 500, "open orders a player may have; 0: any number"),
    Parameter("max_order_value_cents", 0, "the most one order may be worth, in cents; 0: any"),
    Parameter("max_day_orders", 0, "orders a player may place in a day; 0: any number"),
    Parameter("max_day_value_cents", 0, "what a player's orders of a day may be worth, in cents; 0: any"),
    Parameter("transfer_fee_bps", 0, "the sender's fee on a transfer, in basis points", 0, 10_000),
    Parameter("transfer_minimum_cents", 1, "the smallest transfer, in cents", 1),
    Parameter("transfer_day_cents", 0, "the most a player may send in a day, in cents; 0: any"),
    Parameter("credit_line_cents", 0, "how far a new player's buying may go beyond the cash, in cents"),
    Parameter("debt_interest_bps", 100, "interest on debts for each period, in basis points", 0, 10_000),
    Parameter("debt_interest_minutes", 0, "minutes in a period of interest; 0: there is none", 0, 525_600),
    Parameter("comeback_cents", 200_000, "a loan for who is broke, in cents; 0: there is none"),
    Parameter("comeback_below_cents", 50_000, "who is worth less is broke, in cents"),
    Parameter("comeback_most", 2, "loans for who is broke that a player may take", 0, 1_000),
    Parameter("duel_minimum_cents", 100, "the least stake of a duel, in cents", 1),
    Parameter("duel_maximum_cents", 1_000_000, "the highest stake of a duel, in cents", 1),
    Parameter("duel_accept_seconds", 300, "seconds in which a challenge may be accepted", 1, 86_400),
    Parameter("duel_move_seconds", 60, "seconds for each commitment, reveal or move in a duel", 1, 86_400),
    Parameter("duel_house_bps", 0, "the house's share of what is won in a duel, in basis points", 0, 10_000),
    Parameter(
        "duel_draws",
        "return",
        "what a draw does: give the stakes back, or go on to another round",
        choices=("return", "play_on"),
    ),
    Parameter("duel_max_rounds", 10, "rounds after which a draw that was played on gives back", 1, 100),
    Parameter("duel_max_open", 5, "duels a player may have that are not over", 0, 1_000),
    Parameter(
        "ledger_check_minutes", 10, "minutes from one check of the ledger to the next; 0: off", 0, 1_440
    ),
    Parameter("code_batch_max", 5_000, "codes that may be made at once", 1, 100_000),
    Parameter("code_value_max_cents", 10_000_000, "the most points that one code may bring, in cents", 1),
    Parameter("redeem_guesses_per_minute", 10, "wrong codes a minute a player may try; 0: any", 0, _RATE),
    Parameter(
        "redeem_guesses_per_minute_address", 120, "wrong codes a minute from one address; 0: any", 0, _RATE
    ),
    Parameter("referral_reward_cents", 50_000, "what who brings a newcomer along gets, in cents"),
    Parameter("referral_newcomer_cents", 50_000, "what a newcomer whom somebody brought gets, in cents"),
    Parameter("referral_max", 20, "newcomers that one player is rewarded for"),
    Parameter("referral_days", 7, "days in which a newcomer may say who brought him along", 0, 366),
    Parameter("rate_player_per_second", 100, "calls a second a player may make; 0: any", 0, _RATE),
    Parameter("rate_address_per_second", 2_000, "calls a second from one address; 0: any", 0, _RATE),
    Parameter("rate_sign_in_per_minute", 120, "sign-ins a minute from one address; 0: any", 0, _RATE),
    Parameter("rate_orders_per_second", 200, "orders a second a player may place; 0: any", 0, _RATE),
    Parameter("teams_may_leave", False, "whether players may leave a team, and so join another"),
    Parameter("booth_reward_cents", 100_000, "what a visit to a booth is worth, in cents", 1),
    Parameter("booth_visits_per_minute", 120, "visits a minute a booth may count; 0: any", 0, _RATE),
    Parameter("arcade_play_take_cents", 10_000, "the most one play may cost, in cents"),
    Parameter("arcade_play_give_cents", 100_000, "the most one score may bring, in cents"),
    Parameter(
        "arcade_player_day_take_cents", 200_000, "the most a player may pay a machine in a day, in cents"
    ),
    Parameter(
        "arcade_player_day_give_cents", 500_000, "the most a machine may give a player in a day, in cents"
    ),
    Parameter("arcade_day_take_cents", 100_000_000, "the most a machine may take in a day, in cents"),
    Parameter("arcade_day_give_cents", 100_000_000, "the most a machine may give in a day, in cents"),
    Parameter("listener_interval_ms", 500, "how often the event log is looked at for listeners", 50, 60_000),
    Parameter("listener_retry_ms", 500, "pause before a listener that failed is told again; it doubles", 10),
    Parameter("listener_attempts", 5, "attempts before a listener goes on without an event", 1, 100),
    Parameter("listener_replay_events", 10_000, "how many events a replay may go back", 1, 1_000_000),
    Parameter("notifications_kept", 1_000, "notifications kept for each player", 1, 1_000_000),
    Parameter("channels_most", 5, "channels a player may have", 0, 1_000),
    Parameter("channels_day_most", 20, "channels a player may add in a day", 0, 1_000),
    Parameter("channel_test_seconds", 10, "seconds from one test of a channel to the next", 0, 86_400),
    Parameter("channel_timeout_ms", 5_000, "how long one delivery to a channel may take", 10, 30_000),
    Parameter("channel_attempts", 6, "attempts before a delivery is given up", 1, 100),
    Parameter(
        "channel_pause_seconds", 10, "pause after a first failed attempt; it grows fourfold", 1, 86_400
    ),
    Parameter("channel_give_ups", 20, "deliveries given up in a row that break a channel", 1, 100_000),
    Parameter("channel_keep_days", 7, "days that deliveries are kept after they arrived", 0, 3_660),
    Parameter("channel_concurrency", 32, "deliveries at once, for each server", 2, 1_000),
    Parameter(
        "webhook_private_addresses", False, "whether webhooks may use http and lead into private networks"
    ),
    Parameter(
        "ranks_seconds",
        30,
        "seconds from one count of the ranks to the next; 0: only when an operator asks",
        0,
        604_800,
    ),
    Parameter(
        "ranks_change_minutes", 60, "the change of rank is since the last full so many minutes", 1, 10_080
    ),
    Parameter("ranks_capital_cents", 100_000, "what a return is counted over at least, in cents", 1),
    Parameter("mark_trades", 50, "latest trades of a book that its mark is counted from", 1, 1_000),
    Parameter("mark_pairs", 5, "different pairs of players whose trades make a mark", 1, 1_000),
    Parameter("mark_seconds", 900, "how old trades that make a mark may be, in seconds", 1, 31_536_000),
)
SETTINGS = by_key(_ALL)


def find(key: str) -> Parameter:
    """The setting of that key. Raises Refused NOT_FOUND."""
    if key not in SETTINGS:
        raise not_found("setting", key)
    return SETTINGS[key]
