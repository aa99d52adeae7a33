"""The profile: who one is, what one may do, team, badges, the code for newcomers, password and sign-ins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from bearpit_tui.camp.codes import Referral
from bearpit_tui.camp.people import Badge
from bearpit_tui.camp.teams import Team
from bearpit_tui.feed import Feed
from bearpit_tui.notices import Notice, Tone
from bearpit_tui.pages.page import Page
from bearpit_tui.screens.ask import AskScreen
from bearpit_tui.screens.form import Field, FormScreen, NotYet
from bearpit_tui.screens.live import Seat, bindings
from bearpit_tui.screens.sign_in import SHORTEST_PASSWORD
from bearpit_tui.state import State
from bearpit_tui.widgets.facts import Facts, Line, wrapped
from bearpit_tui.widgets.money import money
from bearpit_tui.widgets.panes import pane
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

LABEL = 14


class ProfilePage(Page):
    """Who one is on the left, badges on the right."""

    PLACE = "profile"
    ABOUT = (
        "Who you are, what your roles let you do, your team, your badges, and the code that newcomers give "
        "so that both of you are rewarded."
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings("profile")
    DEFAULT_CSS = """
    ProfilePage {
        & #me { width: 3fr; height: 1fr; }
        & #badges { width: 2fr; height: 1fr; }
        &.-narrow #both { layout: vertical; }
        &.-narrow #me { width: 1fr; height: 3fr; }
        &.-narrow #badges { width: 1fr; height: 2fr; }
    }
    """

    def __init__(self, seat: Seat) -> None:
        super().__init__(seat)
        self.team: Team | None = None
        self.badges: list[Badge] = []
        self.referral: Referral | None = None
        self.meanings: dict[str, str] = {}

    def body(self) -> ComposeResult:
        with Horizontal(id="both"):
            yield pane(Facts(id="me"), "You")
            yield pane(Facts(id="badges"), "Badges")

    def on_mount(self) -> None:
        self.query_one("#me").focus()

    def on_resize(self) -> None:
        self.set_class(self.app.size.width < 100, "-narrow")

    def follow(self, before: State | None, state: State) -> None:
        if before is None or before.me is not state.me:
            self._show()

    async def load(self) -> None:
        # Each by itself: what one server does not know yet, another one may.
        gateway = self.feed.gateway
        self.team = await self.asked(gateway.teams.mine)
        self.meanings = await self.asked(gateway.people.permissions) or {}
        self.badges = await self.asked(gateway.people.badges) or []
        self.referral = await self.asked(gateway.codes.referral)
        self._show()

    # Showing ------------------------------------------------------------------------------------------

    def _show(self) -> None:
        self.query_one("#me", Facts).show("", lambda width: (list(self._me(width)), 0))
        had = sum(one.awarded_at is not None for one in self.badges)
        badges = self.query_one("#badges", Facts)
        badges.border_title = f"Badges: {had} of {len(self.badges)}" if self.badges else "Badges"
        badges.show("", lambda width: (list(self._badges(width)), 0))

    def _me(self, width: int) -> Iterator[Line]:
        me = self.state.me
        yield _row("Name", me.name or self.state.player, "strong")
        if me.roles:
            yield _row("Roles", ", ".join(role.replace("_", " ") for role in me.roles))
        if me.created_at.year > 1970:
            yield _row("Here since", f"{me.created_at.astimezone(self.zone):%a %d %b %Y, %H:%M}")
        yield _row("Server", self.state.server)
        if me.frozen:
            yield _row("Frozen", "you can look, and do nothing else; ask the operators", "warn")
        if me.seen_by:
            yield _row("Seen by", f"{me.seen_by}, who looks through this player's eyes", "warn")
        yield []
        if self.team is None:
            yield _row("Team", f"none; {self.keys.shown('join_team')} joins one by its code", "muted")
        else:
            yield _row("Team", f"{self.team.name}, {self.team.count:,} {_players(self.team.count)}", "strong")
            yield from _wrapped_row("", ", ".join(self.team.members), width)
        if self.referral is not None and self.referral.code:
            yield []
            yield from self._referral(self.referral, width)
        if me.permissions is not None:
            yield []
            may = [name for name in self.meanings or sorted(me.permissions) if name in me.permissions]
            for place, name in enumerate(may):
                yield from _wrapped_row(
                    "" if place else "You may", _sentence(self.meanings.get(name, name)), width
                )

    def _referral(self, one: Referral, width: int) -> Iterator[Line]:
        yield _row("Your code", one.code, "own")
        words = (
            f"Who gives it when registering gets {money(one.newcomer_cents)} after the first trade, and you "
            f"{money(one.reward_cents)}. {one.newcomers:,} {'has' if one.newcomers == 1 else 'have'}, "
            f"{one.rewarded:,} of at most {one.rewarded_at_most:,} rewarded: "
            f"{money(one.earned_cents)} for you."
        )
        yield from _wrapped_row("", words, width)
        if one.referrer:
            yield _row("Brought by", one.referrer)

    def _badges(self, width: int) -> Iterator[Line]:
        if not self.badges:
            yield [("none yet", ("muted",))]
        had = [one for one in self.badges if one.awarded_at is not None]
        for one in (*had, *(one for one in self.badges if one.awarded_at is None)):
            if one.awarded_at is not None:
                at = f"{one.awarded_at.astimezone(self.zone):%a %H:%M}"
                yield [("★ ", ("own",)), (one.name, ("strong",)), (f"  {at}", ("muted",))]
            else:
                yield [("☆ ", ("muted",)), (one.name, ("muted",))]
            yield from wrapped(one.description, width, "muted", indent=2)

    # Doing --------------------------------------------------------------------------------------------

    def action_join_team(self) -> None:
        def joined(team: Team | None) -> None:
            if team is not None:
                self.say(Notice(f"You are in the team {team.name}", Tone.GOOD))
                self.reload()

        self.app.push_screen(JoinScreen(self.feed), joined)

    def action_leave_team(self) -> None:
        if self.team is None:
            self.say(Notice("You are in no team", Tone.WARNING))
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._leave_team()

        self.app.push_screen(AskScreen(f"Leave the team {self.team.name}?", "leave it", "stay"), answered)

    @work(group="team", exclusive=True)
    async def _leave_team(self) -> None:
        gateway = self.feed.gateway
        request_id = gateway.new_request_id()

        async def leave() -> bool:
            await gateway.teams.leave(request_id)
            return True

        if await self.asked(leave):
            self.say(Notice("You have left the team", Tone.GOOD))
            self.reload()

    def action_password(self) -> None:
        def changed(done: bool | None) -> None:
            if done:
                self.say(Notice("The new password holds; all other sign-ins have ended", Tone.GOOD))

        self.app.push_screen(PasswordScreen(self.feed), changed)

    def action_sign_out_everywhere(self) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._sign_out_everywhere()

        question = "End all your sign-ins, on every machine, this one too?\nYour orders stay in the market."
        self.app.push_screen(AskScreen(question, "sign out everywhere", "stay"), answered)

    @work(group="out", exclusive=True)
    async def _sign_out_everywhere(self) -> None:
        async def out() -> bool:
            await self.feed.gateway.sign_out_everywhere()
            return True

        if await self.asked(out):
            self.action_sign_out()


class JoinScreen(FormScreen[Team]):
    """Answers the team that was joined."""

    TITLE: ClassVar[str] = "Join a team"
    SENDS: ClassVar[str] = "joins"

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed, (Field("code", "Code", "from your team, or the operators", longest=40),))

    async def send(self) -> None:
        code = self.written("code")
        if not code:
            raise NotYet("Type the team's code.")
        teams = self.gateway.teams
        self.dismiss(await self.deliver(code, lambda request_id: teams.join(code, request_id)))


class PasswordScreen(FormScreen[bool]):
    """Answers whether it was changed."""

    TITLE: ClassVar[str] = "New password"
    SENDS: ClassVar[str] = "sets it"

    def __init__(self, feed: Feed) -> None:
        fields = (
            Field("old", "Old", "the password that holds now", secret=True, longest=256),
            Field("new", "New", f"{SHORTEST_PASSWORD} characters or more", secret=True, longest=256),
            Field("again", "Again", "the new one once more", secret=True, longest=256),
        )
        super().__init__(feed, fields)

    def written(self, name: str) -> str:
        return self.field(name).value

    async def send(self) -> None:
        old, new = self.written("old"), self.written("new")
        if len(new) < SHORTEST_PASSWORD:
            raise NotYet(f"A password has at least {SHORTEST_PASSWORD} characters. Make it longer.")
        if new != self.written("again"):
            raise NotYet("The new password is not the same twice. Type it again.")
        await self.gateway.change_password(old, new)
        self.dismiss(True)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _players(count: int) -> str:
    return "player" if count == 1 else "players"


def _row(label: str, words: str, *tones: str) -> Line:
    return [(label.ljust(LABEL), ("muted",)), (words, tones)]


def _wrapped_row(label: str, words: str, width: int) -> Iterator[Line]:
    for place, line in enumerate(wrapped(words, max(width - LABEL, 10))):
        text = "".join(piece for piece, _ in line)
        yield [((label if not place else "").ljust(LABEL), ("muted",)), (text, ())]
