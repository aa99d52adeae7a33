"""`bearpit-admin player`: who takes part."""

from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.listing import listed
from bearpit_admin.money import Points, parse_points
from bearpit_admin.options import (
    LIMIT,
    NAME_RULE,
    DryRun,
    Limit,
    Output,
    PasswordFile,
    PlayerName,
    Reason,
    Search,
    ShareSymbol,
    Yes,
)
from bearpit_admin.output import Part, Value, counted, moment, show, show_one, tell
from bearpit_admin.prompts import confirm, from_file
from bearpit_admin.remote import again, run, screen_command
from bearpit_admin.roles import Role, names_of, to_wire

if TYPE_CHECKING:
    pass

app = typer.Typer(help="Who takes part.")

COLUMNS = ("id", "name", "roles", "disabled", "frozen", "cash", "held", "created_at")
SPARE = ("frozen", "created_at", "held", "id")


@app.command("list", epilog="Example: bearpit-admin player list --search ada -o json")
def list_(
    search: Search = "",
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List players with their cash."""
    players = listed(
        lambda client: client.admin.ListPlayers,
        wire.admin.ListPlayersRequest(search=search),
        lambda answer: answer.players,
        limit,
    )
    rows = [
        (
            found.player.player_id,
            found.player.name,
            names_of(found.player.roles),
            found.player.disabled,
            found.player.frozen,
            Points(found.cash_cents),
            Points(found.held_cents),
            moment(found.player.created_at),
        )
        for found in players
    ]
    show(COLUMNS, rows, output, SPARE)


@app.command("show", epilog="Example: bearpit-admin player show ada")
def show_(name: PlayerName, output: Output = None) -> None:
    """Show a player with team, cash and positions."""
    request = wire.admin.GetPlayerRequest(name=name)
    found = run(lambda client: client.admin.GetPlayer(request))
    facts: list[tuple[str, Value]] = [
        ("id", found.player.player_id),
        ("name", found.player.name),
        ("roles", names_of(found.player.roles)),
        ("team", found.team_name or None),
        ("disabled", found.player.disabled),
        ("frozen", found.player.frozen),
        ("created_at", moment(found.player.created_at)),
        ("cash", Points(found.wallet.cash_cents)),
        ("held", Points(found.wallet.held_cents)),
        ("owed", Points(found.wallet.debt_cents)),
        ("credit", Points(found.wallet.credit_cents)),
    ]
    positions = [
        (held.symbol, held.quantity, held.held, Points(held.cost_cents), Points(held.realised_cents))
        for held in found.wallet.positions
    ]
    show_one(facts, output, Part("positions", ("symbol", "quantity", "held", "cost", "realised"), positions))


@app.command(epilog="Example: bearpit-admin player create ada --role code_manager --role announcer")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help=NAME_RULE)],
    roles: Annotated[
        list[Role] | None,
        typer.Option(
            "--role", metavar="ROLE", help="What the player is; repeat for more. By default player."
        ),
    ] = None,
    cash: Annotated[
        str,
        typer.Option("--cash", metavar="POINTS", help="Cash to begin with; by default the game's setting."),
    ] = "",
    password_file: PasswordFile = "",
    dry_run: DryRun = False,
) -> None:
    """Make a player, or staff. Without a password one is made up, and printed on standard output."""
    request = wire.admin.CreatePlayerRequest(
        name=name,
        password=from_file(password_file) if password_file else "",
        roles=to_wire(roles or ()),
        cash_cents=parse_points(cash) if cash else None,
        validate_only=dry_run,
    )
    made = run(lambda client: client.admin.CreatePlayer(request))
    tell(
        f"created {' and '.join(names_of(made.player.roles))} {made.player.name}",
        dry_run,
        err=bool(made.password),
    )
    if made.password:
        tell(made.password)


@app.command(epilog="Example: bearpit-admin player disable mallory --yes")
def disable(name: PlayerName, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Keep a player out.

    All sign-ins end, and all open orders are cancelled.
    """
    confirm(f"Disable {name}, end all sign-ins and cancel all open orders?", yes, dry_run)
    changed = _set_disabled(name, True, dry_run)
    tell(f"disabled {changed.player.name}; {changed.cancelled_orders} open orders cancelled", dry_run)


@app.command(epilog="Example: bearpit-admin player enable mallory")
def enable(name: PlayerName, dry_run: DryRun = False) -> None:
    """Let a disabled player in again."""
    changed = _set_disabled(name, False, dry_run)
    tell(f"enabled {changed.player.name}", dry_run)


@app.command(epilog='Example: bearpit-admin player freeze mallory --reason "two accounts" --yes')
def freeze(name: PlayerName, reason: Reason, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Let a player look, and do nothing else.

    All open orders are cancelled. The reason is told to the player.
    """
    confirm(f"Freeze {name} and cancel all open orders?", yes, dry_run)
    changed = _set_frozen(name, True, reason, dry_run)
    tell(f"froze {changed.player.name}; {changed.cancelled_orders} open orders cancelled", dry_run)


@app.command(epilog='Example: bearpit-admin player unfreeze mallory --reason "a mistake of ours"')
def unfreeze(name: PlayerName, reason: Reason, dry_run: DryRun = False) -> None:
    """Let a frozen player play again."""
    changed = _set_frozen(name, False, reason, dry_run)
    tell(f"unfroze {changed.player.name}", dry_run)


@app.command(epilog="Example: bearpit-admin player reset-password ada --yes")
def reset_password(
    name: PlayerName, password_file: PasswordFile = "", yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Set a player's password. Without one, one is made up, and printed on standard output."""
    password = from_file(password_file) if password_file else ""
    confirm(f"Set a new password for {name} and end all sign-ins?", yes, dry_run)
    request = wire.admin.ResetPasswordRequest(name=name, password=password, validate_only=dry_run)
    reset = run(lambda client: client.admin.ResetPassword(request))
    tell(f"reset the password of {name}", dry_run, err=bool(reset.password))
    if reset.password:
        tell(reset.password)


@app.command(epilog='Example: bearpit-admin player adjust ada --cash -12.40 --reason "typo in a grant" --yes')
def adjust(
    name: PlayerName,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it goes into the ledger.")],
    cash: Annotated[
        str, typer.Option("--cash", metavar="POINTS", help="Cash to give, or negative to take.")
    ] = "",
    shares: Annotated[
        int,
        typer.Option(
            "--shares",
            metavar="N",
            help="Shares to give, or negative to take; with --symbol.",
            show_default=False,
        ),
    ] = 0,
    symbol: ShareSymbol = "",
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Give or take cash or shares.

    It is done by a posting with a reason; at most what is free is taken.
    """
    if bool(cash) == bool(shares) or bool(shares) != bool(symbol):
        raise Failure("Give either --cash, or --shares with --symbol.", Exit.USAGE)
    amount = parse_points(cash) if cash else shares
    much = abs(amount)
    what = f"{Points(much)} points" if cash else f"{counted(much, 'share')} of {symbol.upper()}"
    if amount < 0:
        confirm(f"Take {what} from {name}?", yes, dry_run)
    request = wire.admin.AdjustBalanceRequest(
        name=name, symbol=symbol.upper(), amount=amount, reason=reason, validate_only=dry_run
    )
    posting = run(lambda client: client.admin.AdjustBalance(request)).posting
    has = posting.balance_after if posting.symbol else Points(posting.balance_after)
    done = f"took {what} from" if amount < 0 else f"gave {what} to"
    # Cash that comes in repays a debt first, and then the posting is the repayment's.
    repaid = f"; {Points(-posting.amount)} of it repaid a debt" if posting.reason == "repayment" else ""
    tell(f"{done} {name}, who now has {has}{repaid}", dry_run)


@app.command(epilog='Example: bearpit-admin player sudo ada --reason "cannot see her orders"')
def sudo(name: PlayerName, reason: Reason, dry_run: DryRun = False) -> None:
    """Look through a player's eyes for a while, on the record.

    Prints a token of 15 minutes on standard output. Each call that is made with it stands in the event log
    under your name. It ends sooner with your own sign-in, or when the player is disabled.
    """
    request = wire.admin.ImpersonateRequest(name=name, reason=reason, validate_only=dry_run)
    opened = run(lambda client: client.admin.Impersonate(request))
    if dry_run:
        tell(f"you would look through the eyes of {opened.player.name}", dry_run)
        return
    until = moment(opened.access_expires_at)
    tell(f"you look through the eyes of {opened.player.name} until {until}, with this token:", err=True)
    tell(opened.access_token)
    tell(f"  BEARPIT_TOKEN=... {screen_command()}", err=True)
    tell(f"  BEARPIT_TOKEN=... {again('market status')}, or what else {name} may do", err=True)


def _set_frozen(name: str, frozen: bool, reason: str, dry_run: bool) -> "wire.admin.SetFrozenResponse":
    request = wire.admin.SetFrozenRequest(name=name, frozen=frozen, reason=reason, validate_only=dry_run)
    return run(lambda client: client.admin.SetFrozen(request))


def _set_disabled(name: str, disabled: bool, dry_run: bool) -> "wire.admin.SetPlayerDisabledResponse":
    request = wire.admin.SetPlayerDisabledRequest(name=name, disabled=disabled, validate_only=dry_run)
    return run(lambda client: client.admin.SetPlayerDisabled(request))
