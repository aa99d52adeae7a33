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
    Parameter(
        "ledger_check_minutes", 10, "minutes from one check of the ledger to the next; 0: off", 0, 1_440
    ),
    Parameter("rate_player_per_second", 100, "calls a second a player may make; 0: any", 0, _RATE),
    Parameter("rate_address_per_second", 2_000, "calls a second from one address; 0: any", 0, _RATE),
    Parameter("rate_sign_in_per_minute", 120, "sign-ins a minute from one address; 0: any", 0, _RATE),
    Parameter("rate_orders_per_second", 200, "orders a second a player may place; 0: any", 0, _RATE),
)
SETTINGS = by_key(_ALL)


def find(key: str) -> Parameter:
    """The setting of that key. Raises Refused NOT_FOUND."""
    if key not in SETTINGS:
        raise not_found("setting", key)
    return SETTINGS[key]
