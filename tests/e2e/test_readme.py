"""The README's promises: its bot runs as it stands, its commands exist, and it gives nothing away."""

import asyncio
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from bearpit.v1 import admin_pb2, arcade_pb2, trading_pb2, wallet_pb2
from bearpit_admin.app import app
from typer.main import get_command

from tests.venue import Venue

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PATIENCE_SECONDS = 30


BOT, MACHINE = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


async def test_the_bot_trades_as_it_is_printed(venue: Venue, tmp_path: Path) -> None:
    await venue.list_instrument("ACME", reference_price_cents=1_000)
    await venue.open_market()
    maker = await venue.player("maker", ACME=1_000)
    taker = await venue.player("taker")
    await maker.sell("ACME", 10, price_cents=1_000)
    await taker.buy("ACME", 10, price_cents=1_000)
    script = tmp_path / "bot.py"
    script.write_text(BOT.replace("127.0.0.1:7117", venue.address))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(script), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            # It only buys what has fallen after it came, so the dip waits for it.
            await until_it_watches(venue)
            await maker.sell("ACME", 10, price_cents=950)
            line = (await process.stdout.readline()).decode()
        assert line == "bought 10 ACME at 9.5\n"
    finally:
        process.kill()
        await process.communicate()
    orders = await maker.trading.ListOrders(trading_pb2.ListOrdersRequest())
    assert [order.remaining_quantity for order in orders.orders] == [0, 0]


async def until_it_watches(venue: Venue) -> None:
    """Its sign-in opens no stream; watching prices does."""
    operator = await venue.operator()
    while True:
        status = await operator.admin.GetServerStatus(admin_pb2.GetServerStatusRequest())
        if status.streams:
            return
        await asyncio.sleep(0.05)


async def test_the_machine_takes_and_gives_as_it_is_printed(venue: Venue, tmp_path: Path) -> None:
    ada = await venue.player("ada")
    operator = await venue.operator()
    made = await operator.arcade.CreateMachine(arcade_pb2.CreateMachineRequest(name="pinball"))
    (tmp_path / "pinball.token").write_text(f"{made.secret}\n")
    (tmp_path / "machine.py").write_text(MACHINE.replace("127.0.0.1:7117", venue.address))
    before = (await ada.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet
    process = await asyncio.create_subprocess_exec(
        sys.executable, "machine.py", cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        said, _ = await process.communicate(b"ada\n")
    assert said.decode() == "who plays? ada wins 5.0\n"
    after = (await ada.wallet.GetWallet(wallet_pb2.GetWalletRequest())).wallet
    assert after.cash_cents == before.cash_cents - 200 + 500


@pytest.mark.parametrize(("code", "most"), [(BOT, 20), (MACHINE, 12)])
def test_the_code_has_as_few_lines_as_it_says(code: str, most: int) -> None:
    assert len([line for line in code.splitlines() if line]) <= most


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_the_certificate_is_made_as_it_says_and_fits_its_key(tmp_path: Path) -> None:
    [command] = re.findall(r"^openssl req .*?(?=^```)", README, re.MULTILINE | re.DOTALL)
    subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=True)
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    [authority] = context.get_ca_certs()
    assert ("DNS", "camp.example") in authority["subjectAltName"]


def test_every_operator_command_is_named() -> None:
    commands = set(getattr(get_command(app), "commands"))  # noqa: B009 - typer's type hides it
    table = README.partition("## For operators")[2].partition("Tables on a terminal")[0]
    assert commands == set(re.findall(r"`([a-z]+)`", table))


def printed_commands() -> list[str]:
    """What is typed into a shell, without what is said of it."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line.partition("  #")[0] for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("bearpit-admin ")]


@pytest.mark.parametrize("line", printed_commands())
def test_every_operator_command_can_be_given_as_it_is_printed(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0].replace("--context camp ", ""))[1:]
    command = get_command(app)
    while groups := getattr(command, "commands", None):
        command = groups[words.pop(0)]
    command.make_context("", words)


def test_make_help_lists_every_command_that_the_readme_names() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in set(re.findall(r"\bmake ([a-z]+)\b(?= +#| ARGS|`)", README)):
        assert f"make {command} " in listed


@pytest.mark.parametrize("path", ["README.md", "tui/screen.svg"])
def test_names_no_machine(path: str) -> None:
    text = (ROOT / path).read_text()
    assert not re.search(
        r"/(?:home|root|work|tmp)/|https?://(?!www\.(?:w3|standardwebhooks)\b)", text, re.IGNORECASE
    )


def test_the_picture_is_there_and_is_the_screen() -> None:
    [path] = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    picture = (ROOT / path).read_text()
    assert picture.lstrip().startswith("<svg")
    for word in ("IBM", "Watch", "Attention", "Positions"):
        assert word in picture
