"""`bearpit-admin team`, `booth` and `arcade` against a running server: what they tell is what there is."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from bearpit.client import connect
from bearpit.client.arcade import Machine
from bearpit_admin.app import app
from typer.testing import CliRunner, Result

from tests.e2e.outages import site
from tests.postgres import Postgres
from tests.venue import OPERATOR, PASSWORD


@pytest.fixture(scope="module", name="address")
def make_address(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with site(postgres, tmp_path_factory.mktemp("site")) as here:
        server = here.server()
        asyncio.run(server.start())
        yield server.address
        server.kill()
        here.prove()


@pytest.fixture(autouse=True)
def environment(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    monkeypatch.setenv("BEARPIT_SERVER", address)
    monkeypatch.setenv("BEARPIT_PASSWORD", PASSWORD)
    monkeypatch.delenv("BEARPIT_TOKEN", raising=False)
    done("login", OPERATOR)


def admin(*arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=said)


def done(*arguments: str, said: str | None = None) -> str:
    """The standard output of a command that succeeds."""
    result = admin(*arguments, said=said)
    assert result.exit_code == 0, result.output
    return result.stdout


def listed(*arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(done(*arguments, "-o", "json"))
    return found


def shown(*arguments: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(done(*arguments, "-o", "json"))
    return found


def test_a_camp_is_put_into_teams_by_one_file() -> None:
    names = [f"camper{number}" for number in range(6)]
    for name in names:
        done("player", "create", name)
    file = "\n".join(["name,team", *[f"{name},Team {n % 2}" for n, name in enumerate(names)], "ghost,Team 0"])
    told = admin("team", "assign", "--file", "-", "--create-teams", "--dry-run", said=file)
    assert (told.exit_code, listed("team", "list")) == (3, [])
    assert "6 moved, 0 as they were, 1 refused" in told.stderr
    told = admin("team", "assign", "--file", "-", "--create-teams", said=file)
    assert "created team Team 0" in told.stderr
    assert [(team["name"], team["members"]) for team in listed("team", "list")] == [
        ("Team 0", 3),
        ("Team 1", 3),
    ]
    assert shown("team", "show", "TEAM 1")["players"] == [
        {"id": id_, "name": name, "disabled": False}
        for id_, name in ((3, "camper1"), (5, "camper3"), (7, "camper5"))
    ]
    code = done("team", "code", "Team 1", "--renew").strip()
    assert done("team", "code", "Team 1") == f"{code}\n"
    assert admin("team", "update", "Team 1", "--max", "2").exit_code == 2
    done("team", "update", "Team 1", "--max", "3", "--name", "Owls")
    full = admin("team", "assign", names[0], "Owls")
    assert "Team Owls takes 3 players and has them" in " ".join(full.stdout.split())
    assert listed("team", "remove", names[1])[0]["from_team"] == "Owls"
    done("team", "assign", names[0], "Owls")
    assert [shown("player", "show", name)["team"] for name in names[:2]] == ["Owls", None]
    done("team", "code", "Owls", "--end", "--yes")
    assert admin("team", "code", "Owls").exit_code == 3


def test_a_volunteer_scans_visitors(monkeypatch: pytest.MonkeyPatch) -> None:
    password = done("booth", "create", "sitcon", "--reward", "5", "--creates-players").strip()
    done("player", "create", "known", "--cash", "0")
    monkeypatch.setenv("BEARPIT_PASSWORD", password)
    told = admin("booth", "visit", "sitcon", "--scan", said="known\nfresh.face\nKNOWN\nnot a name\n")
    assert told.stderr.endswith("2 visits, 2 refused\n")
    assert "known gets 5.00 points\n" in told.stdout
    monkeypatch.setenv("BEARPIT_PASSWORD", told.stdout.split()[-1])
    done("login", "fresh.face")
    monkeypatch.setenv("BEARPIT_PASSWORD", PASSWORD)
    done("login", OPERATOR)
    booth = shown("booth", "show", "sitcon")
    assert (booth["visits"], booth["players_created"], booth["given"]) == (2, 1, "10.00")
    assert [visit["player"] for visit in listed("booth", "visits", "--booth", "sitcon")] == [
        "fresh.face",
        "known",
    ]
    newer = done("booth", "rotate", "sitcon", "--yes").strip()
    for given, ends in ((password, 4), (newer, 3)):
        monkeypatch.setenv("BEARPIT_PASSWORD", given)
        assert admin("booth", "visit", "sitcon", "known").exit_code == ends
    done("booth", "close", "sitcon", "--yes")
    assert admin("booth", "visit", "sitcon", "known").exit_code == 3
    done("booth", "open", "sitcon")
    done("booth", "update", "sitcon", "--name", "coscup", "--reward", "game", "--no-creates-players")
    assert listed("booth", "list")[0]["reward"] == "1000.00"


def test_a_machine_plays_and_its_statement_adds_up(address: str) -> None:
    secret = done("arcade", "create", "pinball", "--play-take", "5").strip()
    done("player", "create", "wizard", "--cash", "100")

    async def play() -> str:
        async with connect(address) as client:
            client.use_service_token(secret)
            machine = Machine(client)
            await machine.take("wizard", 500)
            return (await machine.give("wizard", 1_200, score=88)).transaction_id

    prize = asyncio.run(play())
    assert [one["kind"] for one in listed("arcade", "transactions", "--player", "wizard")] == ["give", "take"]
    assert shown("player", "show", "wizard")["cash"] == "107.00"
    done("arcade", "void", "pinball", prize, "--reason", "tilt", "--dry-run")
    assert "12.00 points taken back from wizard" in done(
        "arcade", "void", "pinball", prize, "--reason", "tilt", "-y"
    )
    assert admin("arcade", "void", "pinball", prize, "--reason", "tilt", "--yes").exit_code == 3
    [day] = listed("arcade", "statement", "pinball")
    assert (day["plays"], day["taken"], day["prizes"], day["undone"]) == (1, "5.00", 0, 1)
    limits = json.loads(
        done("arcade", "limits", "pinball", "--play-take", "game", "--day-give", "0", "-o", "json")
    )
    assert limits["limits"][0] == {"limit": "play_take", "points": "100.00", "set_by": "game"}
    assert limits["limits"][5] == {"limit": "day_give", "points": "0.00", "set_by": "machine"}
    done("arcade", "close", "pinball", "--yes")
    assert listed("arcade", "list")[0]["active"] is False
    assert shown("arcade", "show", "pinball")["taken_today"] == "5.00"
    done("arcade", "open", "pinball")
    done("doctor")
