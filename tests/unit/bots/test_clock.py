"""What outlives a restart of the bots: who they are, and how far the history has come."""

import stat
from pathlib import Path

from bearpit_admin.bots.accounts import (
    Account,
    Accounts,
    read_accounts,
    read_weeks,
    write_accounts,
    write_weeks,
)
from bearpit_admin.bots.board import HistoryClock


def test_the_history_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    seconds = [100.0]
    clock = HistoryClock(read_weeks(path), 10, lambda: seconds[0])
    assert clock.weeks == 0
    seconds[0] += 25
    write_weeks(path, clock.weeks)
    later = HistoryClock(read_weeks(path), 10, lambda: seconds[0])
    seconds[0] += 5
    assert later.weeks == 3.0


def test_a_broken_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for content in ("", "[]", '{"weeks": "many"}', '{"weeks": null}'):
        path.write_text(content)
        assert read_weeks(path) == 0
        assert read_accounts(path) is None


def test_accounts_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "bots.json"
    accounts = Accounts((Account("maker", "one"),), (Account("trader", "two"),))
    write_accounts(path, accounts)
    assert read_accounts(path) == accounts
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert accounts.password_of("trader") == "two"
    assert accounts.password_of("nobody") == ""
