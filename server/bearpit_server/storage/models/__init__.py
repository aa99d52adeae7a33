"""What is kept, as peewee models. The tables, their constraints and indexes are made by the migrations.

A part of the game that has tables of its own has its models in a file of its own beside these.
"""

from importlib import import_module
from pkgutil import iter_modules

from bearpit_server.storage.models.base import CASH, HOUSE, Row, database
from bearpit_server.storage.models.exchange import (
    Account,
    Bar,
    Candle,
    DayUsage,
    Earmark,
    Event,
    Group,
    Instrument,
    Mark,
    Market,
    News,
    Order,
    Player,
    Posting,
    Recording,
    RefreshToken,
    Request,
    Reversal,
    Rollback,
    ServiceToken,
    Setting,
    SettledPrice,
    Shard,
    SignIn,
    Snapshot,
    Trade,
    Transfer,
    Window,
    WindowInstrument,
)

__all__ = [
    "CASH",
    "HOUSE",
    "TABLES",
    "Account",
    "Bar",
    "Candle",
    "DayUsage",
    "Earmark",
    "Event",
    "Group",
    "Instrument",
    "Mark",
    "Market",
    "News",
    "Order",
    "Player",
    "Posting",
    "Recording",
    "RefreshToken",
    "Request",
    "Reversal",
    "Rollback",
    "Row",
    "ServiceToken",
    "Setting",
    "SettledPrice",
    "Shard",
    "SignIn",
    "Snapshot",
    "Trade",
    "Transfer",
    "Window",
    "WindowInstrument",
    "database",
]

for _found in iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")

TABLES: tuple[type[Row], ...] = tuple(Row.__subclasses__())
"""Every table there is."""
