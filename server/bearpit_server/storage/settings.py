"""The settings that hold now: the table's defaults, and what operators have set."""

from bearpit_server.rules.parameters import Value, as_text
from bearpit_server.rules.settings import SETTINGS, find
from bearpit_server.storage.models import Setting


class Settings:
    """A copy in memory, replaced whole by `load`. Reading it costs a dictionary look-up."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {key: setting.default for key, setting in SETTINGS.items()}

    def load(self) -> None:
        """Read what is set; inside a transaction."""
        stored = dict(Setting.select(Setting.key, Setting.value).tuples())
        self._values = {
            key: setting.parse(stored[key]) if key in stored else setting.default
            for key, setting in SETTINGS.items()
        }

    def number(self, key: str) -> int:
        """The value of a numeric setting."""
        return int(self._values[key])

    def switch(self, key: str) -> bool:
        """The value of a switch."""
        return bool(self._values[key])

    def text(self, key: str) -> str:
        """The value as operators write it."""
        return as_text(self._values[key])


def store(values: dict[str, str]) -> None:
    """Set some; inside a transaction. Raises Refused NOT_FOUND or INVALID_FIELD."""
    for key, text in values.items():
        canonical = as_text(find(key).parse(text))
        Setting.insert(key=key, value=canonical).on_conflict(
            conflict_target=[Setting.key], update={Setting.value: canonical}
        ).execute()
