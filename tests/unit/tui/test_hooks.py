"""What a kind of screen leaves to each of its kind, and none may forget."""

from __future__ import annotations

import pytest
from bearpit_tui.pages.page import Page
from bearpit_tui.screens.form import FormScreen
from bearpit_tui.screens.live import LiveScreen


@pytest.mark.parametrize(("base", "hook"), [(LiveScreen, "show_state"), (Page, "body"), (FormScreen, "send")])
def test_a_screen_that_lacks_what_its_kind_needs_cannot_even_be_defined(base: type, hook: str) -> None:
    with pytest.raises(TypeError, match=rf"Bare has no {hook}\(\)"):
        type("Bare", (base,), {})
    type("Whole", (base,), {hook: lambda self: None})
