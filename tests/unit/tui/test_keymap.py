"""One table of actions, and what users make of it."""

import pytest
from bearpit_tui.actions import ACTIONS, PAGES, PANES, actions_on
from bearpit_tui.keymap import KeymapError, key_name, keymap
from bearpit_tui.pages.page import Page
from bearpit_tui.screens.live import page_of
from bearpit_tui.screens.reading import help_text
from bearpit_tui.screens.trade import TradeScreen
from textual.binding import Binding


def test_every_action_has_a_key_a_label_a_help_and_a_method() -> None:
    for action in ACTIONS:
        assert action.keys, action.id
        assert action.label, action.id
        assert action.help.endswith("."), action.id
        assert set(action.panes) <= set(PANES), action.id
        screen = page_of(action.on) if action.on else TradeScreen
        assert action.page or callable(getattr(screen, f"action_{action.id}")), action.id


def test_every_page_has_a_class_of_its_name_a_help_and_its_keys() -> None:
    for name in PAGES:
        page = page_of(name)
        assert issubclass(page, Page)
        assert name == page.PLACE
        assert page.ABOUT.endswith("."), name
        assert [one.id for one in page.BINDINGS if isinstance(one, Binding) and one.id] == [
            action.id for action in actions_on(name)
        ]


def test_ids_are_unique_and_so_are_the_keys_of_each_screen() -> None:
    ids = [action.id for action in ACTIONS]
    assert len(ids) == len(set(ids))
    for place in ("", *PAGES):
        keys = [key for action in actions_on(place) for key in action.keys]
        assert len(keys) == len(set(keys)), place


def test_the_help_names_every_action_once_in_every_pane() -> None:
    keys = keymap()
    for pane in (*PANES, ""):
        text = help_text(keys, pane).plain
        for action in actions_on(""):
            assert text.count(f"  {action.help}") == 1, (pane, action.id)


def test_the_help_of_a_page_names_all_that_can_be_done_there() -> None:
    for name in PAGES:
        text = help_text(keymap(), "", name, "About it.").plain
        for action in actions_on(name):
            assert text.count(f"  {action.help}") == 1, (name, action.id)


def test_a_page_may_use_a_key_that_the_trade_screen_uses_but_not_one_of_a_page() -> None:
    assert keymap({"filter_kind": ("b",)}).keys["filter_kind"] == ("b",)
    with pytest.raises(KeymapError, match='m is given to both "wallet" and "filter_kind"'):
        keymap({"filter_kind": ("m",)})


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
