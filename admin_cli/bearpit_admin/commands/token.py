"""`bearpit-admin token`: tokens for other services."""

from enum import StrEnum
from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.options import NAME_RULE, DryRun, Output, Yes
from bearpit_admin.output import moment, show, tell, tell_secret
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

app = typer.Typer(help="Tokens for other services.")

TokenName = Annotated[str, typer.Argument(metavar="NAME", help="The token's name.")]


class Scope(StrEnum):
    """What a service may do."""

    MARKET_READ = "market.read"
    ADMIN_READ = "admin.read"
    PRICES_PUSH = "prices.push"
    ARCADE_PLAY = "arcade.play"


@app.command(epilog="Example: bearpit-admin token create kiosk --scope market.read > kiosk.token")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help=NAME_RULE)],
    scopes: Annotated[list[Scope], typer.Option("--scope", help="What it may do; repeat for more.")],
    dry_run: DryRun = False,
) -> None:
    """Make a token. Its secret is printed on standard output, once."""
    request = wire.admin.CreateServiceTokenRequest(
        name=name, scopes=[scope.value for scope in scopes], validate_only=dry_run
    )
    made = run(lambda client: client.admin.CreateServiceToken(request))
    tell_secret(f"created token {made.service_token.name}", made.secret, dry_run, keep="its secret")


@app.command("list", epilog="Example: bearpit-admin token list")
def list_(output: Output = None) -> None:
    """List tokens, revoked ones too, without their secrets."""
    held = run(lambda client: client.admin.ListServiceTokens(wire.admin.ListServiceTokensRequest()))
    rows = [
        (token.service_token_id, token.name, list(token.scopes), token.revoked, moment(token.created_at))
        for token in held.service_tokens
    ]
    show(("id", "name", "scopes", "revoked", "created_at"), rows, output)


@app.command(epilog="Example: bearpit-admin token revoke kiosk --yes")
def revoke(name: TokenName, yes: Yes = False, dry_run: DryRun = False) -> None:
    """End a token, for good."""
    confirm(f"Revoke the token {name}?", yes, dry_run)
    request = wire.admin.RevokeServiceTokenRequest(name=name, validate_only=dry_run)
    revoked = run(lambda client: client.admin.RevokeServiceToken(request)).service_token
    tell(f"revoked token {revoked.name}", dry_run)
