"""What operators can set: typed values with a default, bounds and a word on what they are.

A set of parameters is a frozen dataclass, marked `@parameters`, whose fields are made by `whole`,
`switch`, `choice` and `text`. Amounts are whole cents and rates whole basis points, as everywhere:
there are no fractions to be rounded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast, dataclass_transform

from bearpit_server.rules.refusals import invalid
from bearpit_server.rules.units import MAX_AMOUNT_CENTS

T = TypeVar("T")

Value = int | bool | str
MAX_TEXT = 200
_META = "parameter"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that can be set: a whole number; a switch when its default is a bool; else a text."""

    key: str
    default: Value
    description: str
    lowest: int = 0
    highest: int = MAX_AMOUNT_CENTS
    choices: tuple[str, ...] = ()
    """Of a text: all there are; none: any that `pattern` matches."""
    pattern: str = ""

    def parse(self, text: str) -> Value:
        """The value that `text` means. Raises Refused INVALID_FIELD."""
        if isinstance(self.default, bool):
            if text not in ("true", "false"):
                raise invalid(self.key, "give true or false")
            return text == "true"
        if isinstance(self.default, str):
            return self._parse_text(text)
        try:
            value = int(text)
        except ValueError:
            raise invalid(self.key, "give a whole number") from None
        if not self.lowest <= value <= self.highest:
            raise invalid(self.key, f"give a number from {self.lowest} to {self.highest}")
        return value

    def _parse_text(self, text: str) -> str:
        if self.choices and text not in self.choices:
            raise invalid(self.key, f"give one of {', '.join(self.choices)}")
        if len(text) > MAX_TEXT or not text.isprintable() or not re.fullmatch(self.pattern or ".*", text):
            raise invalid(self.key, f"{text[:40]!r} is not what it takes: {self.description}")
        return text

    @property
    def bounds(self) -> str:
        """What values there are, for people."""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return ", ".join(self.choices) if self.choices else "text"
        return f"{self.lowest} to {self.highest}"


def as_text(value: Value) -> str:
    """How a value is written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def whole(default: int, description: str, lowest: int = 0, highest: int = MAX_AMOUNT_CENTS) -> int:
    """A field that is a whole number."""
    return cast(int, _field(Parameter("", default, description, lowest, highest)))


def switch(default: bool, description: str) -> bool:
    """A field that is true or false."""
    return cast(bool, _field(Parameter("", default, description)))


def choice(default: str, description: str, *choices: str) -> str:
    """A field that is one of some words."""
    return cast(str, _field(Parameter("", default, description, choices=choices)))


def text(default: str, description: str, pattern: str = "") -> str:
    """A field that is a text, matched by a regular expression as a whole."""
    return cast(str, _field(Parameter("", default, description, pattern=pattern)))


def _field(parameter: Parameter) -> object:
    return field(default=parameter.default, metadata={_META: parameter})


@dataclass_transform(frozen_default=True, kw_only_default=True)
def parameters(cls: type[T]) -> type[T]:
    """A set of parameters."""
    return dataclass(frozen=True, kw_only=True)(cls)


def schema(kind: type) -> list[Parameter]:
    """The parameters of a set, in the order in which they are declared."""
    return [_named(made.name, made.metadata[_META]) for made in fields(kind)]


def _named(key: str, parameter: Parameter) -> Parameter:
    return Parameter(
        key, parameter.default, parameter.description, parameter.lowest, parameter.highest,
        parameter.choices, parameter.pattern,
    )  # fmt: skip


def parse(kind: type[T], texts: Mapping[str, str], base: T | None = None) -> T:
    """A set from texts; what is not given is as in `base`, or its default. Raises Refused INVALID_FIELD."""
    known = {parameter.key: parameter for parameter in schema(kind)}
    for key in texts:
        if key not in known:
            raise invalid(key[:40], f"there is no such parameter; there are {', '.join(known) or 'none'}")
    values: dict[str, Any] = {} if base is None else values_of(base)
    values |= {key: known[key].parse(given) for key, given in texts.items()}
    return kind(**values)


def values_of(given: object) -> dict[str, Value]:
    """The values of a set by key."""
    return {made.name: getattr(given, made.name) for made in fields(cast(Any, given))}


def texts_of(given: object) -> dict[str, str]:
    """The values of a set as they are written, by key: what is stored, and what `parse` reads."""
    return {key: as_text(value) for key, value in values_of(given).items()}


def by_key(all_of_them: Iterable[Parameter] | Sequence[Parameter]) -> dict[str, Parameter]:
    """Parameters by their keys."""
    return {parameter.key: parameter for parameter in all_of_them}
