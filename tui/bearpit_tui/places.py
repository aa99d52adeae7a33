"""Where the screen keeps its files: the user's config and data folders, or all below `BEARPIT_HOME`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import platformdirs


def config_folder() -> Path:
    """Where `settings.toml` is, which the user writes."""
    home = os.environ.get("BEARPIT_HOME")
    return Path(home) if home else Path(platformdirs.user_config_dir("bearpit", appauthor=False))


def data_folder() -> Path:
    """Where sign-ins and what the screen remembers are, which it writes itself."""
    home = os.environ.get("BEARPIT_HOME")
    return Path(home) if home else Path(platformdirs.user_data_dir("bearpit", appauthor=False))


def write_private(path: Path, content: dict[str, str]) -> None:
    """Write JSON that only its owner can read, whole or not at all."""
    write_whole(path, json.dumps(content))


def write_whole(path: Path, text: str) -> None:
    """Write a text that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def read_texts(path: Path) -> dict[str, str]:
    """The texts in a JSON file of ours; empty when it is missing or broken, for it can be made again."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {str(key): value for key, value in content.items() if isinstance(value, str)}
