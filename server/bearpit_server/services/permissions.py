"""The permission table: who may call what, and what it counts as. An RPC that is not here is refused."""

from dataclasses import dataclass
from enum import Enum

from bearpit_server.identity.service_tokens import ADMIN_READ, MARKET_READ, PRICES_PUSH
from bearpit_server.rules.roles import Permission


class Rate(Enum):
    """What a call counts as, for the limits."""

    FREE = 0  # nothing: machines that look after the server
    CALL = 1
    SIGN_IN = 2  # costs a password hash
    ORDERS = 3  # counted by the orders in it


@dataclass(frozen=True, slots=True)
class Access:
    """Who may make a call.

    `permission` None: everybody, signed in or not. A service may, if it has `scope`; "*" stands for any.
    """

    permission: Permission | None = None
    scope: str = ""
    rate: Rate = Rate.CALL

    @property
    def public(self) -> bool:
        """Whether no token is asked for."""
        return self.permission is None


def _may(permission: Permission, scope: str = "") -> Access:
    return Access(permission, scope)


_PUBLIC = Access()
_DOOR = Access(rate=Rate.SIGN_IN)
_LOOK = _may(Permission.LOOK)
_WITH_PASSWORD = Access(Permission.LOOK, rate=Rate.SIGN_IN)
_PLAY = _may(Permission.PLAY)
_ORDERS = Access(Permission.PLAY, rate=Rate.ORDERS)
_MARKET = _may(Permission.LOOK, MARKET_READ)

_SEE_PLAYERS = _may(Permission.VIEW_ALL_PLAYERS, ADMIN_READ)
_AUDIT = _may(Permission.VIEW_AUDIT, ADMIN_READ)
_GIVE = _may(Permission.GIVE_POINTS)
_RUN_MARKET = _may(Permission.MANAGE_MARKET)
_SEE_MARKET = _may(Permission.MANAGE_MARKET, ADMIN_READ)
_RUN_WINDOWS = _may(Permission.MANAGE_WINDOWS)
_SEE_WINDOWS = _may(Permission.MANAGE_WINDOWS, ADMIN_READ)
_RUN_PLAYERS = _may(Permission.MANAGE_PLAYERS)
_SYSTEM = _may(Permission.SYSTEM_ADMIN)
_SEE_SYSTEM = _may(Permission.SYSTEM_ADMIN, ADMIN_READ)
_ROLL_BACK = _may(Permission.ROLL_BACK)

_BY_SERVICE: dict[str, dict[str, Access]] = {
    "bearpit.v1.AuthService": {
        "Register": _DOOR,
        "SignIn": _DOOR,
        "RefreshToken": _PUBLIC,
        "SignOut": _PUBLIC,
        "SignOutEverywhere": _LOOK,
        "ChangePassword": _WITH_PASSWORD,
        "GetMe": _may(Permission.LOOK, "*"),
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
        "CancelOrder": _PLAY,
        "CancelAllOrders": _PLAY,
        "AmendOrder": _ORDERS,
        "GetOrder": _LOOK,
        "ListOrders": _LOOK,
        "ListFills": _LOOK,
        "ExplainOrder": _LOOK,
        "StreamOrders": _LOOK,
    },
    "bearpit.v1.WalletService": {
        "GetWallet": _LOOK,
        "ListPostings": _LOOK,
        "Transfer": _PLAY,
        "TakeComebackLoan": _PLAY,
        "StreamWallet": _LOOK,
    },
    "bearpit.v1.WindowService": {
        "ListWindows": _MARKET,
        "GetWindow": _MARKET,
        "StreamWindows": _MARKET,
        "CreateWindow": _RUN_WINDOWS,
        "UpdateWindow": _RUN_WINDOWS,
        "MoveWindow": _RUN_WINDOWS,
        "SettleWindow": _RUN_WINDOWS,
        "SimulateSettlement": _SEE_WINDOWS,
        "CompareVariants": _SEE_WINDOWS,
        "ListAlgorithms": _MARKET,
    },
    "bearpit.v1.AdminService": {
        "CreatePlayer": _RUN_PLAYERS,
        "ListPlayers": _SEE_PLAYERS,
        "GetPlayer": _SEE_PLAYERS,
        "SetPlayerDisabled": _RUN_PLAYERS,
        "ResetPassword": _RUN_PLAYERS,
        "AdjustBalance": _GIVE,
        "SetFrozen": _RUN_PLAYERS,
        "SetCredit": _GIVE,
        "SetDebt": _GIVE,
        "ListDebts": _SEE_PLAYERS,
        "ListDebtPostings": _SEE_PLAYERS,
        "CreateInstrument": _RUN_MARKET,
        "UpdateInstrument": _RUN_MARKET,
        "OpenIpo": _RUN_MARKET,
        "SetMarketOverride": _RUN_MARKET,
        "SetHalt": _RUN_MARKET,
        "SetSchedule": _RUN_MARKET,
        "GetSchedule": _SEE_MARKET,
        "ListPlayerOrders": _SEE_PLAYERS,
        "CancelPlayerOrder": _RUN_MARKET,
        "ListPlayerTrades": _SEE_PLAYERS,
        "Announce": _may(Permission.CREATE_ANNOUNCEMENT),
        "GetSettings": _SEE_SYSTEM,
        "UpdateSettings": _SYSTEM,
        "CreateServiceToken": _SYSTEM,
        "ListServiceTokens": _SEE_SYSTEM,
        "RevokeServiceToken": _SYSTEM,
        "ListEvents": _AUDIT,
        "CheckLedger": _AUDIT,
        "GetServerStatus": _AUDIT,
    },
    "bearpit.v1.PricingService": {
        "ListMechanisms": _MARKET,
        "ListGroups": _SEE_MARKET,
        "CreateGroup": _RUN_MARKET,
        "UpdateGroup": _RUN_MARKET,
        "ImportRecording": _RUN_MARKET,
        "ListRecordings": _SEE_MARKET,
        "PushPrices": _may(Permission.MANAGE_MARKET, PRICES_PUSH),
        "PublishNews": _RUN_MARKET,
        "WithdrawNews": _RUN_MARKET,
        "ListNews": _MARKET,
        "GetAttention": _MARKET,
    },
    "bearpit.v1.RollbackService": {
        "RequestRollback": _ROLL_BACK,
        "ApproveRollback": _may(Permission.APPROVE_ROLLBACK),
        "RejectRollback": _may(Permission.APPROVE_ROLLBACK),
        "ListRollbacks": _AUDIT,
        "GetRollback": _AUDIT,
        "WatchRollback": _AUDIT,
    },
    "bearpit.v1.CodeService": {
        "CreateCodes": _may(Permission.CREATE_CODES),
        "ListBatches": _may(Permission.CREATE_CODES),
        "GetBatch": _may(Permission.CREATE_CODES),
        "WithdrawBatch": _may(Permission.CREATE_CODES),
        "RedeemCode": _PLAY,
        "ListRedemptions": _may(Permission.CREATE_CODES),
        "GetReferral": _PLAY,
    },
    "grpc.health.v1.Health": {
        "Check": Access(rate=Rate.FREE),
        "List": _PUBLIC,
        "Watch": _PUBLIC,
    },
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": _PUBLIC},
}

ACCESS: dict[str, Access] = {
    f"/{service}/{method}": access
    for service, methods in _BY_SERVICE.items()
    for method, access in methods.items()
}
"""By the RPC's path on the wire."""
