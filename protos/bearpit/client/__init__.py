"""The client that the screen, the command line and every bot share.

async with connect("127.0.0.1:7117") as client:
    await client.sign_in("ada", "correct horse")
    await client.buy("ACME", 10, price_cents=1240)
    async for frame in client.stream_prices():
        ...
"""

import os

# gRPC writes of failed handshakes onto standard error, across the screen; the error tells of them anyway.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from bearpit.client.connection import Connection, State
from bearpit.client.errors import BearpitError
from bearpit.client.game import Client, connect
from bearpit.client.timing import Timing

__all__ = ["BearpitError", "Client", "Connection", "State", "Timing", "connect"]
