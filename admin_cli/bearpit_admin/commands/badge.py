"""`bearpit-admin badge`: what badges there are, who has them, giving one and taking one away."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.listing import listed
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, PlayerFilter, Yes
from bearpit_admin.output import Row, moment_in, show, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

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
    badges = listed(
        lambda client: client.ranks.ListBadges,
        wire.ranks.ListBadgesRequest(player=player),
        lambda answer: answer.badges,
        limit,
    )
    show(COLUMNS, [_row(badge) for badge in badges], output, SPARE)


@app.command(epilog="Example: bearpit-admin badge award ada fair-play")
def award(player: Player, badge: BadgeKey, dry_run: DryRun = False) -> None:
    """Give a player a badge."""
    request = wire.ranks.AwardBadgeRequest(player=player, badge=badge, validate_only=dry_run)
    given = run(lambda client: client.ranks.AwardBadge(request)).badge
    tell(f"gave {player} the badge {given.name}", dry_run)


@app.command(epilog="Example: bearpit-admin badge revoke ada top-ten --yes")
def revoke(player: Player, badge: BadgeKey, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Take a badge away.

    The player does not earn it again by himself; `badge award` gives it back.
    """
    confirm(f"Take the badge {badge} from {player}?", yes, dry_run)
    request = wire.ranks.RevokeBadgeRequest(player=player, badge=badge, validate_only=dry_run)
    taken = run(lambda client: client.ranks.RevokeBadge(request)).badge
    tell(f"took the badge {taken.name} from {player}", dry_run)


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
