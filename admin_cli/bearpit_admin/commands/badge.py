"""`bearpit-admin badge`: what badges there are, who has them, giving one and taking one away."""

from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, PlayerFilter, Yes
from bearpit_admin.output import Row, moment_in, show, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import pages, run

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="Badges for firsts and feats.")

Player = Annotated[str, typer.Argument(metavar="PLAYER", help="The player's name.")]
BadgeKey = Annotated[str, typer.Argument(metavar="BADGE", help="The badge's key; see `badge list`.")]
COLUMNS = ("badge", "name", "for", "unique", "holders", "holder", "awarded_at")
SPARE = ("unique", "holder", "name", "holders", "awarded_at")


@app.command("list", epilog="Example: bearpit-admin badge list --player ada")
def list_(player: PlayerFilter = "", limit: Limit = LIMIT, output: Output = None) -> None:
    """List badges, and who has them.

    `awarded_at` is when the player got it; without --player, when you did.
    """

    async def work(client: "Client") -> "list[wire.ranks.Badge]":
        return await pages(
            lambda size, token: client.ranks.ListBadges(
                wire.ranks.ListBadgesRequest(player=player, page_size=size, page_token=token)
            ),
            lambda answer: answer.badges,
            limit,
        )

    show(COLUMNS, [_row(badge) for badge in run(work)], output, SPARE)


@app.command(epilog="Example: bearpit-admin badge award ada fair-play")
def award(player: Player, badge: BadgeKey, dry_run: DryRun = False) -> None:
    """Give a player a badge."""
    request = wire.ranks.AwardBadgeRequest(player=player, badge=badge, validate_only=dry_run)

    async def work(client: "Client") -> "wire.ranks.AwardBadgeResponse":
        return await client.ranks.AwardBadge(request)

    tell(f"gave {player} the badge {run(work).badge.name}", dry_run)


@app.command(epilog="Example: bearpit-admin badge revoke ada top-ten --yes")
def revoke(player: Player, badge: BadgeKey, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Take a badge away.

    The player does not earn it again by himself; `badge award` gives it back.
    """
    confirm(f"Take the badge {badge} from {player}?", yes, dry_run)
    request = wire.ranks.RevokeBadgeRequest(player=player, badge=badge, validate_only=dry_run)

    async def work(client: "Client") -> "wire.ranks.RevokeBadgeResponse":
        return await client.ranks.RevokeBadge(request)

    tell(f"took the badge {run(work).badge.name} from {player}", dry_run)


def _row(found: "wire.ranks.Badge") -> Row:
    return (
        found.badge,
        found.name,
        found.description,
        found.unique,
        found.holders,
        found.holder,
        moment_in(found, "awarded_at"),
    )
