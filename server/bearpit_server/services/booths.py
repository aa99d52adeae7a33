"""BoothService: visits, for whoever has a booth's password; and booths, for those who run them."""
# ruff: noqa: N802 - the methods are named by the contract

from hashlib import sha256
from secrets import compare_digest

import grpc
from bearpit.v1 import booths_pb2 as pb
from bearpit.v1.booths_pb2_grpc import BoothServiceServicer

from bearpit_server.events.bus import Bus
from bearpit_server.events.log import Origin
from bearpit_server.game.camp import booths
from bearpit_server.game.camp.booths import Figures, Listed, Terms, Visited
from bearpit_server.identity import players
from bearpit_server.identity.callers import origin
from bearpit_server.identity.names import MAX_PASSWORD, check_name
from bearpit_server.identity.passwords import Passwords, make_up
from bearpit_server.identity.rates import Rates
from bearpit_server.rules.refusals import Refused, not_found
from bearpit_server.rules.roles import PLAYER
from bearpit_server.services import translate
from bearpit_server.services.idempotency import Done, Mutation, Once
from bearpit_server.services.pages import Page
from bearpit_server.storage import requests
from bearpit_server.storage.database import Database
from bearpit_server.storage.models import Player
from bearpit_server.storage.models.booths import Booth, BoothVisit
from bearpit_server.storage.settings import Settings

Context = grpc.aio.ServicerContext[object, object]


class BoothService(BoothServiceServicer):
    """All of BoothService."""

    def __init__(
        self, database: Database, bus: Bus, settings: Settings, passwords: Passwords, rates: Rates
    ) -> None:
        self._database = database
        self._settings = settings
        self._passwords = passwords
        self._rates = rates
        self._once = Once(database, bus)
        self._verified: dict[int, tuple[bytes, str]] = {}
        """Of a booth the password that was right last, hashed quickly, and the slow hash that it fitted.

        It is never written down. When the slow hash is another one than the booth's, it is worth nothing:
        so a rotation holds at once, through whichever server it was made.
        """

    # --- visiting -------------------------------------------------------------------------------

    async def VisitBooth(self, request: pb.VisitBoothRequest, context: Context) -> pb.VisitBoothResponse:
        """Give a player the booth's reward."""
        by = origin(request.request_id)
        requests.check_id(request.request_id)
        booth, player = await self._database.run(_look, request.booth, request.player)
        booth = await self._admitted(booth, request, by)
        made_up = password_hash = ""
        if player is None and booth.creates_players:
            check_name(request.player, "player")
            if not request.validate_only:
                made_up = make_up()
                password_hash = await self._passwords.hash(made_up)

        def work() -> Done[pb.VisitBoothResponse]:
            locked = booths.lock(booth.id)
            if locked.password_hash != booth.password_hash:
                raise _wrong()
            visitor, created = self._visitor(locked, request.player, password_hash, request.validate_only, by)
            reward = self._reward(locked)
            pace = self._settings.number("booth_visits_per_minute")
            row, changes = booths.visit(locked, visitor, created, reward, pace, by)
            visit = _visit(Visited(row, locked.name, visitor.name))
            if request.validate_only:
                visit.visit_id = 0
            kept = pb.VisitBoothResponse(visit=visit)
            told = pb.VisitBoothResponse(visit=visit, player_password=made_up if created else "")
            return Done(told, changes, kept)

        bare = pb.VisitBoothRequest()
        bare.CopyFrom(request)
        bare.password = ""  # it has been checked, and is kept nowhere
        # The booth's own request ids: those of volunteers, who have no players' ids to tell them apart.
        booths_own = Origin(-booth.id, by.address, by.request_id)
        body = bare.SerializeToString(deterministic=True)
        return await self._once.run(request, booths_own, pb.VisitBoothResponse, work, body)

    async def _admitted(self, booth: Booth | None, request: pb.VisitBoothRequest, by: Origin) -> Booth:
        """The booth, if the password is its own. Raises Refused BAD_CREDENTIALS or RATE_LIMITED.

        Only what costs a slow hash counts as a try: not the hundreds of visits after the first.
        """
        given = request.password[: MAX_PASSWORD + 1]
        digest = sha256(given.encode()).digest()
        known = self._verified.get(booth.id) if booth is not None else None
        if booth is not None and known is not None and _is_that(known, digest, booth):
            return booth
        self._rates.sign_in_from(by.address)
        self._rates.sign_in_as(f"booth:{request.booth}")
        if not await self._passwords.matches(None if booth is None else booth.password_hash, given):
            raise _wrong()
        assert booth is not None, "without a booth there is no password to match"
        self._verified[booth.id] = digest, booth.password_hash
        return booth

    def _visitor(
        self, booth: Booth, name: str, password_hash: str, rehearsal: bool, by: Origin
    ) -> tuple[Player, bool]:
        """The player, and whether this visit has made it. Raises Refused NOT_FOUND."""
        player = players.find(name)
        if player is not None:
            return player, False
        if not booth.creates_players or not (password_hash or rehearsal):  # it may do so only since a moment
            raise not_found("player", name[:40])
        try:
            cash = self._settings.number("starting_cash_cents")
            return players.create_player(name, password_hash, [PLAYER], cash, by), True
        except Refused as refusal:
            if refusal.reason != "ALREADY_EXISTS":
                raise
            return players.get(name), False  # made at another booth this very moment

    # --- running them ---------------------------------------------------------------------------

    async def CreateBooth(self, request: pb.CreateBoothRequest, context: Context) -> pb.CreateBoothResponse:
        """Make a booth and a password for it."""
        check_name(request.name)
        by = origin(request.request_id)
        password, password_hash = await self._new_password(request)

        def work() -> Done[pb.CreateBoothResponse]:
            made = booths.create(
                request.name, password_hash, request.reward_cents, request.creates_players, by
            )
            booth = self._booth(Listed(made, Figures()))
            if request.validate_only:
                booth.booth_id = 0
            kept = pb.CreateBoothResponse(booth=booth)
            return Done(pb.CreateBoothResponse(booth=booth, password=password), kept=kept)

        return await self._once.run(request, by, pb.CreateBoothResponse, work)

    async def UpdateBooth(self, request: pb.UpdateBoothRequest, context: Context) -> pb.UpdateBoothResponse:
        """Change, close or open a booth."""
        by = origin(request.request_id)
        if request.new_name:
            check_name(request.new_name, "new_name")
        terms = Terms(
            request.new_name,
            request.reward_cents if request.HasField("reward_cents") else None,
            request.creates_players if request.HasField("creates_players") else None,
            request.active if request.HasField("active") else None,
        )

        def work() -> Done[pb.UpdateBoothResponse]:
            changed = booths.change(request.name, terms, by)
            return Done(pb.UpdateBoothResponse(booth=self._booth(*booths.with_figures([changed]))))

        return await self._once.run(request, by, pb.UpdateBoothResponse, work)

    async def RotateBoothPassword(
        self, request: pb.RotateBoothPasswordRequest, context: Context
    ) -> pb.RotateBoothPasswordResponse:
        """Make a new password."""
        by = origin(request.request_id)
        password, password_hash = await self._new_password(request)

        def work() -> Done[pb.RotateBoothPasswordResponse]:
            changed = booths.rotate(request.name, password_hash, by)
            booth = self._booth(*booths.with_figures([changed]))
            kept = pb.RotateBoothPasswordResponse(booth=booth)
            return Done(pb.RotateBoothPasswordResponse(booth=booth, password=password), kept=kept)

        return await self._once.run(request, by, pb.RotateBoothPasswordResponse, work)

    async def ListBooths(self, request: pb.ListBoothsRequest, context: Context) -> pb.ListBoothsResponse:
        """Booths by name, with their figures."""
        page = Page(request)
        found = await self._database.run(booths.listed, page.after, page.limit)
        rows, token = page.close(found, lambda listed: listed.row.name)
        return pb.ListBoothsResponse(booths=map(self._booth, rows), next_page_token=token)

    async def GetBooth(self, request: pb.GetBoothRequest, context: Context) -> pb.GetBoothResponse:
        """One booth with its figures."""

        def read() -> Listed:
            [found] = booths.with_figures([booths.get(request.name)])
            return found

        return pb.GetBoothResponse(booth=self._booth(await self._database.run(read)))

    async def ListVisits(self, request: pb.ListVisitsRequest, context: Context) -> pb.ListVisitsResponse:
        """Visits, newest first."""
        page = Page(request)

        def read() -> list[Visited]:
            booth_id = booths.get(request.booth).id if request.booth else None
            player_id = players.get(request.player).id if request.player else None
            return booths.visits(booth_id, player_id, page.after_id, page.limit)

        rows, token = page.close(await self._database.run(read), lambda visited: visited.row.id)
        return pb.ListVisitsResponse(visits=map(_visit, rows), next_page_token=token)

    async def _new_password(self, request: Mutation) -> tuple[str, str]:
        """A password and its hash; nothing where nothing shall be changed."""
        if request.validate_only:
            return "", ""
        password = make_up()
        return password, await self._passwords.hash(password)

    def _reward(self, booth: Booth) -> int:
        return int(booth.reward_cents or self._settings.number("booth_reward_cents"))

    def _booth(self, listed: Listed) -> pb.Booth:
        row, figures = listed.row, listed.figures
        last = figures.last_visit_at
        return pb.Booth(
            booth_id=row.id,
            name=row.name,
            reward_cents=self._reward(row),
            own_reward=row.reward_cents is not None,
            creates_players=row.creates_players,
            active=row.active,
            created_at=translate.timestamp(row.created_at),
            password_at=translate.timestamp(row.password_at),
            visits=figures.visits,
            players_created=figures.players_created,
            given_cents=figures.given_cents,
            last_visit_at=None if last is None else translate.timestamp(last),
        )


def _is_that(known: tuple[bytes, str], digest: bytes, booth: Booth) -> bool:
    return known[1] == booth.password_hash and compare_digest(known[0], digest)


def _look(booth: str, player: str) -> tuple[Booth | None, Player | None]:
    return booths.find(booth), players.find(player)


def _visit(visited: Visited) -> pb.Visit:
    row: BoothVisit = visited.row
    return pb.Visit(
        visit_id=row.id,
        booth=visited.booth,
        player=visited.player,
        reward_cents=row.reward_cents,
        created_player=row.created_player,
        at=translate.timestamp(row.at),
    )


def _wrong() -> Refused:
    return Refused("BAD_CREDENTIALS", "the booth or its password is wrong; ask whoever runs the booths")
