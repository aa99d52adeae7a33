"""The permission table: who may call what, and what it counts as. An RPC that is not here is refused."""

from dataclasses import dataclass
from enum import Enum

from bearpit_server.identity.service_tokens import ADMIN_READ, ARCADE_PLAY, MARKET_READ, PRICES_PUSH
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
    in_person: bool = False
    """Not through another's eyes: what would outlast them."""

    @property
    def public(self) -> bool:
        """Whether no token is asked for."""
        return self.permission is None


def _may(permission: Permission, scope: str = "") -> Access:
    return Access(permission, scope)


_PUBLIC = Access()
_DOOR = Access(rate=Rate.SIGN_IN)
_LOOK = _may(Permission.LOOK)
_OWN = Access(Permission.LOOK, in_person=True)
_WITH_PASSWORD = Access(Permission.LOOK, rate=Rate.SIGN_IN, in_person=True)
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
_RUN_BOOTHS = _may(Permission.MANAGE_BOOTHS)
_KEY_OF_BOOTHS = Access(Permission.MANAGE_BOOTHS, in_person=True)
_MACHINE = _may(Permission.MANAGE_BOOTHS, ARCADE_PLAY)
_SYSTEM = _may(Permission.SYSTEM_ADMIN)
_GRANT = Access(Permission.SYSTEM_ADMIN, in_person=True)
_SEE_SYSTEM = _may(Permission.SYSTEM_ADMIN, ADMIN_READ)
_ROLL_BACK = _may(Permission.ROLL_BACK)
_ANNOUNCE = _may(Permission.CREATE_ANNOUNCEMENT)

_BY_SERVICE: dict[str, dict[str, Access]] = {
    "bearpit.v1.AuthService": {
        "Register": _DOOR,
        "SignIn": _DOOR,
        "RefreshToken": _PUBLIC,
        "SignOut": _PUBLIC,
        "SignOutEverywhere": _OWN,
        "ChangePassword": _WITH_PASSWORD,
        "GetMe": _may(Permission.LOOK, "*"),
        "ListRoles": _may(Permission.LOOK, "*"),
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
    "bearpit.v1.NotificationService": {
        "ListNotifications": _LOOK,
        "GetUnread": _LOOK,
        "MarkRead": _LOOK,
        "StreamNotifications": _LOOK,
        "GetPreferences": _LOOK,
        "UpdatePreferences": _LOOK,
        "GetCatchUp": _LOOK,
        "MarkSeen": _LOOK,
    },
    "bearpit.v1.BusService": {
        "ListListeners": _AUDIT,
        "ReplayListener": _SYSTEM,
        "ListListenerFailures": _AUDIT,
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
        "CreatePlayer": Access(Permission.MANAGE_PLAYERS, in_person=True),
        "SetRoles": _GRANT,
        "Impersonate": Access(Permission.IMPERSONATE, in_person=True),
        "ListPlayers": _SEE_PLAYERS,
        "GetPlayer": _SEE_PLAYERS,
        "SetPlayerDisabled": _RUN_PLAYERS,
        "ResetPassword": Access(Permission.MANAGE_PLAYERS, in_person=True),
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
        "GetSettings": _SEE_SYSTEM,
        "UpdateSettings": _SYSTEM,
        "CreateServiceToken": _GRANT,
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
        "ApproveRollback": Access(Permission.APPROVE_ROLLBACK, in_person=True),
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
        "GetReferral": _LOOK,
    },
    "bearpit.v1.AnnouncementService": {
        "Announce": _ANNOUNCE,
        "ListAnnouncements": _MARKET,
        "GetAnnouncement": _MARKET,
        "WithdrawAnnouncement": _ANNOUNCE,
    },
    "bearpit.v1.ChannelService": {
        "AddChannel": _OWN,
        "ConfirmChannel": _OWN,
        "ListChannels": _LOOK,
        "RemoveChannel": _LOOK,
        "TestChannel": _LOOK,
        "ListDeadLetters": _LOOK,
        "RetryDeadLetter": _LOOK,
    },
    "bearpit.v1.DuelService": {
        "GetDuelTerms": _MARKET,
        "Challenge": _PLAY,
        "AcceptDuel": _PLAY,
        "DeclineDuel": _PLAY,
        "CancelDuel": _PLAY,
        "CommitMove": _PLAY,
        "RevealMove": _PLAY,
        "OpenHouseDuel": _PLAY,
        "PlayHouseDuel": _PLAY,
        "GetDuel": _MARKET,
        "ListDuels": _MARKET,
        "CallOffDuel": _RUN_PLAYERS,
        "StreamDuels": _LOOK,
    },
    "bearpit.v1.TeamService": {
        "ListTeams": _MARKET,
        "GetTeam": _MARKET,
        "ListMembers": _MARKET,
        "JoinTeam": _PLAY,
        "LeaveTeam": _PLAY,
        "CreateTeam": _RUN_PLAYERS,
        "UpdateTeam": _RUN_PLAYERS,
        "AssignTeam": _RUN_PLAYERS,
        "RemoveFromTeam": _RUN_PLAYERS,
    },
    "bearpit.v1.BoothService": {
        "VisitBooth": _PUBLIC,  # with the booth's password; its hash counts as a sign-in where it is computed
        "CreateBooth": _KEY_OF_BOOTHS,
        "UpdateBooth": _RUN_BOOTHS,
        "RotateBoothPassword": _KEY_OF_BOOTHS,
        "ListBooths": _RUN_BOOTHS,
        "GetBooth": _RUN_BOOTHS,
        "ListVisits": _RUN_BOOTHS,
    },
    "bearpit.v1.ArcadeService": {
        "TakePoints": _MACHINE,
        "GivePoints": _MACHINE,
        "GetTransaction": _MACHINE,
        "ListTransactions": _MACHINE,
        "GetStatement": _MACHINE,
        "GetMachine": _MACHINE,
        "VoidTransaction": _RUN_BOOTHS,
        "CreateMachine": _KEY_OF_BOOTHS,
        "UpdateMachine": _RUN_BOOTHS,
        "ListMachines": _RUN_BOOTHS,
    },
    "bearpit.v1.RankService": {
        "ListRanks": _MARKET,
        "GetRank": _MARKET,
        "ListTeamRanks": _MARKET,
        "ListPeriods": _MARKET,
        "ListMarks": _MARKET,
        "RefreshRanks": _RUN_MARKET,
        "ListBadges": _MARKET,
        "AwardBadge": _RUN_PLAYERS,
        "RevokeBadge": _RUN_PLAYERS,
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
