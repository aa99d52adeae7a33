"""The server's own program, which a few commands run: this one knows no database."""

from importlib.util import find_spec

from bearpit_admin.exits import Exit, Failure

SERVER_MODULE = "bearpit_server"
_NEEDED = (SERVER_MODULE, "peewee")
"""The program is in every install; what it takes comes with the extra, of which this is the first used."""


def need_server() -> None:
    """Raises Failure when the server cannot run in this installation."""
    if any(find_spec(module) is None for module in _NEEDED):
        raise Failure(
            "The server is not installed here, only what players take.",
            Exit.FAILED,
            "pip install '.[server]' in the project's folder, or run this where the server runs",
        )
