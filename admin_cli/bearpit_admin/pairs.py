"""KEY=VALUE on the command line: settings, and parameters of mechanisms and algorithms."""

from collections.abc import Mapping, Sequence

import typer

from bearpit_admin.money import parse_points


def parse_pairs(texts: Sequence[str] | None, example: str = "interval_ms=1000") -> dict[str, str]:
    """Values by key. Of keys in cents they may be points: 12.40 is 1240. A usage error for anything else."""
    pairs = [_pair(text, example) for text in texts or ()]
    wanted = dict(pairs)
    if len(wanted) < len(pairs):
        twice = next(key for key, _ in pairs if [known for known, _ in pairs].count(key) > 1)
        raise typer.BadParameter(f"{twice} is given twice; give each once")
    return wanted


def _pair(text: str, example: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise typer.BadParameter(f"{text!r} sets nothing; write it like {example}")
    if key.endswith("_cents") and "." in value:
        value = str(parse_points(value))
    return key, value


def as_pairs(values: Mapping[str, object]) -> list[str]:
    """Values as they would be typed, by key."""
    return [f"{key}={value}" for key, value in sorted(values.items())]
