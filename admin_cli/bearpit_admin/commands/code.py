"""`bearpit-admin code`: codes that bring points, shares or lower fees."""

import sys
from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import sheets, wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.files import writing
from bearpit_admin.listing import listed, pages
from bearpit_admin.money import Points, parse_price
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, PlayerFilter, ShareSymbol, Yes
from bearpit_admin.output import Format, Part, Row, as_facts, counted, moment, moment_in, show, show_one, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.rates import parse_rate
from bearpit_admin.remote import run
from bearpit_admin.sheets import Label
from bearpit_admin.times import parse_moment, parse_span, timestamp, write_span

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="Codes that bring points, shares or lower fees.")

BatchId = Annotated[int, typer.Argument(metavar="BATCH", help="The batch's id; see `code list`.")]
COLUMNS = (
    "id", "brings", "use", "codes", "redeemed", "reason", "expires_at", "withdrawn_at", "created_by",
    "created_at",
)  # fmt: skip
SPARE = ("expires_at", "created_by", "withdrawn_at", "created_at", "codes")


class Use(StrEnum):
    """How often a code can be redeemed; by one player never more than once."""

    SINGLE = "single"
    LIMITED = "limited"
    PER_PLAYER = "per-player"


@app.command(
    epilog='Example: bearpit-admin code create --points 120 --count 40 --reason "workshop" --expires +2d'
)
def create(
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What for; players read it. Up to 80 characters.")
    ],
    points: Annotated[str, typer.Option("--points", metavar="POINTS", help="Points that each brings.")] = "",
    off: Annotated[
        str, typer.Option("--off", metavar="RATE", help="What it takes off trading fees: 50%; with --for.")
    ] = "",
    lifetime: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="How long that lasts from then on: 45m, 4h, 1d.")
    ] = "",
    shares: Annotated[
        int,
        typer.Option(
            "--shares", metavar="N", min=0, help="Shares that each brings; with --symbol.", show_default=False
        ),
    ] = 0,
    symbol: ShareSymbol = "",
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, help="How many codes.")] = 1,
    use: Annotated[Use, typer.Option("--use", help="How often each can be redeemed.")] = Use.SINGLE,
    max_uses: Annotated[
        int,
        typer.Option(
            "--max-uses",
            metavar="N",
            min=0,
            help="By how many players; with --use limited.",
            show_default=False,
        ),
    ] = 0,
    expires: Annotated[
        str,
        typer.Option("--expires", metavar="TIME", help="Until when: 2026-11-24T18:00, +2d; else for ever."),
    ] = "",
    output: Output = None,
    dry_run: DryRun = False,
) -> None:
    """Make a batch of codes, and print them.

    A code is redeemed once in all (single), by so many players (limited), or by everybody (per-player); by
    one player never twice.
    """
    request = wire.codes.CreateCodesRequest(
        reward=_reward(points, off, lifetime, shares, symbol),
        use=f"CODE_USE_{use.name}",
        max_uses=max_uses,
        count=count,
        expires_at=timestamp(parse_moment(expires)) if expires else None,
        reason=reason,
        validate_only=dry_run,
    )

    async def work(
        client: "Client",
    ) -> "tuple[wire.codes.CodeBatch, list[wire.codes.Code]]":
        batch = (await client.codes.CreateCodes(request)).batch
        return batch, [] if dry_run else await _codes(client, batch.batch_id, 0)

    batch, codes = run(work)
    many = counted(batch.code_count, "code")
    which = f"batch {batch.batch_id}: {many}" if batch.batch_id else many
    tell(f"made {which} of {_brings(batch.reward)}", dry_run, err=not dry_run)
    if not dry_run:
        _list(codes, output)


@app.command("list", epilog="Example: bearpit-admin code list --open")
def list_(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that can still be redeemed.")] = False,
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List batches, newest first."""
    batches = listed(
        lambda client: client.codes.ListBatches,
        wire.codes.ListBatchesRequest(open_only=open_only),
        lambda answer: answer.batches,
        limit,
    )
    show(COLUMNS, [_row(batch) for batch in batches], output, SPARE)


@app.command("show", epilog="Example: bearpit-admin code show 3 -n 0 -o csv")
def show_(batch_id: BatchId, limit: Limit = LIMIT, output: Output = None) -> None:
    """Show a batch and its codes.

    As CSV the codes alone; the rest is in `code list`.
    """
    batch, codes = _fetch(batch_id, limit)
    part = Part(
        "all_codes",
        ("code", "uses", "link"),
        [(code.text, code.uses, _link(code)) for code in codes],
        ("link",),
    )
    if output is Format.CSV:
        show(part.columns, part.rows, output)
    else:
        show_one(as_facts(COLUMNS, _row(batch)), output, part)


@app.command(epilog="Example: bearpit-admin code qr 3 --png code.png")
def qr(
    batch_id: BatchId,
    code: Annotated[
        str, typer.Option("--code", metavar="CODE", help="Which; by default the first that is not used up.")
    ] = "",
    png: Annotated[
        str, typer.Option("--png", metavar="FILE", help="Write a picture instead of printing it.")
    ] = "",
    scale: Annotated[
        int, typer.Option("--scale", min=1, max=100, help="Pixels of a module of the picture.")
    ] = 10,
) -> None:
    """Show the QR code of a code.

    On the terminal, or as a picture; in a pipe it is the plain code.
    """
    batch, codes = _fetch(batch_id, 0)
    chosen = _chosen(batch, codes, code)
    if png:
        with writing(png):
            sheets.png(_link(chosen), png, scale)
        tell(f"wrote {chosen.text} to {png}")
        return
    if is_terminal():
        for line in sheets.blocks(_link(chosen)):
            # Drawn in both colours, so that it is dark on light on a light terminal too.
            typer.echo(typer.style(line, fg="bright_white", bg="black"))
        typer.echo(f"{_brings(batch.reward)}: {batch.reason}")
    typer.echo(chosen.text)


@app.command(epilog="Example: bearpit-admin code sheet 3 --pdf codes.pdf")
def sheet(
    batch_id: BatchId,
    svg: Annotated[
        str, typer.Option("--svg", metavar="FILE", help="As SVG; of several pages FILE-1.svg and so on.")
    ] = "",
    pdf: Annotated[str, typer.Option("--pdf", metavar="FILE", help="As PDF.")] = "",
    unused: Annotated[bool, typer.Option("--unused", help="Only codes that nobody has redeemed.")] = False,
) -> None:
    """Write a sheet to print: 21 labels to an A4 page."""
    if bool(svg) == bool(pdf):
        raise Failure("Give either --svg or --pdf, with the file to write.", Exit.USAGE)
    batch, codes = _fetch(batch_id, 0)
    wanted = [code for code in codes if not (unused and code.uses)]
    if not wanted:
        raise Failure(f"All codes of batch {batch_id} have been redeemed.", Exit.CONFLICT)
    labels = [_label(batch, code) for code in wanted]
    paged = sheets.pages_of(labels)
    if pdf:
        with writing(pdf):
            Path(pdf).write_bytes(sheets.pdf(labels))
    written = [pdf]
    if svg:
        single = Path(svg)
        several = [single.with_stem(f"{single.stem}-{number}") for number in range(1, len(paged) + 1)]
        paths = several if len(paged) > 1 else [single]
        for path, page in zip(paths, paged, strict=True):
            with writing(svg):
                path.write_text(sheets.svg(page), encoding="utf-8")
        written = [str(path) for path in paths]
    many = f"{counted(len(labels), 'code')} on {counted(len(paged), 'page')}"
    tell(f"wrote {many} to {', '.join(written)}")


@app.command(epilog="Example: bearpit-admin code withdraw 3 --yes")
def withdraw(batch_id: BatchId, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Void all codes of a batch, for good. What they have brought stays."""
    confirm(f"Void all codes of batch {batch_id}?", yes, dry_run)
    request = wire.codes.WithdrawBatchRequest(batch_id=batch_id, validate_only=dry_run)
    batch = run(lambda client: client.codes.WithdrawBatch(request)).batch
    tell(f"withdrew batch {batch_id}, redeemed {batch.redemption_count} times before", dry_run)


@app.command(epilog="Example: bearpit-admin code redemptions 3 -o csv")
def redemptions(
    batch_id: Annotated[
        int, typer.Argument(metavar="BATCH", help="Only of this batch.", show_default=False)
    ] = 0,
    player: PlayerFilter = "",
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List who redeemed what, newest first."""
    redemptions = listed(
        lambda client: client.codes.ListRedemptions,
        wire.codes.ListRedemptionsRequest(batch_id=batch_id, player=player),
        lambda answer: answer.redemptions,
        limit,
    )
    rows = [
        (
            found.redemption_id,
            moment(found.redeemed_at),
            found.player,
            found.code,
            _brings(found.reward),
            found.batch_id,
            found.reason,
        )
        for found in redemptions
    ]
    columns = ("id", "redeemed_at", "player", "code", "brought", "batch", "reason")
    show(columns, rows, output, ("redeemed_at", "code", "batch", "reason"))


def is_terminal() -> bool:
    """Whether somebody can see what is printed."""
    return sys.stdout.isatty()


def _reward(points: str, off: str, lifetime: str, shares: int, symbol: str) -> "wire.codes.Reward":
    """What the options say. Raises Failure USAGE unless they say one thing, and all of it."""
    if sum(map(bool, (points, off, shares))) != 1:
        raise Failure("Give one of --points, --off with --for, or --shares with --symbol.", Exit.USAGE)
    if bool(off) != bool(lifetime) or bool(shares) != bool(symbol):
        raise Failure("Give --off with --for, and --shares with --symbol.", Exit.USAGE)
    if points:
        return wire.codes.Reward(points_cents=parse_price(points))
    if off:
        coupon = wire.codes.FeeCoupon(off_bps=parse_rate(off), lifetime_seconds=parse_span(lifetime))
        return wire.codes.Reward(fee_coupon=coupon)
    return wire.codes.Reward(shares=wire.codes.ShareGift(symbol=symbol.upper(), quantity=shares))


def _fetch(batch_id: int, limit: int) -> "tuple[wire.codes.CodeBatch, list[wire.codes.Code]]":
    """A batch and its codes; `limit` 0: all of them."""

    async def work(client: "Client") -> "tuple[wire.codes.CodeBatch, list[wire.codes.Code]]":
        request = wire.codes.GetBatchRequest(batch_id=batch_id, page_size=1)
        batch = (await client.codes.GetBatch(request)).batch
        return batch, await _codes(client, batch_id, limit)

    return run(work)


async def _codes(client: "Client", batch_id: int, limit: int) -> "list[wire.codes.Code]":
    request = wire.codes.GetBatchRequest(batch_id=batch_id)
    return await pages(client.codes.GetBatch, request, lambda answer: answer.codes, limit)


def _chosen(batch: "wire.codes.CodeBatch", codes: "list[wire.codes.Code]", text: str) -> "wire.codes.Code":
    """The code of that text, or the first that can still be redeemed. Raises Failure CONFLICT."""
    from bearpit.client.codes import code_in

    wanted = code_in(text)
    for code in codes:
        if code.text == wanted if text else not batch.max_uses or code.uses < batch.max_uses:
            return code
    why = f"Batch {batch.batch_id} has no code {text}." if text else "All of its codes are used up."
    raise Failure(why, Exit.CONFLICT, f"see them with `bearpit-admin code show {batch.batch_id}`")


def _label(batch: "wire.codes.CodeBatch", code: "wire.codes.Code") -> Label:
    until = ""
    if batch.HasField("expires_at"):
        until = f"{batch.expires_at.ToDatetime(UTC):%Y-%m-%d %H:%M} UTC"
    return Label(_link(code), code.text, _brings(batch.reward), batch.reason, until)


def _list(codes: "list[wire.codes.Code]", output: Output) -> None:
    show(("code", "link"), [(code.text, _link(code)) for code in codes], output, ("link",))


def _link(code: "wire.codes.Code") -> str:
    from bearpit.client.codes import link_to

    return link_to(code.text)


def _brings(reward: "wire.codes.Reward") -> str:
    """What a code brings, in words."""
    match reward.WhichOneof("reward"):
        case "points_cents":
            return f"{Points(reward.points_cents)} points"
        case "fee_coupon":
            coupon = reward.fee_coupon
            percent = str(Points(coupon.off_bps)).removesuffix(".00")
            return f"{percent}% off fees for {write_span(coupon.lifetime_seconds)}"
    return f"{reward.shares.quantity} of {reward.shares.symbol}"


def _row(batch: "wire.codes.CodeBatch") -> Row:
    use = wire.word(wire.codes.CodeUse.Name(batch.use), "CODE_USE_")
    return (
        batch.batch_id,
        _brings(batch.reward),
        f"{use} {batch.max_uses}" if batch.use == wire.codes.CODE_USE_LIMITED else use,
        batch.code_count,
        batch.redemption_count,
        batch.reason,
        moment_in(batch, "expires_at"),
        moment_in(batch, "withdrawn_at"),
        batch.created_by,
        moment(batch.created_at),
    )
