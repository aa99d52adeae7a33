"""The ground all market widgets stand on: lines drawn in named tones, whose colours a theme decides."""

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

# A piece of a line: its text and the names of its tones, later ones over earlier ones.
Piece = tuple[str, tuple[str, ...]]

TONES = frozenset(
    {
        "muted",  # what may be overlooked: axis labels, headings, finished orders
        "faint",  # grid lines
        "spark",  # sparklines
        "strong",  # what a line is about
        "warn",  # halted, partly filled
        "own",  # the player's own orders
        "up",
        "down",
        "flash-up",  # a price cell just after it changed
        "flash-down",
        "candle-up",
        "candle-down",
        "bar-up",  # behind a book level's quantity
        "bar-down",
        "tag",  # the last price, as a label
        "tag-up",
        "tag-down",
        "ma-fast",
        "ma-slow",
        "struck",  # what has been taken back
        "cursor",
    }
)

COMMON = (
    "muted", "faint", "spark", "strong", "struck", "warn", "own", "up", "down", "tag", "ma-slow", "cursor",
)  # fmt: skip
"""Those of what shows many things: lists and facts."""


def tones(*names: str) -> set[str]:
    """The component classes of tones. Each is worked out anew whenever a widget's style may have changed, so
    a widget has no more of them than it shows."""
    return {f"tone--{name}" for name in names}


def _sided(side: str) -> str:
    """The rules of every tone that has a rising and a falling kind.

    Sixteen colours do not blend: what is tinted elsewhere is reversed there.
    """
    at, ansi = "& > .tone--", "&:ansi > .tone--"
    rules = [
        f"""
        {at}{side} {{ color: $text-{side}; }}
        {at}candle-{side} {{ color: ${side}-lighten-1; }}
        &:light > .tone--candle-{side} {{ color: $text-{side}; }}
        {at}flash-{side} {{ background: ${side} 28%; }}
        {at}bar-{side} {{ background: ${side} 40%; }}
        {at}tag-{side} {{ background: ${side}; color: auto; text-style: bold; }}
        {ansi}candle-{side} {{ color: ${side}; }}
        """
    ]
    rules += [
        f"{ansi}{kind}-{side} {{ background: transparent; color: ${side}; text-style: reverse; }}"
        for kind in ("flash", "bar", "tag")
    ]
    return "\n".join(rules)


class Painted(ScrollView, can_focus=True):
    """A widget drawn line by line.

    `stale` greys everything that has a direction, for a stream that has stopped. The theme has the colours of
    rising and falling; see colours.py. A widget has the tones that its COMPONENT_CLASSES name.
    """

    DEFAULT_CSS = (
        """
        Painted {
            background: $background;
            color: $foreground;
            scrollbar-size-vertical: 1;
            overflow-x: hidden;
            & > .tone--muted { color: $foreground 65%; }
            & > .tone--faint { color: $foreground 25%; }
            & > .tone--spark { color: $foreground 40%; }
            & > .tone--strong { text-style: bold; }
            & > .tone--struck { text-style: strike; }
            & > .tone--warn { color: $text-warning; }
            & > .tone--own { color: $text-warning; text-style: bold; }
            & > .tone--tag { background: $accent; color: auto; text-style: bold; }
            & > .tone--ma-fast { color: $warning; }
            & > .tone--ma-slow { color: $primary-lighten-2; }
            & > .tone--cursor { background: $foreground 10%; }
            &:focus > .tone--cursor { background: $primary 35%; }
            &:light:focus > .tone--cursor { background: $primary 20%; }
            &:light > .tone--ma-fast { color: $text-warning; }
            &:light > .tone--ma-slow { color: $primary; }
            &:light > .tone--own { color: $text-primary; }
            &:light > .tone--warn { text-style: bold; }
            &:ansi > .tone--muted { text-style: dim; }
            &:ansi > .tone--faint { text-style: dim; }
            &:ansi > .tone--tag { background: transparent; color: $accent; text-style: bold reverse; }
            &:ansi > .tone--spark { text-style: dim; }
            &:ansi:light > .tone--warn { color: $accent; }
            &:ansi:light > .tone--ma-fast { color: $accent; }
            &:ansi > .tone--cursor { background: transparent; text-style: underline; }
            &:ansi:focus > .tone--cursor {
                background: $block-cursor-background;
                color: $block-cursor-foreground;
                text-style: none;
            }
        """
        + _sided("up")
        + _sided("down")
        + """
            &.-stale > .tone--up, &.-stale > .tone--down { color: $foreground 60%; }
            &:nocolor:focus > .tone--cursor, &:nocolor:ansi:focus > .tone--cursor {
                background: transparent; color: $foreground; text-style: reverse;
            }
        }
        """
    )

    stale = reactive(False, toggle_class="-stale")

    def __init__(self, *, id: str | None = None) -> None:
        self._tones: dict[tuple[str, ...], Style] = {}
        super().__init__(id=id)

    def notify_style_update(self) -> None:
        self._tones.clear()
        super().notify_style_update()

    def tone(self, *names: str) -> Style:
        """The style of tones laid over each other, tints blended with what is below them."""
        style = self._tones.get(names)
        if style is None:
            style = self._tones[names] = self._blend(names)
        return style

    def _blend(self, names: tuple[str, ...]) -> Style:
        ground = self.background_colors[1]
        color, automatic = self.styles.color, False
        text_style = Style.null()
        for name in names:
            component = self.get_component_styles(f"tone--{name}")
            if component.has_rule("background"):
                ground += component.background
            if component.has_rule("color") or component.has_rule("auto_color"):
                color, automatic = component.color, component.auto_color
            text_style += component.text_style
        if automatic:
            color = ground.get_contrast_text(color.a)
        return Style.from_color((ground + color).rich_color, ground.rich_color) + text_style

    def strip(self, pieces: Iterable[Piece], width: int, *over: str) -> Strip:
        """Pieces side by side, cut or filled to exactly `width` cells, with the tones `over` over all."""
        segments: list[Segment] = []
        used = 0
        for text, tones in pieces:
            if not text:
                continue
            if not text.isprintable():
                # Names and messages are other people's: no escape sequence of theirs reaches the terminal.
                text = "".join(char if char.isprintable() else " " for char in text)
            length = cell_len(text)
            if used + length > width:
                text, length = set_cell_size(text, width - used), width - used
            if length > 0:
                segments.append(Segment(text, self.tone(*tones, *over)))
                used += length
            if used >= width:
                break
        if used < width:
            segments.append(Segment(" " * (width - used), self.tone(*over)))
        return Strip(segments, width)
