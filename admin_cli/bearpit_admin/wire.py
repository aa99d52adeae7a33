"""The contract's messages, loaded when a command first needs one: `--help` must not wait for gRPC."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bearpit.v1 import admin_pb2 as admin
    from bearpit.v1 import announcements_pb2 as announcements
    from bearpit.v1 import arcade_pb2 as arcade
    from bearpit.v1 import auth_pb2 as auth
    from bearpit.v1 import booths_pb2 as booths
    from bearpit.v1 import bus_pb2 as bus
    from bearpit.v1 import channels_pb2 as channels
    from bearpit.v1 import codes_pb2 as codes
    from bearpit.v1 import duels_pb2 as duels
    from bearpit.v1 import market_pb2 as market
    from bearpit.v1 import notifications_pb2 as notifications
    from bearpit.v1 import pricing_pb2 as pricing
    from bearpit.v1 import ranks_pb2 as ranks
    from bearpit.v1 import rollbacks_pb2 as rollbacks
    from bearpit.v1 import teams_pb2 as teams
    from bearpit.v1 import trading_pb2 as trading
    from bearpit.v1 import wallet_pb2 as wallet
    from bearpit.v1 import windows_pb2 as windows

__all__ = [
    "admin",
    "announcements",
    "arcade",
    "auth",
    "booths",
    "bus",
    "channels",
    "codes",
    "duels",
    "market",
    "notifications",
    "pricing",
    "ranks",
    "rollbacks",
    "teams",
    "trading",
    "wallet",
    "windows",
    "word",
]


def __getattr__(name: str) -> ModuleType:
    if name not in __all__:
        raise AttributeError(name)
    return import_module(f"bearpit.v1.{name}_pb2")


def word(name: str, prefix: str) -> str:
    """An enum's value as people write it: ORDER_STATUS_WORKING is "working"; unspecified is nothing."""
    bare = name.removeprefix(prefix).lower().replace("_", "-")
    return "" if bare == "unspecified" else bare
