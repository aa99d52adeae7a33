"""Changing one line of the user's settings file; the others, and all comments, stay as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bearpit_tui.places import write_whole
from bearpit_tui.settings import Settings, SettingsError, settings_of, settings_path

KEYS = "keys"


def write_setting(name: str, value: str, path: Path | None = None) -> Settings:
    """Set a text; an empty one takes the line away. Returns the settings that hold now.

    Raises SettingsError, and leaves the file alone, when the file cannot be read or written, or the value
    would make it one that cannot be used.
    """
    return _changed((name,), value, path)


def write_keys(action_id: str, keys: Sequence[str], path: Path | None = None) -> Settings:
    """Give an action other keys, as `key_name` understands them; none: the usual ones. Otherwise as above."""
    value: str | list[str] = keys[0] if len(keys) == 1 else list(keys)
    return _changed((KEYS, action_id), value, path)


def _changed(names: tuple[str, ...], value: str | list[str], path: Path | None) -> Settings:
    import tomlkit  # only who changes a setting pays for this import
    from tomlkit.exceptions import TOMLKitError

    path = path or settings_path()
    try:
        written = path.read_text(encoding="utf-8") if path.exists() else ""
        document = tomlkit.parse(written)
        *tables, last = names
        place = document
        for table in tables:
            place = place.setdefault(table, tomlkit.table())
        if value:
            place[last] = value
        else:
            place.pop(last, None)
        text = tomlkit.dumps(document)
        settings = settings_of(path, document.unwrap())
        write_whole(path, text)
    except (OSError, ValueError, TOMLKitError) as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"{path} cannot be changed: {error}. Mend it, or remove it.") from None
    return settings
