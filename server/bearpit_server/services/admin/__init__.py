"""AdminService: running the game. Its RPCs are spread over one module for each noun."""

from bearpit.v1.admin_pb2_grpc import AdminServiceServicer

from bearpit_server.services.admin.debts import Debts
from bearpit_server.services.admin.desk import Desk, Exchange, Vitals
from bearpit_server.services.admin.instruments import Instruments
from bearpit_server.services.admin.market import Market
from bearpit_server.services.admin.orders import Orders
from bearpit_server.services.admin.players import Players
from bearpit_server.services.admin.roles import Roles
from bearpit_server.services.admin.server import Server
from bearpit_server.services.admin.settings import GameSettings
from bearpit_server.services.admin.tokens import Tokens

__all__ = ["AdminService", "Desk", "Exchange", "Vitals"]


class AdminService(
    Debts, Players, Roles, Instruments, Market, Orders, GameSettings, Tokens, Server, AdminServiceServicer
):
    """Every RPC of the operators; who may call which is in `services.permissions`."""
