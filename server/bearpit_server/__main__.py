"""`bearpit-server`: serve the game, or make its first operator."""

import asyncio
import gc
import ipaddress
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bearpit_server.storage.database import Database
    from bearpit_server.storage.embedded import EmbeddedPostgres
    from bearpit_server.tls import Tls

# What grpc tells of failed binds and handshakes in its own words we tell in ours, or is not for operators.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

app = typer.Typer(
    name="bearpit-server",
    help="The server of Bearpit. Example: bearpit-server serve --address 0.0.0.0:7117",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

DEFAULT_ADDRESS = "127.0.0.1:7117"
logger = logging.getLogger("bearpit_server")


def need_server_extra() -> None:
    """Exits 1 in an install of what players take: this program is in every install, its libraries are not."""
    if find_spec("peewee") is None:  # the first that is used of the extra
        typer.echo("error: The server is not installed here, only what players take.", err=True)
        typer.echo("  try: pip install '.[server]' in the project's folder", err=True)
        raise typer.Exit(1)


@contextmanager
def open_database() -> Iterator[tuple["Database", "EmbeddedPostgres | None"]]:
    """The database that BEARPIT_DATABASE_URL names, else the embedded one; migrated. Exits 1 if unusable."""
    from bearpit_server.storage.database import Database, DatabaseUnusable

    url = os.environ.get("BEARPIT_DATABASE_URL")
    embedded = None if url else _embedded()
    database = Database(url or (embedded.url if embedded else ""))
    try:
        done = database.migrate()
        if done:
            logger.info("database: %s", ", ".join(done))
        yield database, embedded
    except DatabaseUnusable as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        database.close()
        if embedded:
            embedded.stop()


def _embedded() -> "EmbeddedPostgres":
    from bearpit_server.storage.embedded import EmbeddedPostgres, home

    try:
        return EmbeddedPostgres(home() / "postgres")
    except OSError as error:
        typer.echo(f"error: {_words(error)}.", err=True)
        typer.echo("  try: set BEARPIT_HOME to a folder of yours with room in it", err=True)
        raise typer.Exit(1) from error


def _words(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an address."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(address: str) -> str:
    """Raises BadParameter for what is no address, or not one of this machine; it may be taken, though."""
    host, _, port = address.rpartition(":")
    is_ipv6 = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not is_ipv6):
        raise typer.BadParameter(f"{address} is not host:port; for example {DEFAULT_ADDRESS} or [::1]:7117")
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise typer.BadParameter(f"{port or 'nothing'} is no port; give one from 0 to 65535, 0 for any")
    try:
        found = socket.getaddrinfo(host.strip("[]"), 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise typer.BadParameter(f"there is no host {host}") from error
    if not any(map(_is_ours, found)):
        raise typer.BadParameter(f"{host} is not this machine; 0.0.0.0 stands for all of its addresses")
    return address


def _is_ours(found: tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]) -> bool:
    family, kind, protocol, _, where = found
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(where)
    except OSError:
        return False
    return True


@app.command()
def serve(
    address: Annotated[
        str, typer.Option(help="Where to listen, host:port.", callback=check_address)
    ] = DEFAULT_ADDRESS,
    tls_cert: Annotated[
        Path | None,
        typer.Option(help="A PEM certificate chain: serve TLS.", exists=True, dir_okay=False, readable=True),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(help="The PEM key of the certificate.", exists=True, dir_okay=False, readable=True),
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Write the port here when ready.")] = None,
) -> None:
    """Serve the game until interrupted. Example: bearpit-server serve --address 0.0.0.0:7117"""
    need_server_extra()
    _log_in_utc()
    if (tls_cert is None) != (tls_key is None):
        typer.echo("error: give both --tls-cert and --tls-key, or neither", err=True)
        raise typer.Exit(2)
    tls = _tls(tls_cert, tls_key) if tls_cert and tls_key else None
    if tls is None and not is_loopback(address):
        bar = "!" * 78
        typer.echo(
            f"{bar}\n!! {address} is open to the network WITHOUT TLS: passwords and tokens\n"
            "!! travel in the clear. Give --tls-cert and --tls-key, or serve on 127.0.0.1\n"
            f"!! behind something that does.\n{bar}",
            err=True,
        )
    with open_database() as (database, embedded):
        try:
            asyncio.run(_serve(database, embedded, address, tls, ready_file))
        except OSError as error:
            typer.echo(f"error: {_words(error)}", err=True)
            raise typer.Exit(1) from error


def _tls(certificate: Path, key: Path) -> "Tls":
    from bearpit_server.tls import Tls, UnusablePem

    tls = Tls(certificate, key)
    try:
        tls.check()
    except UnusablePem as error:
        option = {"certificate": "'--tls-cert'", "key": "'--tls-key'"}[error.field]
        raise typer.BadParameter(str(error), param_hint=option) from error
    return tls


def _log_in_utc() -> None:
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )


async def _serve(
    database: "Database",
    embedded: "EmbeddedPostgres | None",
    address: str,
    tls: "Tls | None",
    ready_file: Path | None,
) -> None:
    from bearpit_server.bootstrap import serve as serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(database, address, tls) as running:
        gc.collect()
        gc.freeze()  # what is here now stays; the collector need not look at it again
        gc.set_threshold(50_000, 20, 50)  # nor so often at what comes and goes: its pauses are latency
        host = address.rpartition(":")[0]
        logger.info("ready on %s:%d", host, running.port)
        if ready_file:
            await asyncio.to_thread(ready_file.write_text, str(running.port))
        reviver = asyncio.ensure_future(_revive(embedded)) if embedded else None
        await stop.wait()
        if reviver:
            reviver.cancel()
            await asyncio.gather(reviver, return_exceptions=True)
        logger.info("stopping")


async def _revive(embedded: "EmbeddedPostgres") -> None:
    """Start the embedded PostgreSQL again when it has gone away."""
    while True:
        await asyncio.sleep(1)
        if not embedded.is_running():
            logger.warning("the embedded PostgreSQL has gone away; it is started again")
            try:
                await asyncio.to_thread(embedded.start)
            except Exception:
                logger.exception("the embedded PostgreSQL could not be started; trying again")


@app.command()
def init(name: Annotated[str, typer.Option(help="The operator's name.")]) -> None:
    """Make the first operator; the password comes from BEARPIT_PASSWORD.

    Example: BEARPIT_PASSWORD=… bearpit-server init --name ada
    """
    need_server_extra()
    from bearpit_server.rules.refusals import Code, Refused
    from bearpit_server.services.first_operator import create_first_operator

    password = os.environ.get("BEARPIT_PASSWORD")
    if not password:
        typer.echo("error: put the password into the environment variable BEARPIT_PASSWORD", err=True)
        raise typer.Exit(2)
    with open_database() as (database, _):
        try:
            create_first_operator(database, name, password)
        except Refused as refused:
            typer.echo(f"error: {refused.message}", err=True)
            codes = {Code.ALREADY_EXISTS: 3, Code.INVALID_ARGUMENT: 2}
            raise typer.Exit(codes.get(refused.code, 1)) from refused
    typer.echo(f"{name} is the first operator")


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
