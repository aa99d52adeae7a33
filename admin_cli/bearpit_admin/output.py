"""What commands print: tables for people, plain columns for pipes, and what other programs read."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from bearpit_admin.money import Points

if TYPE_CHECKING:
    from google.protobuf.message import Message
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


def show(
    columns: Sequence[str], rows: Iterable[Row], wanted: Format | None = None, spare: Sequence[str] = ()
) -> None:
    """Print a listing, with a header.

    A table on a narrow terminal goes without those of its `spare` columns for which there is no room;
    they are named with the most wanted one first. All other forms have all columns.
    """
    form = chosen(wanted)
    if form is Format.TABLE:
        _table(columns, list(rows), spare)
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
    spare: Sequence[str] = ()


def show_one(facts: Sequence[tuple[str, Value]], wanted: Format | None = None, *parts: Part) -> None:
    """Print one thing: a line a fact, or an object; then what belongs to it, for which CSV has no room.

    Where there may be several parts, each is headed by its name.
    """
    form = chosen(wanted)
    columns, row = [key for key, _ in facts], [value for _, value in facts]
    if form in (Format.JSON, Format.JSONL):
        whole: dict[str, object] = {**_object(columns, row)}
        for part in parts:
            whole[part.name] = [_object(part.columns, each) for each in part.rows]
        _echo(json.dumps(whole, ensure_ascii=False, indent=2 if form is Format.JSON else None))
        return
    if form is Format.TABLE:
        width = max(map(len, columns))
        for key, value in facts:
            _echo(f"{key.replace('_', ' '):<{width}}  {_text(value, LISTED) or 'none'}")
    elif form is Format.TSV:
        for key, value in facts:
            _echo(f"{key}\t{_text(value)}")
    else:
        show(columns, [row], form)
        return
    for part in parts:
        if part.rows:
            _echo(f"\n{part.name.replace('_', ' ')}:" if len(parts) > 1 else "")
            if form is Format.TABLE:
                _table(part.columns, list(part.rows), part.spare, whole=Format.JSON)
            else:
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
        elif self._csv is not None:
            self._texts([_for_sheets(value) for value in row])
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


def tell_secret(sentence: str, secret: str, dry_run: bool, keep: str = "") -> None:
    """Say what was done on standard error, so that standard output has the secret alone.

    `keep`: what it is to be called when its owner is told to keep it.
    """
    once = f"; keep {keep}, it is not shown again" if keep and secret else ""
    tell(sentence + once, dry_run, err=True)
    if secret:
        tell(secret)


def counted(count: int, noun: str) -> str:
    """So many of them: "1 visit", "3 visits"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def as_facts(columns: Sequence[str], row: Row) -> list[tuple[str, Value]]:
    """A row of a listing as the facts of one thing."""
    return list(zip(columns, row, strict=True))


def moment_in(message: "Message", field: str) -> str | None:
    """The time in a message's field, if it has one."""
    return moment(getattr(message, field)) if message.HasField(field) else None


def moment(at: "Timestamp") -> str:
    """A time in UTC, as ISO 8601, to the millisecond."""
    return at.ToDatetime(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def printable(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def _object(columns: Sequence[str], row: Row) -> dict[str, Value]:
    return {
        column: str(value) if isinstance(value, Points) else value
        for column, value in zip(columns, row, strict=True)
    }


LISTED = ", "
"""Between the words of a list, for people: a line may end there."""


def _text(value: Value, between: str = ",") -> str:
    """A value in words; `between` those of a list."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(between.join(value) if isinstance(value, list) else str(value))


def _for_sheets(value: Value) -> str:
    """The same, where a spreadsheet opens it: what somebody wrote is a text there, and no formula.

    An apostrophe in front says so (OWASP, "CSV Injection"). Names and numbers may begin with a sign.
    """
    text = _text(value)
    if isinstance(value, int) or not _FORMULA.match(text):
        return text
    return f"'{text}"


_FORMULA = re.compile(r"(?![+-][\d.,]*( ?%)?$)([=+@]|-.*[^A-Za-z0-9_.-])")
GAP = 2
"""Between two columns of a table."""
FOLDED = 24
"""What is longer is folded into lines of at least this, where room is short."""


def _table(columns: Sequence[str], rows: list[Row], spare: Sequence[str], whole: Format = Format.CSV) -> None:
    """`whole`: the form that has what there is no room for."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    texts = {
        column: [Text(_text(row[index], LISTED)) for row in rows] for index, column in enumerate(columns)
    }
    widths = {column: max(len(column), *(t.cell_len for t in texts[column]), 0) for column in columns}
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = sum(widths.values()) + GAP * len(columns)
    always = [column for column in columns if column not in spare]
    # What is empty in every row can be missed first.
    wishes = sorted(spare, key=lambda column: not any(text.plain for text in texts[column]))
    needs = {column: min(width, max(FOLDED, len(column))) for column, width in widths.items()}
    shown = _that_fit(always, wishes, needs, console.width)
    # Half an amount would be another amount: rather than cut, the terminal may break the lines.
    console.width = max(console.width, sum(needs[column] + GAP for column in shown) - GAP)
    padding = (0, GAP - 1, 0, 0)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding, header_style="bold")
    for index, column in enumerate(columns):
        if column in shown:
            table.add_column(
                column.replace("_", " "),
                justify="right" if _is_numeric([row[index] for row in rows]) else "left",
                no_wrap=widths[column] <= FOLDED,
                overflow="fold",
            )
    for number in range(len(rows)):
        table.add_row(*[texts[column][number] for column in columns if column in shown])
    console.print(table)
    missing = [column.replace("_", " ") for column in columns if column not in shown]
    if missing and rows:
        _echo(f"no room for: {', '.join(missing)}; -o {whole} has all", err=True)


def _that_fit(
    always: Sequence[str], wishes: Sequence[str], needs: dict[str, int], room: int
) -> Sequence[str]:
    """The columns that are always there, and each of the wishes for which there is still room."""
    shown = [*always]
    for column in wishes:
        if sum(needs[one] + GAP for one in (*shown, column)) - GAP <= room:
            shown.append(column)
    return shown


def _is_numeric(values: Sequence[Value]) -> bool:
    numbers = [value for value in values if value is not None]
    return bool(numbers) and all(type(value) in (int, Points) for value in numbers)


def _echo(text: str, err: bool = False) -> None:
    typer.echo(text, err=err)
