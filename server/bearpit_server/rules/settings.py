"""The game's settings: one table of what can be set, its unit, its bounds and its default."""

from dataclasses import dataclass

from bearpit_server.rules.refusals import invalid, not_found
from bearpit_server.rules.units import MAX_AMOUNT_CENTS


@dataclass(frozen=True, slots=True)
class Setting:
    """A whole number, or a switch when its default is a bool."""

    key: str
    default: int | bool
    description: str
    lowest: int = 0
    highest: int = MAX_AMOUNT_CENTS

    def parse(self, text: str) -> int | bool:
        """The value that `text` means. Raises Refused INVALID_FIELD."""
        if isinstance(self.default, bool):
            if text not in ("true", "false"):
                raise invalid(self.key, "give true or false")
            return text == "true"
        try:
            value = int(text)
        except ValueError:
            raise invalid(self.key, "give a whole number") from None
        if not self.lowest <= value <= self.highest:
            raise invalid(self.key, f"give a number from {self.lowest} to {self.highest}")
        return value


def as_text(value: int | bool) -> str:
    """How a value is written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


_RATE = 1_000_000
"""The highest rate that can be set."""

_ALL = (
    Setting("registration_open", True, "whether anybody may register"),
    Setting("starting_cash_cents", 1_000_000, "what a new player begins with, in cents"),
    Setting("fee_bps", 10, "trading fee of new instruments, for each side, in basis points", 0, 1_000),
    Setting("protection_bps", 1_000, "how far a market order may go, in basis points", 1, 10_000),
    Setting("max_open_orders", 500, "open orders a player may have; 0: any number"),
    Setting("max_order_value_cents", 0, "the most one order may be worth, in cents; 0: any"),
    Setting("max_day_orders", 0, "orders a player may place in a day; 0: any number"),
    Setting("max_day_value_cents", 0, "what a player's orders of a day may be worth, in cents; 0: any"),
    Setting("transfer_fee_bps", 0, "the sender's fee on a transfer, in basis points", 0, 10_000),
    Setting("transfer_minimum_cents", 1, "the smallest transfer, in cents", 1),
    Setting("ledger_check_minutes", 10, "minutes from one check of the ledger to the next; 0: off", 0, 1_440),
    Setting("rate_player_per_second", 100, "calls a second a player may make; 0: any", 0, _RATE),
    Setting("rate_address_per_second", 2_000, "calls a second from one address; 0: any", 0, _RATE),
    Setting("rate_sign_in_per_minute", 120, "sign-ins a minute from one address; 0: any", 0, _RATE),
    Setting("rate_orders_per_second", 200, "orders a second a player may place; 0: any", 0, _RATE),
)
SETTINGS: dict[str, Setting] = {setting.key: setting for setting in _ALL}


def find(key: str) -> Setting:
    """The setting of that key. Raises Refused NOT_FOUND."""
    if key not in SETTINGS:
        raise not_found("setting", key)
    return SETTINGS[key]
