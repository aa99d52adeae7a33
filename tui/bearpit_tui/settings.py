"""The user's settings, which the user writes, and what the screen remembers by itself.

Two files: `settings.toml` in the config folder, and `remembered.json` in the data folder. What is changed on
the settings page goes into the first one, whose comments and order stay as they are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bearpit_tui.keymap import Keymap, KeymapError, keymap
from bearpit_tui.places import config_folder, data_folder, read_texts, write_private
from bearpit_tui.zones import zone_of

EXAMPLE = """\
# Bearpit's settings. Everything is optional.
server = "127.0.0.1:7117"
theme = "textual-dark"      # ctrl+p, "theme" shows them all
time_zone = "Europe/Prague" # that times are shown in; without it, this machine's
colours = "green-up"        # what rises is green; "red-up": it is red, as in East Asia

[keys]
buy = "b"
find = ["/", "ctrl+f"]
"""


GREEN_UP, RED_UP = "green-up", "red-up"
TEXTS = ("server", "theme", "time_zone", "colours")


class SettingsError(ValueError):
    """A settings file that cannot be used; the text names the file, the fault and the way out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user has written."""

    keymap: Keymap = field(default_factory=keymap)
    theme: str = ""
    server: str = ""
    time_zone: str = ""
    colours: str = ""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the screen has noticed; losing it costs nothing."""

    theme: str = ""
    server: str = ""
    hint_seen: bool = False
    acknowledged: tuple[str, ...] = ()
    """Urgent announcements that have been read: server and number."""


def settings_path() -> Path:
    """Where the user's settings are."""
    return config_folder() / "settings.toml"


def load_settings(path: Path | None = None) -> Settings:
    """Read the user's settings; a missing file means none. Raises SettingsError."""
    path = path or settings_path()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}. Mend it, or remove it.") from None
    return settings_of(path, content)


def settings_of(path: Path, content: Mapping[str, object]) -> Settings:
    """The settings that a file's content makes. Raises SettingsError, which names all that is wrong."""
    wrong = [f'there is no setting "{name}"' for name in sorted(set(content) - {"keys", *TEXTS})]
    texts = {}
    for name in TEXTS:
        value = content.get(name, "")
        if isinstance(value, str):
            texts[name] = value
        else:
            wrong.append(f'"{name}" must be a text in quotes')
    remap, faults = _remap(content.get("keys", {}))
    wrong += faults
    keys = keymap()
    try:
        keys = keymap(remap)
    except KeymapError as error:
        wrong.append(str(error))
    if texts.get("theme"):
        wrong += _theme_faults(texts["theme"])
    if texts.get("colours", "") not in ("", GREEN_UP, RED_UP):
        wrong.append(f'"colours" must be "{GREEN_UP}" or "{RED_UP}"')
    if texts.get("time_zone"):
        try:
            zone_of(texts["time_zone"])
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise SettingsError(f"{path}: {'; '.join(wrong)}.")
    return Settings(keymap=keys, **texts)


def _remap(written: object) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    if not isinstance(written, dict):
        return {}, ['"keys" must be a table: [keys], then lines such as buy = "b"']
    remap: dict[str, tuple[str, ...]] = {}
    wrong: list[str] = []
    for name, value in written.items():
        keys = [value] if isinstance(value, str) else value
        if isinstance(keys, list) and all(isinstance(key, str) for key in keys):
            remap[str(name)] = tuple(keys)
        else:
            wrong.append(f'"{name}" must be a key in quotes, or a list of them')
    return remap, wrong


def _theme_faults(name: str) -> list[str]:
    from textual.theme import BUILTIN_THEMES  # only a file that names a theme pays for this import

    if name in BUILTIN_THEMES:
        return []
    return [f'there is no theme "{name}"; themes are: {", ".join(sorted(BUILTIN_THEMES))}']


def _remembered_path() -> Path:
    return data_folder() / "remembered.json"


def load_remembered() -> Remembered:
    """What the screen noticed the last time; a missing or broken file means nothing."""
    texts = read_texts(_remembered_path())
    return Remembered(
        theme=texts.get("theme", ""),
        server=texts.get("server", ""),
        hint_seen=texts.get("hint_seen") == "yes",
        acknowledged=tuple(texts.get("acknowledged", "").splitlines()),
    )


def remember(
    *,
    theme: str | None = None,
    server: str | None = None,
    hint_seen: bool | None = None,
    acknowledged: tuple[str, ...] | None = None,
) -> Remembered:
    """Note something for the next time; a folder that cannot be written to is no reason to stop playing."""
    kept = load_remembered()
    kept = replace(
        kept,
        theme=kept.theme if theme is None else theme,
        server=kept.server if server is None else server,
        hint_seen=kept.hint_seen if hint_seen is None else hint_seen,
        acknowledged=kept.acknowledged if acknowledged is None else acknowledged,
    )
    texts = {
        "theme": kept.theme,
        "server": kept.server,
        "hint_seen": "yes" if kept.hint_seen else "no",
        "acknowledged": "\n".join(kept.acknowledged),
    }
    try:
        write_private(_remembered_path(), texts)
    except OSError:
        return kept
    return kept
