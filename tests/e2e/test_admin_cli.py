"""`bearpit-admin` against a running server: as typed, as piped, as answered on a terminal."""

import asyncio
import csv
import io
import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bearpit.client import connect
from bearpit.v1 import trading_pb2
from bearpit_admin import listing
from bearpit_admin.app import app
from bearpit_server.services.first_operator import create_first_operator
from bearpit_server.storage.database import Database
from typer.testing import CliRunner, Result

from tests.orders import buy
from tests.postgres import Postgres
from tests.venue import OPERATOR, PASSWORD, ServerProcess

COMMAND = [sys.executable, "-m", "bearpit_admin"]
PATIENCE = 20


@pytest.fixture(scope="module", name="database")
def make_database(postgres: Postgres) -> Iterator[Database]:
    with postgres.database() as database:
        create_first_operator(database, OPERATOR, PASSWORD)
        yield database


@contextmanager
def running(server: ServerProcess) -> Iterator[str]:
    """The server until it is killed; gives its address."""
    asyncio.run(server.start())
    try:
        yield server.address
    finally:
        server.kill()


@pytest.fixture(scope="module", name="address")
def make_address(
    postgres: Postgres, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with running(ServerProcess(postgres.url_of(database), tmp_path_factory.mktemp("server"))) as address:
        yield address


@pytest.fixture(scope="module", name="signed_in")
def make_signed_in(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the operator's sign-in."""
    home = Path(tmp_path_factory.mktemp("home"))
    environment = {"BEARPIT_HOME": str(home), "BEARPIT_SERVER": address, "BEARPIT_PASSWORD": PASSWORD}
    result = CliRunner().invoke(app, ["login", OPERATOR], env=environment)
    assert result.exit_code == 0, result.output
    return home


@pytest.fixture(autouse=True)
def environment(address: str, signed_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARPIT_HOME", str(signed_in))
    monkeypatch.setenv("BEARPIT_SERVER", address)
    for variable in ("BEARPIT_PASSWORD", "BEARPIT_TOKEN"):
        monkeypatch.delenv(variable, raising=False)


def admin(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def done(*arguments: str) -> str:
    """The standard output of a command that succeeds."""
    result = admin(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(*arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(done(*arguments, "-o", "json"))
    return found


def piped(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A real process without a terminal."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def on_a_terminal(*arguments: str, answer: str = "", **environment: str) -> tuple[int, str]:
    """A real process on a pseudo-terminal, answered once it asks; the blank comes when the echo is off."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    while True:
        ready, _, _ = select.select([ours], [], [], PATIENCE)
        assert ready, said
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        said += chunk
        if answer and said.endswith(b": "):
            os.write(ours, answer.encode() + b"\n")
            answer = ""
    os.close(ours)
    return process.wait(PATIENCE), said.decode()


# --- the commands, one after the other -----------------------------------------------------------------

STORY: list[tuple[str, int, str]] = [
    ("player create t_ada --cash 500.00", 0, r"^\S{12,}$"),
    ("player create t_ada", 3, "taken"),
    ("player create t_bob --cash 0.07 --role admin", 0, r"^\S{12,}$"),
    (
        "player create t_dot --role code_manager --role announcer",
        0,
        r"^\S{12,}$",
    ),
    ("player create t_cy --role admin --cash 0 --dry-run", 0, "dry run"),
    ("player create x", 2, "3 to 24"),
    ("player list --search t_", 0, "t_ada\tplayer\tno\tno\t500.00"),
    ("player show T_ADA", 0, "cash\t500.00"),
    ("player show nobody", 3, "no player nobody"),
    ("player adjust t_ada --cash 12.40 --reason prize", 0, "gave 12.40 points to t_ada, who now has 512.40"),
    (
        "player adjust t_ada --cash -12.4 --reason oops --yes",
        0,
        "took 12.40 points from t_ada, who now has 500.00",
    ),
    ("player adjust t_ada --cash -500.01 --reason oops --yes", 3, "500.01 points and 500.00 are free"),
    ("player adjust t_ada --cash 99999999999999.99 --reason oops", 2, "amount: give"),
    ("instruments create t.acme --name Acme --tick 0.05 --lot 10", 0, "created instrument T.ACME"),
    ("instruments create t.acme --name Acme", 3, "already"),
    ("instruments update t.acme --fee-bps 25 --reference 12.40", 0, "updated instrument T.ACME"),
    ("instruments update nope --fee-bps 25", 3, "no instrument NOPE"),
    ("instruments list", 0, r"T.ACME\tAcme\t\w+\t\t\t\t0.05\t10\t10\t10000000\t25\t0\t12.40\t0"),
    ("ipo open t.acme --price 12.41 --quantity 1000 --yes", 2, "tick, 0.05"),
    ("ipo open t.acme --price 12.40 --quantity 1000 --yes --dry-run", 0, "dry run"),
    (
        "ipo open t.acme --price 12.40 --quantity 1000 --yes",
        0,
        "offered 1000 shares of T.ACME at 12.40 points",
    ),
    ("ipo open t.acme --price 12.40 --quantity 1000 --yes", 3, "IPO"),
    (
        "player adjust t_ada --shares 30 --symbol t.acme --reason prize",
        0,
        "gave 30 shares of T.ACME to t_ada",
    ),
    (
        "player adjust t_ada --shares -1 --symbol t.acme --reason oops --yes",
        0,
        "took 1 share of T.ACME from",
    ),
    ("player adjust t_ada --shares 1 --symbol t.acme --reason oops", 0, "who now has 30"),
    ("player show t_ada", 0, "T.ACME\t30\t0\t0.00\t0.00"),
    ("market schedule", 0, "days\t\nopens\t\ncloses\t\npre_open_minutes\t\ntime_zone\t"),
    ("market pre-open", 0, "the market is pre-open"),
    ("market open --dry-run", 0, "dry run, nothing changed: the market is open"),
    ("market status", 0, "phase\tpre-open"),
    ("market open", 0, "the market is open"),
    ("market halt T.ACME", 0, "halted T.ACME"),
    ("market halt --all --yes", 0, "halted all trading"),
    ("market schedule", 0, "all_halted\tyes"),
    ("market resume --all", 0, "resumed all trading"),
    ("market resume T.ACME", 0, "resumed T.ACME"),
    ("market close --yes", 0, "the market is closed"),
    ("market schedule --days 1-7 --opens 00:00 --closes 00:00 --zone Europe/Vienna", 0, "the market's hours"),
    ("market schedule --days 1-7 --opens 0:00 --closes 00:00", 2, "HH:MM"),
    ("market schedule --days 1,3-4 --opens 09:00 --closes 17:00 --zone Nowhere/Land", 2, "time zone"),
    ("market auto", 0, "the market is open"),
    ("market schedule", 0, "time_zone\tEurope/Vienna"),
    ("market schedule --remove", 0, "removed the market's hours; the market is closed"),
    ("orders list --player t_ada", 0, "^id\tplayer"),
    ("orders list --player nobody", 3, "no player nobody"),
    ("orders cancel 1234567 --yes", 3, "no order 1234567"),
    ("trades list --symbol t.acme", 0, "^id\texecuted_at"),
    ("announce send hello --for 45m", 0, "announced: hello"),
    ("announce send Hush **loud** --urgent --role player --dry-run", 0, "dry run, .* to role player: Hush"),
    ("announce send later --at +1h --until +2h", 0, "announced: later; announcement .* comes out at "),
    ("announce send late --for 5m --until +2h", 2, "not both"),
    ("announce send x --team nobody", 3, "no team nobody"),
    ("announce list", 0, "later\tinfo\tall\tscheduled"),
    ("announce show 1234567", 3, "no announcement 1234567"),
    ("announce withdraw 1234567", 3, "no announcement 1234567"),
    ("channel list", 0, "^id\tplayer\tkind\taddress"),
    ("channel dead", 0, "^id\tplayer\tchannel"),
    ("channel retry 1234567", 3, "no dead letter 1234567"),
    ("market status", 0, "announcements\thello"),
    (
        "settings set starting_cash_cents=50.00 max_open_orders=7",
        0,
        "starting_cash_cents=5000\nmax_open_orders=7",
    ),
    ("settings set max_open_orders=-1", 2, "max_open_orders"),
    ("settings set nonsense=1", 3, "no setting nonsense"),
    ("settings list", 0, "max_open_orders\t7\t500\t"),
    ("token create t_kiosk --scope market.read --scope admin.read", 0, "^bps_"),
    ("token create t_kiosk --scope market.read", 3, "taken"),
    ("token list", 0, "t_kiosk\tadmin.read,market.read\tno"),
    ("token revoke t_kiosk --yes", 0, "revoked token t_kiosk"),
    ("token revoke t_nobody --yes", 3, "no service token"),
    ("player disable t_bob --yes --dry-run", 0, "dry run"),
    ("player list --search t_bob", 0, "t_bob\tadmin\tno"),
    ("player disable t_bob --yes", 0, "disabled t_bob; 0 open orders cancelled"),
    ("player list --search t_bob", 0, "t_bob\tadmin\tyes"),
    ("player enable t_bob", 0, "enabled t_bob"),
    ("player disable operator --yes", 2, "yourself"),
    ("player freeze t_bob --reason oops --yes", 0, "froze t_bob; 0 open orders cancelled"),
    ("player show t_bob", 0, "frozen\tyes"),
    ("player unfreeze t_bob --reason sorry", 0, "unfroze t_bob"),
    ("role list", 0, "code_points_manager\tcode_manager,points_manager\tLOOK,"),
    ("role show announcer", 0, "CREATE_ANNOUNCEMENT\tannounce"),
    ("role grant t_ada announcer surveillance --dry-run", 0, "dry run, nothing changed: t_ada is player, "),
    (
        "role grant t_ada announcer surveillance",
        0,
        "may now VIEW_ALL_PLAYERS, CREATE_ANNOUNCEMENT, VIEW_AUDIT",
    ),
    (
        "role revoke t_ada code_manager --yes",
        3,
        "t_ada is no code_manager, but announcer, player, surveillance",
    ),
    ("role revoke t_ada announcer surveillance --yes", 0, "may no longer VIEW_ALL_PLAYERS"),
    ("role revoke t_ada player --yes", 0, "t_ada is player"),
    ("role grant nobody announcer", 3, "no player nobody"),
    ("role revoke t_bob admin --yes", 0, "t_bob is player"),
    ("role revoke operator admin --yes", 3, "last admin is operator"),
    ("player sudo operator --reason why", 2, "your own eyes"),
    ("player sudo t_ada --reason why --dry-run", 0, "dry run"),
    ("player reset-password t_bob --yes", 0, r"^\S{12,}$"),
    ("status", 0, "market_phase\tclosed"),
    ("status", 0, r"shards\t16 at 127.0.0.1:\d+$"),
    ("events --type settings. --limit 1", 0, "settings.changed"),
    ("events --after nonsense", 2, "position"),
    ("doctor", 0, "yes\treplaying the postings gives every balance"),
    ("--context nowhere player list", 3, "no context nowhere"),
    ("--server 127.0.0.1:1 player list", 4, "bearpit-admin --server 127.0.0.1:1 login"),
]


def test_an_operators_day() -> None:
    for line, exit_code, pattern in STORY:
        result = admin(*line.split())
        said = result.stdout if exit_code == 0 else result.stderr
        assert result.exit_code == exit_code, f"{line}: {result.output}"
        assert re.search(pattern, said, re.MULTILINE), f"{line}: {said}"
        if exit_code:
            assert result.stdout == "", line
            assert "Traceback" not in said, line


# --- output ----------------------------------------------------------------------------------------------


def test_a_pipe_gets_plain_columns_and_nothing_on_standard_error() -> None:
    result = piped("player", "list", "--search", OPERATOR)
    assert result.returncode == 0
    assert result.stderr == ""
    header, row = result.stdout.splitlines()
    assert header.split("\t") == [
        "id", "name", "roles", "disabled", "frozen", "cash", "held", "created_at",
    ]  # fmt: skip
    assert row.split("\t")[1:3] == [OPERATOR, "admin"]


def test_every_format_tells_the_same() -> None:
    [wanted] = rows("player", "list", "--search", OPERATOR)
    lines = done("player", "list", "--search", OPERATOR, "-o", "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [wanted]
    [row] = csv.DictReader(io.StringIO(done("player", "list", "--search", OPERATOR, "-o", "csv")))
    assert row["name"] == wanted["name"]
    assert row["cash"] == wanted["cash"]


def test_a_terminal_gets_a_table() -> None:
    code, said = on_a_terminal("player", "list", "--search", OPERATOR, COLUMNS="120")
    assert code == 0
    assert "─" in said
    assert "\x1b[1m" in said


@pytest.mark.parametrize("listing", ["player", "instruments", "orders", "trades"])
def test_no_listing_is_cut_on_a_terminal_of_eighty_columns(listing: str) -> None:
    code, said = on_a_terminal(listing, "list", COLUMNS="80", NO_COLOR="1")
    assert code == 0
    assert "…" not in said
    assert all(
        len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 80 for line in said.splitlines() if ": " not in line
    )


def test_no_color_is_respected() -> None:
    _, said = on_a_terminal("player", "list", "--search", OPERATOR, NO_COLOR="1", COLUMNS="120")
    assert not re.search(r"\x1b\[3\dm", said)


def test_a_reader_that_leaves_early_is_no_fault() -> None:
    command = f"{sys.executable} -m bearpit_admin events --limit 0 --after 0-0 -o jsonl | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert len(result.stdout.splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_lists_page_through_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        done("player", "create", f"page_{number}", "--cash", "0")
    monkeypatch.setattr(listing, "PAGE", 2)
    names = [row["name"] for row in rows("player", "list", "--search", "page_", "--limit", "0")]
    assert names == [f"page_{number}" for number in range(5)]
    assert len(rows("player", "list", "--search", "page_", "--limit", "3")) == 3


# --- answers -----------------------------------------------------------------------------------------------


def test_a_no_on_a_terminal_changes_nothing() -> None:
    done("player", "create", "keep_me", "--cash", "0")
    code, said = on_a_terminal("player", "disable", "keep_me", answer="n")
    assert code == 1
    assert "Nothing was changed" in said
    assert rows("player", "list", "--search", "keep_me")[0]["disabled"] is False


def test_a_yes_on_a_terminal_does_it() -> None:
    done("player", "create", "drop_me", "--cash", "0")
    code, _ = on_a_terminal("player", "disable", "drop_me", answer="y")
    assert code == 0
    assert rows("player", "list", "--search", "drop_me")[0]["disabled"] is True


def test_a_password_that_is_typed_is_not_shown(tmp_path: Path) -> None:
    code, said = on_a_terminal("login", OPERATOR, answer=PASSWORD, BEARPIT_HOME=str(tmp_path))
    assert code == 0
    assert PASSWORD not in said


# --- signing in --------------------------------------------------------------------------------------------


def test_login_keeps_tokens_that_only_the_owner_can_read(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    result = piped(
        "login", OPERATOR, "--password-file", str(tmp_path / "password"), BEARPIT_HOME=str(tmp_path)
    )
    assert result.returncode == 0
    [path] = (tmp_path / "admin" / "sign-ins").glob("*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stored = json.loads(path.read_text())
    for secret in (PASSWORD, stored["access_token"], stored["refresh_token"]):
        assert secret not in result.stdout + result.stderr


def test_a_wrong_password_is_not_allowed(tmp_path: Path) -> None:
    result = piped("login", OPERATOR, BEARPIT_HOME=str(tmp_path), BEARPIT_PASSWORD="wrong password")
    assert result.returncode == 4
    assert "wrong" in result.stderr
    assert not list(tmp_path.glob("admin/sign-ins/*.json"))


def test_a_player_who_is_not_of_the_staff_is_told_so_and_how_to_become_one(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("mere mortal\n")
    done("player", "create", "mortal", "--password-file", str(tmp_path / "password"))
    own = {"BEARPIT_HOME": str(tmp_path), "BEARPIT_PASSWORD": "mere mortal"}
    result = piped("login", "mortal", **own)
    assert result.returncode == 0
    assert "not of the staff" in result.stderr
    refused = piped("player", "list", **own)
    assert refused.returncode == 4
    assert "VIEW_ALL_PLAYERS" in refused.stderr
    assert "bearpit-admin role grant NAME points_manager" in refused.stderr
    assert "(needs VIEW_ALL_PLAYERS)" in " ".join(piped("player", "--help", **own).stdout.split())
    done("role", "grant", "mortal", "surveillance")
    assert piped("player", "list", **own).returncode == 0, "without signing in again"


def test_no_server_is_unreachable(tmp_path: Path) -> None:
    result = piped(
        "login", OPERATOR, BEARPIT_HOME=str(tmp_path), BEARPIT_PASSWORD=PASSWORD, BEARPIT_SERVER="127.0.0.1:1"
    )
    assert result.returncode == 5
    assert "127.0.0.1:1" in result.stderr
    assert "bearpit-server" in result.stderr


def test_logout_ends_the_sign_in(tmp_path: Path) -> None:
    own = {"BEARPIT_HOME": str(tmp_path), "BEARPIT_PASSWORD": PASSWORD}
    piped("login", OPERATOR, **own)
    assert piped("logout", **own).returncode == 0
    assert piped("player", "list", **own).returncode == 4
    assert "nobody was signed in" in piped("logout", **own).stdout


def stored_in(home: Path) -> Path:
    [path] = (home / "admin" / "sign-ins").glob("*.json")
    return path


@pytest.mark.parametrize("change", [{"access_expires_at": 0}, {"access_token": "no longer good"}])
def test_a_sign_in_that_has_ended_is_renewed_unasked(change: dict[str, object], tmp_path: Path) -> None:
    own = {"BEARPIT_HOME": str(tmp_path), "BEARPIT_PASSWORD": PASSWORD}
    piped("login", OPERATOR, **own)
    stored = json.loads(stored_in(tmp_path).read_text())
    stored_in(tmp_path).write_text(json.dumps({**stored, **change}))
    assert piped("player", "list", **own).returncode == 0
    renewed = json.loads(stored_in(tmp_path).read_text())
    assert renewed["refresh_token"] != stored["refresh_token"]
    assert piped("player", "list", **own).returncode == 0


def test_many_commands_at_once_renew_a_sign_in_once(tmp_path: Path) -> None:
    own = {"BEARPIT_HOME": str(tmp_path), "BEARPIT_PASSWORD": PASSWORD}
    piped("login", OPERATOR, **own)
    stored = json.loads(stored_in(tmp_path).read_text())
    stored_in(tmp_path).write_text(json.dumps({**stored, "access_expires_at": 0}))
    processes = [
        subprocess.Popen(
            [*COMMAND, "player", "list"],
            env={**os.environ, **own},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(6)
    ]
    outcomes = [(process.communicate(timeout=PATIENCE)[1], process.returncode) for process in processes]
    assert [code for _, code in outcomes] == [0] * 6, outcomes


def test_a_service_token_serves_where_nobody_signs_in(tmp_path: Path) -> None:
    secret = done("token", "create", "script", "--scope", "admin.read").strip()
    own = {"BEARPIT_HOME": str(tmp_path), "BEARPIT_TOKEN": secret}
    assert piped("player", "list", **own).returncode == 0
    result = piped("announce", "send", "hello", **own)
    assert result.returncode == 4
    assert secret not in result.stderr


# --- orders, events, proofs --------------------------------------------------------------------------------


def test_an_operator_looks_through_a_players_eyes(tmp_path: Path) -> None:
    done("player", "create", "eyed", "--cash", "100.00")
    lent = piped("player", "sudo", "eyed", "--reason", "cannot see her orders")
    assert lent.returncode == 0
    token = lent.stdout.strip()
    assert len(token.split(".")) == 3
    assert token not in lent.stderr
    assert "BEARPIT_TOKEN=... bearpit --server 127.0.0.1:" in lent.stderr
    through = {"BEARPIT_TOKEN": token, "BEARPIT_HOME": str(tmp_path)}
    assert piped("market", "status", **through).returncode == 0
    refused = piped("player", "list", **through)
    assert refused.returncode == 4
    assert "VIEW_ALL_PLAYERS" in refused.stderr
    calls = [event["payload"] for event in rows("events", "--type", "impersonation.", "--limit", "0")]
    assert any("cannot see her orders" in str(payload) for payload in calls)
    assert any("ListPlayers" in str(payload) for payload in calls)
    assert not any(token in str(payload) for payload in calls)


def test_what_an_admins_eyes_may_not_do_is_told(tmp_path: Path) -> None:
    done("player", "create", "second", "--role", "admin", "--cash", "0")
    token = piped("player", "sudo", "second", "--reason", "x").stdout.strip()
    refused = piped(
        "role", "revoke", "second", "admin", "--yes", BEARPIT_TOKEN=token, BEARPIT_HOME=str(tmp_path)
    )
    assert refused.returncode == 4
    assert "unset BEARPIT_TOKEN" in refused.stderr


def test_an_order_of_anyone_is_listed_and_cancelled(address: str) -> None:
    async def place() -> int:
        async with connect(address) as trader:
            await trader.sign_in("trader", password)
            request = trading_pb2.PlaceOrderRequest(order=buy("CNCL", 5, 1_240))
            return (await trader.trading.PlaceOrder(request)).order.order_id

    done("instruments", "create", "CNCL", "--name", "Cancel me", "--fee-bps", "0")
    password = done("player", "create", "trader", "--cash", "100.00").strip()
    done("market", "open")
    order_id = asyncio.run(place())
    [order] = rows("orders", "list", "--player", "trader", "--open")
    assert (order["id"], order["price"], order["held"], order["side"]) == (order_id, "12.40", "62.00", "buy")
    assert "cancelled order" in done("orders", "cancel", str(order_id), "--yes")
    assert rows("orders", "list", "--player", "trader", "--open") == []
    assert admin("orders", "cancel", str(order_id), "--yes").exit_code == 3


def test_an_announcement_is_looked_at_made_shown_and_withdrawn(tmp_path: Path) -> None:
    body = "# Menu\n\n- soup\n- <b>bread</b>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    file = tmp_path / "menu.md"
    file.write_text(body.replace("\n", "\r\n"), newline="")
    looked = done("announce", "send", "Menu", "--file", str(file), "--urgent", "--dry-run")
    assert all(part in looked for part in ("URGENT", "• soup", "• <b>bread</b>", "dry run"))
    done("announce", "send", "Menu", "--file", str(file), "--urgent", "--for", "5m")
    [made] = [one for one in rows("announce", "list") if one["title"] == "Menu"]
    assert (made["priority"], made["for"], made["state"]) == ("urgent", "all", "standing")
    shown = json.loads(done("announce", "show", str(made["id"]), "-o", "json"))
    assert shown["body"] == body.strip()
    assert "withdrew" in done("announce", "withdraw", str(made["id"]))
    assert [one["state"] for one in rows("announce", "list") if one["id"] == made["id"]] == ["withdrawn"]
    assert admin("announce", "withdraw", str(made["id"])).exit_code == 3


def test_followed_events_come_as_they_happen_and_end_with_an_interrupt() -> None:
    follower = subprocess.Popen(
        [*COMMAND, "events", "--type", "announcement.", "--follow", "-o", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    texts = ["one", "two", "three"]
    seen: list[str] = []
    for text in texts:
        done("announce", "send", text)
        while text not in seen:
            seen.append(json.loads(json.loads(follower.stdout.readline())["payload"])["title"])
    assert [text for text in seen if text in texts] == texts
    follower.send_signal(signal.SIGINT)
    _, errors = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 0, errors
    assert "Traceback" not in errors


def test_followed_events_go_on_when_the_server_is_there_again(
    postgres: Postgres, database: Database, tmp_path: Path
) -> None:
    server = ServerProcess(postgres.url_of(database), tmp_path)
    own = {**os.environ, "BEARPIT_HOME": str(tmp_path), "BEARPIT_PASSWORD": PASSWORD}
    with running(server) as address:
        own["BEARPIT_SERVER"] = address
        assert piped("login", OPERATOR, **own).returncode == 0
        follower = subprocess.Popen(
            [*COMMAND, "events", "--type", "announcement.", "--follow", "-o", "jsonl"],
            env=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert follower.stdout is not None
        assert follower.stderr is not None
        assert piped("announce", "send", "before", **own).returncode == 0
        next(line for line in follower.stdout if "before" in line)
    assert "trying again" in follower.stderr.readline()
    with running(server):
        assert piped("announce", "send", "after", **own).returncode == 0
        assert "after" in json.loads(follower.stdout.readline())["payload"]
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 0


def test_the_doctor_ends_with_one_when_a_rule_is_broken(database: Database) -> None:
    def give(cents: int) -> None:
        with database.transaction():
            database.execute(f"UPDATE accounts SET balance = balance + {cents} WHERE kind = 'fees'")

    give(7)
    result = piped("doctor", "-o", "json")
    give(-7)
    assert result.returncode == 1
    assert re.match(r"2 of \d+ rules are broken", result.stderr)
    assert "asset 0 is off by 7" in result.stdout
    assert piped("doctor").returncode == 0


# --- the first operator ------------------------------------------------------------------------------------

FAKE_SERVER = """
import json, os, sys
with open(os.environ["SEEN"], "w") as file:
    json.dump([sys.argv[1:], os.environ.get("BEARPIT_PASSWORD")], file)
print(os.environ["SAY"], file=sys.stderr)
raise SystemExit(int(os.environ["CODE"]))
"""


def init(tmp_path: Path, code: int, say: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """`bearpit-admin init`, with a program in the server's place."""
    package = tmp_path / "fake" / "bearpit_server"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE_SERVER)
    first = os.pathsep.join((str(tmp_path / "fake"), os.environ.get("PYTHONPATH", "")))
    own = {
        "PYTHONPATH": first, "SEEN": str(tmp_path / "seen"), "SAY": say, "CODE": str(code),
        "BEARPIT_HOME": str(tmp_path), "BEARPIT_PASSWORD": PASSWORD,
    }  # fmt: skip
    return piped("init", OPERATOR, **{**own, **environment})


def test_init_has_the_server_make_the_operator_and_signs_in(tmp_path: Path) -> None:
    result = init(tmp_path, 0)
    assert result.returncode == 0, result.stderr
    assert f"as {OPERATOR}" in result.stdout
    assert json.loads((tmp_path / "seen").read_text()) == [["init", "--name", OPERATOR], PASSWORD]
    assert stored_in(tmp_path).exists()


def test_init_without_a_running_server_says_how_to_go_on(tmp_path: Path) -> None:
    result = init(tmp_path, 0, BEARPIT_SERVER="127.0.0.1:1")
    assert result.returncode == 0
    assert "bearpit-server" in result.stderr
    assert f"bearpit-admin login {OPERATOR}" in result.stderr


def test_init_refuses_where_there_is_an_operator(tmp_path: Path) -> None:
    result = init(tmp_path, 3, say="error: there is an operator already, ada")
    assert result.returncode == 3
    assert result.stderr == "error: There is an operator already, ada.\n"
