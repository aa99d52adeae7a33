import pytest
from bearpit_tui.settings import RED_UP
from bearpit_tui.widgets.painted import TONES, Painted, tones
from textual.color import Color
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES

from tests.unit.tui.widgets.stage import Stage

TRUE_COLOUR_THEMES = sorted(name for name, theme in BUILTIN_THEMES.items() if not theme.ansi)
ANSI_THEMES = sorted(name for name, theme in BUILTIN_THEMES.items() if theme.ansi)
# What carries words and numbers, alone and over a cursor, a flash or a bar.
READ = [(tone, *over) for tone in ("up", "down", "muted", "warn", "own") for over in ((), ("cursor",))] + [
    ("up", "flash-up"),
    ("down", "flash-down"),
    ("bar-up",),
    ("bar-down",),
    ("tag",),
    ("tag-up",),
]


class Plain(Painted):
    """Nothing but its ground, and every tone."""

    COMPONENT_CLASSES = tones(*TONES)

    def render_line(self, y: int) -> Strip:
        return self.strip((), self.size.width)


def luminance(color: Color) -> float:
    """As WCAG 2.2 defines it."""

    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b)


def contrast(widget: Painted, tones: tuple[str, ...]) -> float:
    style = widget.tone(*tones)
    assert style.color is not None
    assert style.bgcolor is not None
    dark, light = sorted(
        (luminance(Color.from_rich_color(style.color)), luminance(Color.from_rich_color(style.bgcolor)))
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", TRUE_COLOUR_THEMES)
async def test_every_theme_can_be_read(theme: str) -> None:
    widget = Plain()
    app = Stage(widget)
    async with app.run_test() as pilot:
        app.theme = theme
        await pilot.pause()
        faint = {tones: round(contrast(widget, tones), 2) for tones in READ}
        assert {tones: ratio for tones, ratio in faint.items() if ratio < 2} == {}


@pytest.mark.parametrize("theme", TRUE_COLOUR_THEMES + ANSI_THEMES)
async def test_up_and_down_differ_and_red_up_swaps_them(theme: str) -> None:
    widget = Plain()
    app = Stage(widget)
    async with app.run_test() as pilot:
        app.theme = theme
        await pilot.pause()
        sided = [tone.removesuffix("-up") for tone in TONES if tone.endswith("-up")]
        western = {kind: (widget.tone(f"{kind}-up"), widget.tone(f"{kind}-down")) for kind in sided}
        western[""] = (widget.tone("up"), widget.tone("down"))
        assert all(up != down for up, down in western.values())
        app.colour(RED_UP)
        await pilot.pause()
        for kind, (up, down) in western.items():
            prefix = f"{kind}-" if kind else ""
            assert (widget.tone(f"{prefix}up"), widget.tone(f"{prefix}down")) == (down, up), kind


@pytest.mark.parametrize("theme", ANSI_THEMES)
async def test_sixteen_colours_are_not_mixed(theme: str) -> None:
    widget = Plain()
    app = Stage(widget)
    async with app.run_test() as pilot:
        app.theme = theme
        await pilot.pause()
        for tone in TONES:
            style = widget.tone(tone)
            assert all(color is None or color.triplet is None for color in (style.color, style.bgcolor)), tone


async def test_a_new_theme_gives_new_tones() -> None:
    widget = Plain()
    app = Stage(widget)
    async with app.run_test() as pilot:
        before = widget.tone("up")
        app.theme = "gruvbox"
        await pilot.pause()
        assert widget.tone("up") != before


async def test_stale_takes_the_colour_out_of_up_and_down() -> None:
    widget = Plain()
    stage = Stage(widget)
    async with stage.run_test() as pilot:
        widget.stale = True
        await pilot.pause()
        assert widget.tone("up") == widget.tone("down")
        stage.colour(RED_UP)
        await pilot.pause()
        assert widget.tone("up") == widget.tone("down")


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 3, "abc"),
        ("日本", 3, "日 "),
        ("a\x1b[0m\tb", 7, "a [0m b"),
        ("", 2, "  "),
    ],
)
async def test_a_strip_is_exactly_as_wide_as_asked(text: str, width: int, shown: str) -> None:
    widget = Plain()
    async with Stage(widget).run_test():
        strip = widget.strip([(text, ())], width)
        assert strip.text == shown
        assert strip.cell_length == width
