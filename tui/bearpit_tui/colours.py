"""What rises and what falls, as two colours of the theme: chosen here, and nowhere else.

Every price, candle and gain is drawn in `$up` or `$down` and their shades (`$text-up`, `$down-lighten-1`).
In most of the world rising is green; in East Asia it is red.
"""

from __future__ import annotations

from bearpit_tui.settings import GREEN_UP, RED_UP
from textual.app import App

SHADES = ("", "-lighten-1", "-lighten-2", "-lighten-3", "-darken-1", "-darken-2", "-darken-3", "-muted")


def directed(variables: dict[str, str], colours: str) -> dict[str, str]:
    """A theme's variables with those of both directions; `colours` is RED_UP or GREEN_UP."""
    rising, falling = ("error", "success") if colours == RED_UP else ("success", "error")
    for direction, colour in (("up", rising), ("down", falling)):
        for shade in SHADES:
            if f"{colour}{shade}" in variables:
                variables[f"{direction}{shade}"] = variables[f"{colour}{shade}"]
        variables[f"text-{direction}"] = variables[f"text-{colour}"]
    return variables


class Coloured(App[None], inherit_bindings=False):
    """An app whose themes know both directions."""

    colours = GREEN_UP

    def get_css_variables(self) -> dict[str, str]:
        return directed(super().get_css_variables(), self.colours)

    def colour(self, colours: str) -> None:
        """Draw directions in RED_UP or GREEN_UP from now on, everywhere."""
        if colours != self.colours:
            self.colours = colours
            self._invalidate_css()
            self.refresh_css(animate=False)
