"""One table of actions, and what users make of it."""

import pytest
from bearpit_tui.keymap import ACTIONS, PANES, KeymapError, key_name, keymap
from bearpit_tui.screens.reading import help_text
from bearpit_tui.screens.trade import TradeScreen


def test_every_action_has_a_key_a_label_a_help_and_a_method() -> None:
    for action in ACTIONS:
        assert action.keys, action.id
        assert action.label, action.id
        assert action.help.endswith("."), action.id
        assert set(action.panes) <= set(PANES), action.id
        assert callable(getattr(TradeScreen, f"action_{action.id}")), action.id


def test_ids_and_keys_are_unique() -> None:
    ids = [action.id for action in ACTIONS]
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(ids) == len(set(ids))
    assert len(keys) == len(set(keys))


def test_the_help_names_every_action_once_in_every_pane() -> None:
    keys = keymap()
    for pane in (*PANES, ""):
        text = help_text(keys, pane).plain
        for action in ACTIONS:
            assert text.count(f"  {action.help}") == 1, (pane, action.id)


def test_a_remap_replaces_all_keys_of_an_action() -> None:
    keys = keymap({"quit": ("Q",)})
    assert keys.keys["quit"] == ("Q",)
    assert keys.overrides() == {"quit": "Q"}
    assert keys.shown("quit") == "Q"


def test_keys_may_be_swapped() -> None:
    assert keymap({"buy": ("s",), "sell": ("b",)}).keys["buy"] == ("s",)


@pytest.mark.parametrize(
    ("written", "name"),
    [("/", "slash"), ("?", "question_mark"), ("+", "plus"), ("Ctrl+F", "ctrl+f"), ("X", "X"), (" ", "space"),
     ("F5", "f5"), ("ctrl+/", "ctrl+slash"), ("Escape", "escape"), ("shift+F2", "shift+f2")],
)  # fmt: skip
def test_keys_are_written_as_people_write_them(written: str, name: str) -> None:
    assert key_name(written) == name


@pytest.mark.parametrize(
    ("remap", "words"),
    [
        ({"buy": ("s",)}, 's is given to both "buy" and "sell"'),
        ({"buy": ("up",)}, '"buy" cannot have ↑'),
        ({"fly": ("f",)}, 'there is no action "fly"'),
        ({"buy": ()}, '"buy" has no key'),
        ({"buy": ("",)}, "a key is empty"),
    ],
)
def test_what_cannot_be_is_refused_in_words(remap: dict[str, tuple[str, ...]], words: str) -> None:
    with pytest.raises(KeymapError) as caught:
        keymap(remap)
    assert words in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(KeymapError) as caught:
        keymap({"fly": ("f",), "buy": ("s",)})
    assert "fly" in str(caught.value)
    assert "both" in str(caught.value)
