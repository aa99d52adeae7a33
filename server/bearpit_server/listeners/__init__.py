"""Who listens to the event log: one file each, found by itself; see `events.listeners`.

None of them is called by what it listens to, and none knows of another.
"""

from importlib import import_module
from pkgutil import iter_modules

from bearpit_server.events.listeners import Listener


def find() -> list[Listener]:
    """All listeners, by name. Two of one name are a mistake."""
    found: dict[str, Listener] = {}
    for module in iter_modules(__path__):
        listener = import_module(f"{__name__}.{module.name}").LISTENER
        assert isinstance(listener, Listener), f"{module.name} has no LISTENER"
        assert listener.name not in found, f"there are two listeners {listener.name}"
        found[listener.name] = listener
    return [found[name] for name in sorted(found)]
