"""What commands print, in each format, and that nothing in it can command a terminal."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable

import pytest
from bearpit_admin.money import Points
from bearpit_admin.output import Format, Lines, Part, show, show_one, tell

COLUMNS = ("id", "name", "cash", "scopes", "disabled", "note")
ROWS = [
    (1, "ada", Points(1240), ["a", "b"], False, None),
    (2, "bob, the\ttabbed", Points(-5), [], True, "\x1b[31mred\u202e"),
]


def printed(capsys: pytest.CaptureFixture[str], form: Format | None) -> str:
    show(COLUMNS, ROWS, form)
    return capsys.readouterr().out


def test_a_pipe_gets_a_header_and_tab_separated_rows(capsys: pytest.CaptureFixture[str]) -> None:
    header, first, second = printed(capsys, None).splitlines()
    assert header.split("\t") == list(COLUMNS)
    assert first.split("\t") == ["1", "ada", "12.40", "a,b", "no", ""]
    assert len(second.split("\t")) == len(COLUMNS)


@pytest.mark.parametrize("form", [Format.TABLE, Format.TSV, Format.CSV])
def test_control_characters_never_reach_a_terminal(form: Format, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, form)
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_json_is_one_list_of_objects_with_points_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = json.loads(printed(capsys, Format.JSON))
    assert first == {
        "id": 1, "name": "ada", "cash": "12.40", "scopes": ["a", "b"], "disabled": False, "note": None,
    }  # fmt: skip
    assert second["cash"] == "-0.05"


def test_jsonl_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, Format.JSONL).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 2]


def test_csv_quotes_what_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.reader(io.StringIO(printed(capsys, Format.CSV))))
    assert rows[0] == list(COLUMNS)
    assert rows[2][1] == "bob, the\ufffdtabbed"


@pytest.mark.parametrize("text", ["=HYPERLINK(A1)", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)"])
def test_what_somebody_wrote_is_no_formula_in_a_spreadsheet(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show(("note",), [(text,)], Format.CSV)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out)))[1] == [f"'{text}"]


@pytest.mark.parametrize("value", [Points(-5), -5, "-ada", "-12.00", "+13.54 %", "ada@home"])
def test_names_and_numbers_stay_as_they_are_in_csv(
    value: str | int, capsys: pytest.CaptureFixture[str]
) -> None:
    show(("value",), [(value,)], Format.CSV)
    assert capsys.readouterr().out.splitlines()[1] == str(value)


def test_a_table_shows_markup_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show(("name",), [("[red]ada[/red]",)], Format.TABLE)
    assert "[red]ada[/red]" in capsys.readouterr().out


def test_a_table_breaks_a_list_between_its_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    permissions = ["VIEW_ALL_PLAYERS", "GIVE_POINTS", "CREATE_CODES", "MANAGE_BOOTHS"]
    show(("role", "permissions"), [("code_points_manager", permissions)], Format.TABLE)
    said = capsys.readouterr().out
    assert all(permission in said for permission in permissions)


WIDE = ("id", "player", "note", "address", "stop_price")
WIDE_ROWS = [
    (7, "house-trader-1", "a sentence that is too long for one line of a narrow terminal", "127.0.0.1", None)
]


@pytest.fixture(name="terminal")
def make_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], str]:
    """What a terminal of so many columns is shown."""

    def printed_at(width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        show(WIDE, WIDE_ROWS, Format.TABLE, spare=("address", "stop_price"))
        said = capsys.readouterr()
        assert all(len(re.sub(r"\x1b\[\d*m", "", line)) <= width for line in said.out.splitlines())
        return said.out + said.err

    return printed_at


def test_a_table_with_room_shows_every_column(terminal: Callable[[int], str]) -> None:
    assert "127.0.0.1" in terminal(130)
    assert "no room" not in terminal(130)


def test_a_narrow_table_folds_sentences_and_leaves_out_what_can_be_missed(
    terminal: Callable[[int], str],
) -> None:
    said = terminal(60)
    assert "house-trader-1" in said
    assert "127.0.0.1" in said
    assert "…" not in said
    assert "no room for: stop price; -o csv has all" in said
    assert "no room for: address, stop price; -o csv has all" in terminal(45)


def test_a_narrow_part_says_where_all_of_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    part = Part("notes", WIDE, WIDE_ROWS, ("address", "stop_price"))
    show_one([("name", "ada")], Format.TABLE, part)
    assert capsys.readouterr().err == "no room for: stop price; -o json has all\n", "CSV has no parts"


def test_an_amount_is_never_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show(("player", "cash"), [("house-trader-1", Points(100_104_300_749))], Format.TABLE)
    assert "1001043007.49" in capsys.readouterr().out


def test_a_table_in_a_pipe_has_all_the_room_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    show(WIDE, WIDE_ROWS, Format.TABLE, spare=("address", "stop_price"))
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    assert "stop price" in said.out
    assert said.err == ""


def test_an_empty_listing_still_has_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    show(("id", "name"), [], Format.TSV)
    show(("id", "name"), [], Format.JSON)
    assert capsys.readouterr().out == "id\tname\n[]\n"


def test_rows_that_follow_are_written_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(("id",), Format.JSONL)
    lines.write((1,))
    assert capsys.readouterr().out == '{"id": 1}\n'
    lines.write((2,))
    assert capsys.readouterr().out == '{"id": 2}\n'


@pytest.mark.parametrize("form", list(Format))
def test_one_thing_prints_in_every_format(form: Format, capsys: pytest.CaptureFixture[str]) -> None:
    show_one([("name", "ada"), ("cash", Points(5))], form, Part("positions", ("symbol",), [("ACME",)]))
    out = capsys.readouterr().out
    assert "ada" in out
    assert "0.05" in out
    assert ("ACME" in out) == (form is not Format.CSV)


def test_what_there_is_none_of_is_said_to_people_and_left_empty_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_one([("next_phase", None), ("announcements", [])], Format.TABLE)
    assert capsys.readouterr().out == "next phase     none\nannouncements  none\n"
    show_one([("next_phase", None)], Format.TSV)
    assert capsys.readouterr().out == "next_phase\t\n"


def test_a_dry_run_says_that_nothing_changed(capsys: pytest.CaptureFixture[str]) -> None:
    tell("disabled ada", dry_run=True)
    assert capsys.readouterr().out == "dry run, nothing changed: disabled ada\n"
