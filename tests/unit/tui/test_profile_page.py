"""The profile under a person's fingers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bearpit_tui.app import BearpitApp
from bearpit_tui.camp.teams import Team
from bearpit_tui.pages.profile import JoinScreen, PasswordScreen
from bearpit_tui.screens.sign_in import SignInScreen
from textual.widgets import Input

from tests.unit.tui.fake_gateway import FakeGateway
from tests.unit.tui.fakes import NOW
from tests.unit.tui.snapshots import SIZES, Screens
from tests.unit.tui.visit import Visit, visiting


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks(app: BearpitApp, gateway: FakeGateway, screens: Screens, size: tuple[int, int]) -> None:
    gateway.teams.team = Team("Night owls", 4, ("ada", "bob", "Clara", "dave.k"))
    gateway.who = replace(gateway.who, roles=("player", "code_manager"), created_at=NOW)
    async with visiting(app, "p", size=size) as visit:
        await visit.sees("First profit")
        await visit.sees("K7QX-2M4N-9TR3A")
        screens.check(f"profile_{size[0]}x{size[1]}", visit.text)


async def test_a_team_is_joined_by_its_code_and_left_after_asking(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with visiting(app, "p") as visit:
        await visit.sees("joins one by its code")
        await visit.press("t")
        await visit.until(lambda: isinstance(app.screen, JoinScreen))
        await visit.fill("code", "WRONG")
        await visit.press("enter")
        await visit.sees("No team has this code")
        await visit.fill("code", "OWLS")
        await visit.press("enter")
        await visit.until(lambda: visit.said == "You are in the team Night owls")
        await visit.sees("Night owls, 4 players")
        await visit.press("T")
        await visit.sees("Leave the team Night owls?")
        await visit.press("y")
        await visit.until(lambda: gateway.teams.team is None)
        await visit.sees("joins one by its code")


async def write_password(visit: Visit, old: str, new: str, again: str) -> None:
    for field, text in (("old", old), ("new", new), ("again", again)):
        await visit.fill(field, text)
    visit.app.screen.query_one("#again", Input).focus()
    await visit.press("enter")


async def test_a_password_is_changed_once_it_is_right(app: BearpitApp, gateway: FakeGateway) -> None:
    async with visiting(app, "p", "w") as visit:
        await visit.until(lambda: isinstance(app.screen, PasswordScreen))
        await write_password(visit, "correct horse", "short", "short")
        await visit.sees("at least 8 characters")
        await write_password(visit, "correct horse", "battery staple", "battery stable")
        await visit.sees("not the same twice")
        await write_password(visit, "wrong horse", "battery staple", "battery staple")
        await visit.sees("do not match")
        await write_password(visit, "correct horse", " battery staple ", " battery staple ")
        await visit.until(lambda: "The new password holds" in visit.said)
        assert gateway.players["ada"] == " battery staple "
        assert app.session is not None
        assert app.session.refresh_token == "token after the change"
        assert "battery" not in visit.text


async def test_signing_out_everywhere_asks_first_and_leads_to_the_door(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    async with visiting(app, "p", "E") as visit:
        await visit.sees("End all your sign-ins")
        await visit.press("enter")
        assert gateway.made("sign_out_everywhere") == []
        await visit.press("E")
        await visit.sees("End all your sign-ins")
        await visit.press("y")
        await visit.until(lambda: isinstance(app.screen, SignInScreen))
        assert gateway.made("sign_out_everywhere") == [None]


async def test_who_is_frozen_is_told_so_and_offered_only_looking(
    app: BearpitApp, gateway: FakeGateway
) -> None:
    gateway.who = replace(gateway.who, frozen=True)
    async with visiting(app, "p") as visit:
        await visit.sees("you can look, and do nothing else")
        assert "Join a team" not in visit.text
