"""The permission table: who may call what, and what it counts as. An RPC that is not here is refused."""

from dataclasses import dataclass
from enum import Enum

from bearpit_server.identity.callers import Role
from bearpit_server.identity.service_tokens import ADMIN_READ, MARKET_READ, PRICES_PUSH


class Rate(Enum):
    """What a call counts as, for the limits."""

    FREE = 0  # nothing: machines that look after the server
    CALL = 1
    SIGN_IN = 2  # costs a password hash
    ORDERS = 3  # counted by the orders in it


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may make a call.

    `roles` empty: everybody, signed in or not. A service may, if it has `scope`; "*" stands for any.
    """

    roles: frozenset[Role] = frozenset()
    scope: str = ""
    rate: Rate = Rate.CALL

    @property
    def public(self) -> bool:
        """Whether no token is asked for."""
        return not self.roles


PEOPLE = frozenset({Role.PLAYER, Role.ADMIN})
OPERATORS = frozenset({Role.ADMIN})

_PUBLIC = Permission()
_DOOR = Permission(rate=Rate.SIGN_IN)
_PERSON = Permission(PEOPLE)
_WITH_PASSWORD = Permission(PEOPLE, rate=Rate.SIGN_IN)
_ORDERS = Permission(PEOPLE, rate=Rate.ORDERS)
_MARKET = Permission(PEOPLE, MARKET_READ)
_WATCH = Permission(OPERATORS, ADMIN_READ)
_OPERATE = Permission(OPERATORS)

_BY_SERVICE: dict[str, dict[str, Permission]] = {
    "bearpit.v1.AuthService": {
        "Register": _DOOR,
        "SignIn": _DOOR,
        "RefreshToken": _PUBLIC,
        "SignOut": _PUBLIC,
        "SignOutEverywhere": _PERSON,
        "ChangePassword": _WITH_PASSWORD,
        "GetMe": Permission(PEOPLE, scope="*"),
    },
    "bearpit.v1.MarketService": {
        "ListInstruments": _MARKET,
        "GetInstrument": _MARKET,
        "GetBook": _MARKET,
        "ListTrades": _MARKET,
        "ListCandles": _MARKET,
        "GetVolume": _MARKET,
        "GetMarketStatus": _MARKET,
        "StreamPrices": _MARKET,
        "StreamBook": _MARKET,
        "StreamTrades": _MARKET,
        "StreamStatus": _MARKET,
    },
    "bearpit.v1.TradingService": {
        "PlaceOrder": _ORDERS,
        "PlaceOrders": _ORDERS,
        "EnterOrders": _ORDERS,
        "CancelOrder": _PERSON,
        "CancelAllOrders": _PERSON,
        "AmendOrder": _ORDERS,
        "GetOrder": _PERSON,
        "ListOrders": _PERSON,
        "ListFills": _PERSON,
        "ExplainOrder": _PERSON,
        "StreamOrders": _PERSON,
    },
    "bearpit.v1.WalletService": {
        "GetWallet": _PERSON,
        "ListPostings": _PERSON,
        "Transfer": _PERSON,
        "StreamWallet": _PERSON,
    },
    "bearpit.v1.WindowService": {
        "ListWindows": _MARKET,
        "GetWindow": _MARKET,
        "StreamWindows": _MARKET,
        "CreateWindow": _OPERATE,
        "UpdateWindow": _OPERATE,
        "MoveWindow": _OPERATE,
        "SettleWindow": _OPERATE,
        "SimulateSettlement": _WATCH,
        "CompareVariants": _WATCH,
        "ListAlgorithms": _MARKET,
    },
    "bearpit.v1.AdminService": {
        "CreatePlayer": _OPERATE,
        "ListPlayers": _WATCH,
        "GetPlayer": _WATCH,
        "SetPlayerDisabled": _OPERATE,
        "ResetPassword": _OPERATE,
        "AdjustBalance": _OPERATE,
        "CreateInstrument": _OPERATE,
        "UpdateInstrument": _OPERATE,
        "OpenIpo": _OPERATE,
        "SetMarketOverride": _OPERATE,
        "SetHalt": _OPERATE,
        "SetSchedule": _OPERATE,
        "GetSchedule": _WATCH,
        "ListPlayerOrders": _WATCH,
        "CancelPlayerOrder": _OPERATE,
        "ListPlayerTrades": _WATCH,
        "Announce": _OPERATE,
        "GetSettings": _WATCH,
        "UpdateSettings": _OPERATE,
        "CreateServiceToken": _OPERATE,
        "ListServiceTokens": _WATCH,
        "RevokeServiceToken": _OPERATE,
        "ListEvents": _WATCH,
        "CheckLedger": _WATCH,
        "GetServerStatus": _WATCH,
    },
    "bearpit.v1.PricingService": {
        "ListMechanisms": _MARKET,
        "ListGroups": _WATCH,
        "CreateGroup": _OPERATE,
        "UpdateGroup": _OPERATE,
        "ImportRecording": _OPERATE,
        "ListRecordings": _WATCH,
        "PushPrices": Permission(OPERATORS, PRICES_PUSH),
        "PublishNews": _OPERATE,
        "WithdrawNews": _OPERATE,
        "ListNews": _MARKET,
        "GetAttention": _MARKET,
    },
    "bearpit.v1.RollbackService": {
        "RequestRollback": _OPERATE,
        "ApproveRollback": _OPERATE,
        "RejectRollback": _OPERATE,
        "ListRollbacks": _WATCH,
        "GetRollback": _WATCH,
        "WatchRollback": _WATCH,
    },
    "grpc.health.v1.Health": {
        "Check": Permission(rate=Rate.FREE),
        "List": _PUBLIC,
        "Watch": _PUBLIC,
    },
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": _PUBLIC},
}

PERMISSIONS: dict[str, Permission] = {
    f"/{service}/{method}": permission
    for service, methods in _BY_SERVICE.items()
    for method, permission in methods.items()
}
"""By the RPC's path on the wire."""
