"""One command's connection to the server: signed in, asked, closed again."""

import asyncio
import atexit
import os
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bearpit_admin import session
from bearpit_admin.exits import FOUND_BY, HINTS, IN_POINTS, OF_CODE, Exit, Failure
from bearpit_admin.money import Points
from bearpit_admin.session import Context, Contexts, SignIn, address_of

if TYPE_CHECKING:
    from bearpit.client import BearpitError, Client

    from bearpit_admin import wire

SERVER_VARIABLE = "BEARPIT_SERVER"
TOKEN_VARIABLE = "BEARPIT_TOKEN"  # noqa: S105 - its name
MARGIN_SECONDS = 60
"""A token that ends sooner is renewed before it is used."""
_WHOLE_NUMBER = re.compile(r"\d+")

T = TypeVar("T")


@dataclass(slots=True)
class Choice:
    """What the options before the command say."""

    context: str = ""
    server: str = ""


choice = Choice()
"""Of this run of the command line."""


def here() -> Context:
    """The context that holds: as chosen, with the server that was given for this once."""
    context = Contexts().get(choice.context)
    server = server_for_once()
    return Context(context.name, address_of(server), context.tls) if server else context


def server_for_once() -> str:
    """The server that is named in place of the context's; empty: none is."""
    return choice.server or os.environ.get(SERVER_VARIABLE, "")


def again(command: str) -> str:
    """A command to go on with, for the server that this one was for."""
    chosen = f"--context {choice.context} " if choice.context else ""
    chosen += f"--server {choice.server} " if choice.server else ""
    return f"bearpit-admin {chosen}{command}"


def screen_command() -> str:
    """The player's screen, for the server that this command is for."""
    context = here()
    trust = "" if not context.tls else " --tls" if context.tls == "on" else f" --ca {context.tls}"
    return f"bearpit --server {context.server}{trust}"


def run(work: "Callable[[Client], Awaitable[T]]", signed_in: bool = True, in_cents: bool = False) -> T:
    """Do the work with a connection. Raises Failure in words, with how to go on.

    `in_cents`: amounts are called as the server calls them, as for what is set by its key.
    """
    return _loop().run(_run(work, here(), signed_in, in_cents))


@cache
def _loop() -> asyncio.Runner:
    """One event loop for the whole process: gRPC leaves things behind on a loop that is closed."""
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner


async def _run(
    work: "Callable[[Client], Awaitable[T]]", context: Context, signed_in: bool, in_cents: bool
) -> T:
    from bearpit.client import BearpitError, connect

    try:
        async with connect(context.server, tls=tls_of(context)) as client:
            if not signed_in:
                return await work(client)
            renewable = await stay_signed_in(client, context)
            try:
                return await work(client)
            except BearpitError as error:
                # Refused before anything was done; our clock and the server's may differ.
                if error.reason != "NOT_SIGNED_IN" or not renewable:
                    raise
            await renew(client, context, force=True)
            return await work(client)
    except BearpitError as error:
        raise failure_of(error, context, in_cents) from error


def tls_of(context: Context) -> bool | str:
    """How to encrypt, as the client takes it. Raises Failure USAGE when the authority's file is gone."""
    if context.tls not in ("", "on") and not Path(context.tls).is_file():
        raise Failure(
            f"The authority of context {context.name} is gone: there is no file {context.tls}.",
            Exit.USAGE,
            f"put it back, or `bearpit-admin context remove {context.name}` and add it anew",
        )
    return context.tls == "on" or context.tls if context.tls else False


async def stay_signed_in(client: "Client", context: Context | None = None) -> bool:
    """Let the client's calls carry who we are, for a while; returns whether that can be renewed."""
    if token := os.environ.get(TOKEN_VARIABLE):
        client.use_service_token(token)
        return False
    await renew(client, context or here())
    return True


async def renew(client: "Client", context: Context, force: bool = False) -> None:
    """Use the stored sign-in, renewed when it is about to end. Raises Failure NOT_ALLOWED without one."""
    from bearpit.client import BearpitError

    sign_in = session.load(context)
    if sign_in is None:
        raise Failure(f"You are not signed in at {context.server}.", Exit.NOT_ALLOWED, _hint("NOT_SIGNED_IN"))
    stale = sign_in.access_token
    if force or _ends_soon(sign_in):
        with session.renewing(context):
            sign_in = session.load(context) or sign_in
            if sign_in.access_token == stale:  # nobody else has renewed it meanwhile
                keep(client, context, sign_in.name)
                client.use_service_token("")  # the old access token
                try:
                    player = await client.resume(sign_in.refresh_token)
                except BearpitError as error:
                    if error.code.name == "UNAUTHENTICATED":
                        session.forget(context)
                    raise
                sign_in = session.load(context) or sign_in
                session.save(context, replace(sign_in, permissions=tuple(player.permissions)))
    client.use_service_token(sign_in.access_token)


def keep(client: "Client", context: Context, name: str) -> None:
    """Store each pair of tokens that the client is given from now on."""

    def store(tokens: "wire.auth.Tokens | None") -> None:
        if tokens is not None:
            ends = tokens.access_expires_at.seconds
            may = tuple(client.player.permissions) if client.player is not None else None
            sign_in = SignIn(context.server, name, tokens.access_token, ends, tokens.refresh_token, may)
            session.save(context, sign_in)

    client.on_tokens = store


def _ends_soon(sign_in: SignIn) -> bool:
    return sign_in.access_expires_at - time.time() < MARGIN_SECONDS


def failure_of(error: "BearpitError", context: Context, in_cents: bool = False) -> Failure:
    """A failed call in words, with its exit code and what to do next."""
    from bearpit.client.errors import CONNECTION_FAULTS

    exit_code = OF_CODE.get(error.code.name, Exit.FAILED)
    if error.reason:
        hint = _hint_of_role(error) or _hint_of_kind(error) or _hint(error.reason)
        return Failure(sentence(error.message) if in_cents else _in_points(error), exit_code, hint)
    if error.message in CONNECTION_FAULTS.values():
        return Failure(
            f"No connection to {context.server}: {error.message}",
            exit_code,
            "`bearpit-admin context add NAME HOST:PORT` with --tls, --ca FILE or neither, as it serves",
        )
    if exit_code is Exit.UNREACHABLE:
        return Failure(
            f"No server answers at {context.server}{_why(error)}.",
            exit_code,
            "start one with `bearpit-server serve`, or name another with --server or --context",
        )
    return Failure(sentence(error.message), exit_code)


def _hint_of_role(error: "BearpitError") -> str:
    """How to come by a permission that is missing: the smallest role that has it."""
    smallest = error.metadata.get("roles", "").partition(",")[0]
    if error.reason != "NOT_ALLOWED" or not smallest:
        return ""
    return f"an admin can give it with `{again(f'role grant NAME {smallest}')}`"


def _hint_of_kind(error: "BearpitError") -> str:
    """Where to look for what there is none of."""
    command = FOUND_BY.get(error.metadata.get("kind", "")) if error.reason == "NOT_FOUND" else None
    return f"see what there is with `{again(command)}`" if command else ""


def _hint(reason: str) -> str:
    return HINTS.get(reason, "").replace("bearpit-admin login", again("login"))


def _why(error: "BearpitError") -> str:
    return ": there is no host of that name" if "no host" in error.message else ""


def _in_points(error: "BearpitError") -> str:
    """The server's words, its cents as points."""
    cents = {key: Points(text) for key, text in error.metadata.items() if key.endswith("_cents")}
    with suppress(KeyError):
        return IN_POINTS[error.reason].format(**cents)
    field = error.field.removesuffix("_cents")
    if field != error.field and error.message.startswith(f"{error.field}: "):
        bounds = _WHOLE_NUMBER.sub(lambda number: str(Points(number[0])), error.message[len(error.field) :])
        return sentence(field + bounds)
    return sentence(error.message)


def sentence(text: str) -> str:
    """The server's words as a sentence; a field's name stays as it is written."""
    names_field = text.partition(" ")[0].endswith(":")
    return (text if names_field else text[:1].upper() + text[1:]) + ("" if text.endswith((".", "?")) else ".")
