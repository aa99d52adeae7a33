"""The benchmarks: `python -m tests.bench [ONLY…]` measures, prints a table and writes bench.json.

Each figure is measured against a yardstick in the same run, one benchmark after the other.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
FIELDS = ("name", "value", "unit", "yardstick", "ratio", "target", "met")
ORDERS = ("place_order", "place_orders", "place_order_idle")
FIGURES = (
    *ORDERS, "book", "price_fanout", "restart", "attention_tick", "settlement", "ranks_refresh", "ranks_page",
    "screen", "admin_help",
)  # fmt: skip
TOGETHER = {
    "attention_on_time": "attention_tick",
    "orders_while_settling": "settlement",
    "orders_while_ranking": "ranks_refresh",
}
"""Figures that are measured with another one."""
NAMES = {"price frames on time": "price_fanout", "price server's CPU": "price_fanout_cpu"}
"""What a benchmark calls its figures, where the table calls them otherwise."""

Measurement = Mapping[str, object]


def main(only: list[str]) -> int:
    """Measures the figures that are named, or all. 2: there is no such figure; 1: a benchmark failed."""
    only = [TOGETHER.get(name, name) for name in only]
    unknown = sorted(set(only) - set(FIGURES))
    if unknown:
        known = ", ".join((*FIGURES, *TOGETHER))
        print(f"error: there is no {', '.join(unknown)}; give some of {known}", file=sys.stderr)
        return 2
    os.chdir(ROOT)  # the benchmarks start children as modules of `tests`
    console = Console(width=None if sys.stdout.isatty() else 120)
    wanted = only or list(FIGURES)
    measured: list[dict[str, object]] = []
    failed = []
    for name, run in _benchmarks(wanted):
        began = monotonic()
        try:
            measured += map(_entry, run())
        except Exception:
            traceback.print_exc()
            failed.append(name)
        console.print(f"{name}: {monotonic() - began:.0f} s", style="dim")
        (ROOT / "bench.json").write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n")
    console.print(_table(measured))
    for entry in measured:
        console.print(f"[bold]{entry['name']}[/] {entry['detail']}", highlight=False)
    if failed:
        console.print(f"failed: {', '.join(failed)}", style="bold red")
    return 1 if failed else 0


def _benchmarks(wanted: list[str]) -> Iterable[tuple[str, Callable[[], Iterable[Measurement]]]]:
    """What to run; the figures about orders share a server."""
    orders = [name for name in ORDERS if name in wanted]
    if orders:
        yield ", ".join(orders), lambda: import_module("tests.bench.orders").run(orders)
    for name in FIGURES:
        if name in wanted and name not in ORDERS:
            yield name, import_module(f"tests.bench.{name}").run


def _entry(measurement: Measurement) -> dict[str, object]:
    """The fields of bench.json; what else a benchmark tells becomes its detail."""
    more = {key: told for key, told in measurement.items() if key not in (*FIELDS, "detail")}
    details = [str(measurement["detail"])] if "detail" in measurement else []
    details += [f"{key.replace('_', ' ')} {told}" for key, told in more.items()]
    entry = {key: measurement[key] for key in FIELDS}
    entry["name"] = NAMES.get(str(entry["name"]), entry["name"])
    return entry | {"detail": "; ".join(details)}


def _table(measured: list[dict[str, object]]) -> Table:
    table = Table("figure", "value", "unit", "yardstick", "ratio", "target", "met")
    for column in (1, 3, 4, 5):
        table.columns[column].justify = "right"
    for entry in measured:
        met = "[green]yes[/]" if entry["met"] else "[bold red]no[/]"
        numbers = [_number(entry[key]) for key in ("value", "yardstick", "ratio", "target")]
        table.add_row(str(entry["name"]), numbers[0], str(entry["unit"]), *numbers[1:], met)
    return table


def _number(value: object) -> str:
    assert isinstance(value, int | float), value
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


if __name__ == "__main__":
    if str(ROOT) not in sys.path:  # started as a file
        sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
