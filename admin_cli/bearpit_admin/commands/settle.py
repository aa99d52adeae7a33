"""`bearpit-admin settle`: what windows do to prices."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.money import Points
from bearpit_admin.options import Algorithm, DryRun, Output, PlanFile, Settings, WindowId
from bearpit_admin.output import Part, Row, Value, show, show_one, tell
from bearpit_admin.plans import plan_of
from bearpit_admin.progress import Progress
from bearpit_admin.remote import again, run
from bearpit_admin.windows import prices_part

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="What windows do to prices.")

PATIENCE_SECONDS = 300
"""A simulation reads all that was traded in a window."""

SIMULATED = (
    "symbol", "previous", "settled", "settled_bps", "simulated", "simulated_bps", "difference",
    "settled_by", "simulated_by", "explanation",
)  # fmt: skip
SPARE = ("explanation", "settled_by", "simulated_by", "previous")
VARIANTS = (
    "variant", "algorithm", "instruments", "mean_move_bps", "up", "down", "unchanged", "bounded", "volume",
)  # fmt: skip


@app.command("run", epilog="Example: bearpit-admin settle run 7 --dry-run")
def run_(window_id: WindowId, output: Output = None, dry_run: DryRun = False) -> None:
    """Settle a window whose trading is over.

    What has stopped on the way goes on from there.
    """
    settling = _Settling(window_id, dry_run)
    with Progress(f"settling window {window_id}") as progress:
        prices = run(lambda client: settling.watch(client, progress))
    part = prices_part(prices)
    show(part.columns, part.rows, output, part.spare)
    if dry_run or sys.stderr.isatty():
        tell(f"settled window {window_id}: {len(prices)} prices", dry_run, err=True)


@app.command(epilog="Example: bearpit-admin settle simulate 7 --algorithm linear --set sensitivity_bps=800")
def simulate(
    window_id: WindowId,
    plan: PlanFile = "",
    algorithm: Algorithm = "",
    settings: Settings = None,
    output: Output = None,
) -> None:
    """Try another plan on a window that has traded.

    What it would come to is shown beside what it came to; nothing is changed.
    """
    wanted = plan_of(plan, algorithm, settings)
    if wanted is None:
        raise Failure("What to try is missing.", Exit.USAGE, "give --algorithm NAME or --plan FILE")
    request = wire.windows.SimulateSettlementRequest(window_id=window_id, plan=wanted)
    found = run(lambda client: client.windows.SimulateSettlement(request, timeout=PATIENCE_SECONDS))
    show(SIMULATED, [_both(price) for price in found.prices], output, SPARE)


@app.command(epilog="Example: bearpit-admin settle variants 7")
def variants(window_id: WindowId, output: Output = None) -> None:
    """Compare what the variants of a window's experiment came to."""
    request = wire.windows.CompareVariantsRequest(window_id=window_id)

    rows = [
        (
            found.name,
            found.algorithm,
            found.instruments,
            found.mean_move_bps,
            found.up,
            found.down,
            found.unchanged,
            found.bounded,
            found.volume,
        )
        for found in run(lambda client: client.windows.CompareVariants(request)).variants
    ]
    show(VARIANTS, rows, output, ("volume", "bounded", "unchanged"))


@app.command(epilog="Example: bearpit-admin settle algorithms linear")
def algorithms(
    name: Annotated[
        str, typer.Argument(metavar="ALGORITHM", help="Show this one with all that can be set of it.")
    ] = "",
    output: Output = None,
) -> None:
    """List ways to settle a price, or show one."""
    every = run(lambda client: client.windows.ListAlgorithms(wire.windows.ListAlgorithmsRequest())).algorithms
    if not name:
        rows = [
            (found.name, found.title, [made.key for made in found.parameters], found.description)
            for found in every
        ]
        show(("name", "title", "parameters", "description"), rows, output, ("parameters", "title"))
        return
    found = next((made for made in every if made.name == name), None)
    if found is None:
        names = ", ".join(made.name for made in every)
        raise Failure(f"There is no algorithm {name}.", Exit.CONFLICT, f"there are {names}")
    facts: list[tuple[str, Value]] = [
        ("name", found.name),
        ("title", found.title),
        ("description", found.description),
    ]
    show_one(facts, output, parameters_part(list(found.parameters)))


def parameters_part(parameters: "list[wire.pricing.Parameter]") -> Part:
    """What can be set, as a listing."""
    rows = [(made.key, made.default_value, made.bounds, made.description) for made in parameters]
    return Part("parameters", ("key", "default", "bounds", "description"), rows, ("bounds", "default"))


class _Settling:
    """One settlement, watched; it counts what it has seen."""

    def __init__(self, window_id: int, dry_run: bool) -> None:
        self._window_id = window_id
        self._dry_run = dry_run
        self._done = self._total = 0

    async def watch(self, client: "Client", progress: Progress) -> "list[wire.windows.SettledPrice]":
        """All prices, when all are found. Raises Failure when the connection is lost on the way."""
        from bearpit.client import BearpitError

        request = wire.windows.SettleWindowRequest(
            window_id=self._window_id,
            validate_only=self._dry_run,
        )
        found: list[wire.windows.SettledPrice] = []
        try:
            async for frame in client.windows.SettleWindow(request):
                self._done, self._total = frame.done, frame.total
                progress.tell(frame.done, frame.total, frame.step)
                found += frame.prices
        except BearpitError as error:
            if error.reason or not self._total:
                raise
            raise self._lost() from error
        if self._dry_run:  # the server has found all prices, and done nothing
            return found
        if self._done < self._total:  # the server ended the stream in good order: it is stopping
            raise self._lost()
        if len(found) < self._total:  # some were found before we looked
            asked = wire.windows.GetWindowRequest(window_id=self._window_id)
            found = [made for made in (await client.windows.GetWindow(asked)).prices if not made.corrected_by]
        return found

    def _lost(self) -> Failure:
        return Failure(
            f"The connection was lost when {self._done} of {self._total} prices were found.",
            Exit.UNREACHABLE,
            f"go on with `{again(f'settle run {self._window_id}')}`",
        )


def _both(found: "wire.windows.SimulatedPrice") -> Row:
    settled = found.settled if found.HasField("settled") else None
    simulated = found.simulated
    return (
        simulated.symbol,
        Points(simulated.previous_cents),
        Points(settled.price_cents) if settled else None,
        settled.move_bps if settled else None,
        Points(simulated.price_cents),
        simulated.move_bps,
        Points(simulated.price_cents - settled.price_cents) if settled else None,
        settled.algorithm if settled else None,
        simulated.algorithm,
        simulated.explanation,
    )
