"""What the house bots say of themselves while they have no server."""

import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bearpit_admin.bots.accounts import Account, Accounts, write_accounts


def test_each_line_has_its_time_in_utc_and_a_signal_ends_them_in_good_order(tmp_path: Path) -> None:
    names = ("maker-1", "maker-2")
    write_accounts(tmp_path / "bots", Accounts(tuple(Account(name, "x") for name in names), ()))
    files = ("--accounts", str(tmp_path / "bots"), "--state", str(tmp_path / "weeks"))
    process = subprocess.Popen(
        [sys.executable, "-m", "bearpit_admin.bots", "--server", "127.0.0.1:1", *files],
        env={**os.environ, "TZ": "Asia/Tokyo"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0
    match = re.fullmatch(r"(\S+Z) maker-\d waits: The server cannot be reached\. .*\n", line)
    assert match, line
    assert abs(datetime.now(UTC) - datetime.fromisoformat(match[1])) < timedelta(minutes=5)
