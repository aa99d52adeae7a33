"""Getting in: stored sign-ins, names and passwords, new players."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
from bearpit.client import BearpitError
from bearpit.client.errors import CONNECTION_FAULTS
from bearpit_tui.app import BearpitApp
from bearpit_tui.panels.message_line import MessageLine
from bearpit_tui.screens.reading import ReadingScreen
from bearpit_tui.screens.sign_in import SignInScreen
from bearpit_tui.screens.trade import TradeScreen
from bearpit_tui.sessions import StoredSession
from bearpit_tui.settings import Settings, load_remembered, remember
from bearpit_tui.start import Start
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.unit.tui.conftest import SERVER, STILL, until
from tests.unit.tui.fake_gateway import LOST, FakeGateway, error


def screen_for(gateway: FakeGateway, start: Start | None = None) -> BearpitApp:
    return BearpitApp(start or Start(SERVER), gateway.connector(), Settings(), STILL)


def words(app: BearpitApp) -> str:
    return str(app.screen.query_one("#words", Static).content)


async def fill_in(pilot: Pilot[None], app: BearpitApp, name: str, password: str) -> None:
    await until(pilot, lambda: isinstance(app.screen, SignInScreen))
    app.screen.query_one("#name", Input).value = name
    app.screen.query_one("#password", Input).value = password
    app.screen.query_one("#password", Input).focus()


def stored(home: Path) -> dict[str, str]:
    (path,) = (home / "sessions").glob("*.json")
    content = json.loads(path.read_text())
    assert isinstance(content, dict)
    return content


async def test_a_known_player_signs_in_and_is_remembered(gateway: FakeGateway, home: Path) -> None:
    app = screen_for(gateway)
    async with app.run_test(size=(80, 24)) as pilot:
        await fill_in(pilot, app, "ada", "correct horse")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TradeScreen))
        assert stored(home) == {"server": SERVER, "name": "ada", "refresh_token": "token of ada"}
        assert load_remembered().server == SERVER
        gateway.on_token("renewed")
        assert stored(home)["refresh_token"] == "renewed"


async def test_an_unknown_name_is_created_when_asked_to(gateway: FakeGateway) -> None:
    app = screen_for(gateway)
    async with app.run_test(size=(80, 24)) as pilot:
        await fill_in(pilot, app, "bob", "sesame open")
        await pilot.press("enter")
        await until(pilot, lambda: "If bob is a new name, press ctrl+n" in words(app))
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, TradeScreen))
        assert gateway.players["bob"] == "sesame open"


async def test_a_taken_name_is_said_to_be(gateway: FakeGateway) -> None:
    app = screen_for(gateway)
    async with app.run_test(size=(80, 24)) as pilot:
        await fill_in(pilot, app, "ada", "not this one")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "ada is taken" in words(app))


async def test_what_cannot_be_is_said_before_the_server_is_asked(gateway: FakeGateway) -> None:
    app = screen_for(gateway)
    async with app.run_test(size=(80, 24)) as pilot:
        for name, password, said in (
            ("", "sesame open", "Type a name"),
            ("al bundy", "sesame open", "Change it"),
            ("bob", "short", "at least 8 characters"),
        ):
            await fill_in(pilot, app, name, password)
            await pilot.press("ctrl+n")
            assert said in words(app)
    assert gateway.calls == []


async def test_a_server_that_is_away_is_said_to_be(gateway: FakeGateway) -> None:
    gateway.fail("sign_in", LOST)
    app = screen_for(gateway)
    async with app.run_test(size=(80, 24)) as pilot:
        await fill_in(pilot, app, "ada", "correct horse")
        await pilot.press("enter")
        await until(pilot, lambda: "cannot be reached. Check the address" in words(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TradeScreen))


NO_TLS = BearpitError(grpc.StatusCode.UNAVAILABLE, "", CONNECTION_FAULTS["WRONG_VERSION_NUMBER"])


async def test_a_server_that_does_not_encrypt_is_said_not_to(gateway: FakeGateway) -> None:
    gateway.fail("sign_in", NO_TLS)
    app = screen_for(gateway)
    async with app.run_test(size=(80, 24)) as pilot:
        await fill_in(pilot, app, "ada", "correct horse")
        await pilot.press("enter")
        await until(pilot, lambda: "does not encrypt; connect without TLS. Start bearpit" in words(app))


async def test_a_stored_sign_in_tells_of_a_server_that_does_not_encrypt(
    gateway: FakeGateway, session: StoredSession
) -> None:
    gateway.fail("resume", NO_TLS)
    app = screen_for(gateway, Start(SERVER, session=session))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TradeScreen))
        message = app.screen.query_one(MessageLine)
        await until(pilot, lambda: message.notice and "does not encrypt" in message.notice.text)


async def test_name_and_password_from_the_command_line_go_straight_in(gateway: FakeGateway) -> None:
    app = screen_for(gateway, Start(SERVER, "ada", "correct horse"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TradeScreen) and app.screen.state.wallet.loaded)


async def test_a_stored_sign_in_opens_the_market_at_once(
    gateway: FakeGateway, session: StoredSession
) -> None:
    app = screen_for(gateway, Start(SERVER, session=session))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TradeScreen))
        await until(pilot, lambda: gateway.made("resume") == ["stored token"])
        assert json.loads(session.path.read_text())["refresh_token"] == "another token"


async def test_a_stored_sign_in_waits_for_a_server_that_is_away(
    gateway: FakeGateway, session: StoredSession, monkeypatch: object
) -> None:
    gateway.fail("resume", LOST)
    app = screen_for(gateway, Start(SERVER, session=session))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(gateway.made("resume")) == 2)
        assert isinstance(app.screen, TradeScreen)


async def test_a_sign_in_that_has_ended_leads_back_to_the_password(
    gateway: FakeGateway, session: StoredSession
) -> None:
    session.save("stored")
    gateway.refuses_resume = error("TOKEN_REUSED", grpc.StatusCode.UNAUTHENTICATED)
    app = screen_for(gateway, Start(SERVER, session=session))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, SignInScreen))
        assert "Sign in again" in words(app)
        assert app.screen.query_one("#name", Input).value == "ada"
        assert not session.path.exists()


async def test_signing_out_forgets_the_sign_in(gateway: FakeGateway, home: Path) -> None:
    app = screen_for(gateway, Start(SERVER, "ada", "correct horse"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TradeScreen))
        screen = app.screen
        assert isinstance(screen, TradeScreen)
        screen.action_sign_out()
        await until(pilot, lambda: isinstance(app.screen, SignInScreen))
        assert gateway.made("sign_out") == ["ada"]
        assert list((home / "sessions").glob("*.json")) == []


async def test_the_first_minute_is_explained_once(gateway: FakeGateway, session: StoredSession) -> None:
    remember(hint_seen=False)
    app = screen_for(gateway, Start(SERVER, session=session))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ReadingScreen))
        assert "Welcome, ada. You are in the market with 9,900.00" in app.screen.text.plain  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TradeScreen))
        assert load_remembered().hint_seen
