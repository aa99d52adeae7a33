"""The keys of the actions: the table's, unless a user remaps them in `settings.toml`.

[keys]
buy = "B"
find = ["slash", "ctrl+f"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bearpit_tui.actions import ACTIONS, PAGES, actions_on
from textual.keys import _character_to_key, format_key

RESERVED = frozenset(
    {"up", "down", "left", "right", "shift+left", "shift+right", "enter", "tab", "shift+tab", "home", "end"}
    | {"pageup", "pagedown", "j", "k", "c", "ctrl+c"}
)
"""Keys that move about inside every pane and therefore cannot be given to an action."""


class KeymapError(ValueError):
    """The settings ask for keys that cannot be had; the text says which and what to write instead."""


@dataclass(slots=True)
class Keymap:
    """Which keys each action has: the table's, unless the user said otherwise.

    All screens share one, so that a key that is changed is another one everywhere.
    """

    keys: Mapping[str, tuple[str, ...]]

    def become(self, other: Keymap) -> None:
        """Have another one's keys."""
        self.keys = other.keys

    def shown(self, action_id: str) -> str:
        """The first key of an action as people read it, such as `?` or `ctrl+q`."""
        return format_key(self.keys[action_id][0])

    def all_shown(self, action_id: str) -> str:
        """All keys of an action as people read them."""
        return " ".join(format_key(key) for key in self.keys[action_id])

    def overrides(self) -> dict[str, str]:
        """What differs from the table, in the form Textual's keymap wants."""
        return {
            action.id: ",".join(self.keys[action.id])
            for action in ACTIONS
            if self.keys[action.id] != action.keys
        }


def key_name(written: str) -> str:
    """The name of a key as Textual knows it: `?` is `question_mark`, `Ctrl+F` is `ctrl+f`, `X` stays `X`.

    Raises KeymapError when nothing is written.
    """
    key = written if written == " " else written.strip()
    if not key:
        raise KeymapError('a key is empty: write one such as "b", "ctrl+f" or "f5"')
    if len(key) == 1:
        return "space" if key == " " else _character_to_key(key)
    *modifiers, last = key.split("+") if not key.endswith("++") else [*key[:-2].split("+"), "+"]
    # With a modifier a capital means nothing: terminals send ctrl+f and ctrl+F alike.
    last = _character_to_key(last.lower()) if len(last) == 1 else last.lower()
    return "+".join([*(modifier.strip().lower() for modifier in modifiers), last])


def keymap(remap: Mapping[str, tuple[str, ...]] | None = None) -> Keymap:
    """The table with the user's changes. Raises KeymapError naming everything that is wrong at once."""
    known = {action.id for action in ACTIONS}
    wrong = [
        f'there is no action "{name}"; actions are: {", ".join(sorted(known))}'
        for name in sorted(set(remap or ()) - known)
    ]
    chosen: dict[str, tuple[str, ...]] = {action.id: action.keys for action in ACTIONS}
    for action_id, written in (remap or {}).items():
        if action_id not in known:
            continue
        try:
            chosen[action_id] = tuple(dict.fromkeys(key_name(key) for key in written))
        except KeymapError as error:
            wrong.append(f'"{action_id}": {error}')
        if not chosen[action_id]:
            wrong.append(f'"{action_id}" has no key: give it one, or leave its line out')
    wrong += _conflicts(chosen)
    if wrong:
        raise KeymapError("; ".join(wrong))
    return Keymap(MappingProxyType(chosen))


def _conflicts(chosen: Mapping[str, tuple[str, ...]]) -> list[str]:
    wrong = [
        f'"{action_id}" cannot have {format_key(key)}: it moves about inside the panes'
        for action_id, keys in chosen.items()
        for key in keys
        if key in RESERVED
    ]
    for place in ("", *PAGES):
        taken: dict[str, str] = {}
        for action in sorted(actions_on(place), key=ACTIONS.index):
            for key in chosen[action.id]:
                if key in taken:
                    wrong.append(f'{format_key(key)} is given to both "{taken[key]}" and "{action.id}"')
                elif key not in RESERVED:
                    taken[key] = action.id
    return list(dict.fromkeys(wrong))
