"""What commands print: tables for people, plain columns for pipes, and what other programs read."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from bearpit_admin.money import Points

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

Value = str | int | bool | list[str] | None
Row = Sequence[Value]


class Format(StrEnum):
    """How a listing is written."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def chosen(wanted: Format | None) -> Format:
    """What was asked for, else a table on a terminal and tab-separated columns in a pipe."""
    return wanted or (Format.TABLE if sys.stdout.isatty() else Format.TSV)


def show(columns: Sequence[str], rows: Iterable[Row], wanted: Format | None = None) -> None:
    """Print a listing, with a header."""
    form = chosen(wanted)
    if form is Format.TABLE:
        _table(columns, list(rows))
    elif form is Format.JSON:
        _echo(json.dumps([_object(columns, row) for row in rows], ensure_ascii=False, indent=2))
    else:
        lines = Lines(columns, form)
        for row in rows:
            lines.write(row)


@dataclass(frozen=True, slots=True)
class Part:
    """A listing that belongs to one thing."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Row]


def show_one(
    facts: Sequence[tuple[str, Value]], wanted: Format | None = None, part: Part | None = None
) -> None:
    """Print one thing: a line a fact, or an object; then what belongs to it, for which CSV has no room."""
    form = chosen(wanted)
    columns, row = [key for key, _ in facts], [value for _, value in facts]
    if form in (Format.JSON, Format.JSONL):
        whole: dict[str, object] = {**_object(columns, row)}
        if part is not None:
            whole[part.name] = [_object(part.columns, each) for each in part.rows]
        _echo(json.dumps(whole, ensure_ascii=False, indent=2 if form is Format.JSON else None))
        return
    if form is Format.TABLE:
        width = max(map(len, columns))
        for key, value in facts:
            _echo(f"{key.replace('_', ' '):<{width}}  {_text(value)}")
    elif form is Format.TSV:
        for key, value in facts:
            _echo(f"{key}\t{_text(value)}")
    else:
        show(columns, [row], form)
        return
    if part is not None and part.rows:
        _echo("")
        show(part.columns, part.rows, form)


class Lines:
    """A listing that grows: each row is written, and flushed, as it comes. A table becomes plain columns."""

    def __init__(self, columns: Sequence[str], form: Format) -> None:
        self._columns = columns
        self._is_json = form in (Format.JSON, Format.JSONL)
        self._csv = csv.writer(sys.stdout, lineterminator="\n") if form is Format.CSV else None
        if not self._is_json:
            self._texts(columns)

    def write(self, row: Row) -> None:
        """Write one row."""
        if self._is_json:
            _echo(json.dumps(_object(self._columns, row), ensure_ascii=False))
        else:
            self._texts([_text(value) for value in row])

    def _texts(self, texts: Sequence[str]) -> None:
        if self._csv is not None:
            self._csv.writerow(texts)
            sys.stdout.flush()
        else:
            _echo("\t".join(texts))


def tell(sentence: str, dry_run: bool = False, err: bool = False) -> None:
    """Say what was done, or with a dry run what would have been."""
    _echo(f"dry run, nothing changed: {sentence}" if dry_run else sentence, err)


def moment(at: "Timestamp") -> str:
    """A time in UTC, as ISO 8601, to the millisecond."""
    return at.ToDatetime(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _object(columns: Sequence[str], row: Row) -> dict[str, Value]:
    return {
        column: str(value) if isinstance(value, Points) else value
        for column, value in zip(columns, row, strict=True)
    }


def _text(value: Value) -> str:
    """A value in words, without anything that a terminal would obey."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ",".join(value) if isinstance(value, list) else str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def _table(columns: Sequence[str], rows: list[Row]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        values = [row[index] for row in rows]
        numeric = bool(values) and all(isinstance(v, int) and not isinstance(v, bool) for v in values)
        table.add_column(
            column.replace("_", " "), justify="right" if numeric else "left", no_wrap=numeric or index == 0
        )
    for row in rows:
        table.add_row(*[Text(_text(value)) for value in row])
    Console(file=sys.stdout).print(table)


def _echo(text: str, err: bool = False) -> None:
    typer.echo(text, err=err)
