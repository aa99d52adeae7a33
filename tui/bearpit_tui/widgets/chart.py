"""The candle chart: price, volume, two averages, a crosshair."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from bearpit_tui.widgets.candles import (
    CandleBar,
    draw_average,
    draw_thin,
    draw_volume,
    draw_wide,
    merged,
    moving_average,
    spacing,
)
from bearpit_tui.widgets.canvas import LETTERS, RUN, Canvas, Row
from bearpit_tui.widgets.money import arrow, compact, fit_money
from bearpit_tui.widgets.painted import COMMON, Painted, tones
from bearpit_tui.widgets.scale import Scale, time_step
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip

# Bars merged into one candle, and cells from one candle to the next: from far away to close by.
ZOOMS = ((15, 1), (5, 1), (3, 1), (2, 1), (1, 1), (1, 2), (1, 4), (1, 6))
PLAIN_ZOOM = 4
AVERAGES = ((9, "9"), (21, "2"))
LABEL_LIMIT = 12


def utc_time(epoch: int) -> str:
    """Hours and minutes, for those who give no time zone."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%H:%M")


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the parts of a chart are in a widget of some size."""

    # Cells of candles, and of the price axis to their right.
    plot: int
    axis: int
    # Rows of candles from row 1, then of volume, then one of times.
    prices: int
    volumes: int

    @classmethod
    def fit(cls, width: int, height: int, label: int) -> "Frame":
        axis = label + 2 if width >= label + 14 else 0
        body = max(height - 2, 0)
        volumes = body // 6 if body >= 12 else 0
        return cls(width - axis, axis, body - volumes, volumes)


class CandleChart(Painted):
    """Candles of one instrument, the latest at the right.

    Its keys move about inside it. Zooming and taking the crosshair away are for its screen to give keys to.
    """

    COMPONENT_CLASSES = tones(*COMMON, "candle-up", "candle-down", "tag-up", "tag-down", "ma-fast")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "pan(1)", "Earlier", show=False),
        Binding("right", "pan(-1)", "Later", show=False),
        Binding("pageup", "pan_page(1)", "Page earlier", show=False),
        Binding("pagedown", "pan_page(-1)", "Page later", show=False),
        Binding("end", "latest", "Latest", show=False),
        Binding("shift+left", "cross(-1)", "Crosshair left", show=False),
        Binding("shift+right", "cross(1)", "Crosshair right", show=False),
    ]
    DEFAULT_CSS = """
    CandleChart { overflow: hidden; }
    """

    frozen = reactive(False)
    empty_text = reactive("no trades yet")

    def __init__(
        self,
        symbol: str = "",
        period: str = "",
        *,
        time_label: Callable[[int], str] = utc_time,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.symbol, self.period = symbol, period
        self.time_label = time_label
        self._bars: list[CandleBar] = []
        self._spacing = spacing(())
        # The bars as this zoom shows them, until they change.
        self._merged: list[CandleBar] | None = None
        self._zoom = PLAIN_ZOOM
        # Candles past the right edge; 0: the latest is shown.
        self._past = 0
        # Which candle the crosshair is on, and in which row, if the mouse put it there.
        self._cross: int | None = None
        self._cross_row: int | None = None
        self._scene: list[Row] = []

    def on_mount(self) -> None:
        if self.app.no_color:
            # Without colour a fallen candle is a solid block: a gap keeps it from its neighbour.
            self._zoom = PLAIN_ZOOM + 1

    def set_market(self, symbol: str, period: str, time_label: Callable[[int], str] | None = None) -> None:
        """Names what is drawn, and empties the chart until `set_candles`."""
        self.symbol, self.period = symbol, period
        if time_label is not None:
            self.time_label = time_label
        self.set_candles(())

    def set_candles(self, bars: Iterable[CandleBar]) -> None:
        """Replaces all bars, oldest first."""
        self._bars = list(bars)
        self._spacing, self._merged = spacing(self._bars), None
        self._past = 0
        self._cross = self._cross_row = None
        self._redraw()

    def update_last(self, bar: CandleBar) -> None:
        """Replaces the last bar, or appends one that starts later."""
        if self._bars and bar.start_epoch > self._bars[-1].start_epoch:
            self.append(bar)
        else:
            self._bars[-1:] = [bar]
            self._merged = None
            self._redraw()

    def append(self, bar: CandleBar) -> None:
        """A new bar. A view of the past stays where it is."""
        before = len(self._candles())
        self._bars.append(bar)
        self._spacing, self._merged = spacing(self._bars), None
        if self._past:
            self._past += len(self._candles()) - before
        self._redraw()

    @property
    def bars(self) -> tuple[CandleBar, ...]:
        return tuple(self._bars)

    def _candles(self) -> list[CandleBar]:
        together = ZOOMS[self._zoom][0]
        if together == 1:
            return self._bars
        if self._merged is None:
            self._merged = merged(self._bars, self._spacing * together)
        return self._merged

    # What keys and the mouse do.

    def action_zoom(self, steps: int) -> None:
        zoom = max(0, min(self._zoom + steps, len(ZOOMS) - 1))
        if zoom == self._zoom:
            return
        before = ZOOMS[self._zoom][0]
        self._past = self._past * before // ZOOMS[zoom][0]
        self._zoom, self._merged = zoom, None
        self._cross = self._cross_row = None
        self._redraw()

    def action_pan(self, steps: int) -> None:
        # A tenth of what is seen: one bar a key press would take a minute to reach the morning.
        self._pan(steps * max(self._shown() // 10, 1))

    def action_pan_page(self, pages: int) -> None:
        self._pan(pages * max(self._shown() - 1, 1))

    def action_latest(self) -> None:
        self._past = 0
        self._redraw()

    def action_cross(self, steps: int) -> None:
        last = len(self._candles()) - 1
        if last < 0:
            return
        at = self._cross if self._cross is not None else last - self._past - (steps < 0) * steps
        self._cross, self._cross_row = max(0, min(at + steps, last)), None
        first = last - self._past - self._shown() + 1
        if self._cross < first:
            self._past += first - self._cross
        elif self._cross > last - self._past:
            self._past = last - self._cross
        self._redraw()

    def action_clear_cross(self) -> None:
        self._cross = self._cross_row = None
        self._redraw()

    def _pan(self, candles: int) -> None:
        most = max(len(self._candles()) - self._shown(), 0)
        self._past = max(0, min(self._past + candles, most))
        self._redraw()

    def _shown(self) -> int:
        """How many candles there is room for."""
        return max((self._frame().plot - 1) // ZOOMS[self._zoom][1], 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_zoom(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_zoom(-1)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        frame, candles = self._frame(), self._candles()
        shown = min(self._shown(), len(candles) - self._past)
        first = len(candles) - self._past - shown
        place = (offset.x - self._left(frame, shown)) // ZOOMS[self._zoom][1]
        inside = 0 <= place < shown and 1 <= offset.y <= frame.prices
        cross = (first + place, offset.y - 1) if inside else (None, None)
        if cross != (self._cross, self._cross_row):
            self._cross, self._cross_row = cross
            self._redraw()

    def on_leave(self) -> None:
        if self._cross_row is not None:
            self.action_clear_cross()

    def on_resize(self) -> None:
        self._redraw()

    def watch_empty_text(self) -> None:
        self._redraw()

    def watch_frozen(self) -> None:
        self._redraw()

    # Drawing.

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        if len(self._scene) != height or (self._scene and len(self._scene[0][0]) != width):
            # A new size is painted before it is told.
            self._scene = self._draw()
        text, letters = self._scene[y]
        return Strip(
            [
                Segment(text[run.start() : run.end()], self.tone(*LETTERS[run.group(1)]))
                for run in RUN.finditer(letters)
            ],
            width,
        )

    def _redraw(self) -> None:
        """Draws the scene again and repaints the rows that came out different."""
        if not self.is_mounted or not self.size.width:
            return
        before, self._scene = self._scene, self._draw()
        width = self.size.width
        changed = [
            Region(0, y, width, 1)
            for y, row in enumerate(self._scene)
            if y >= len(before) or before[y] != row
        ]
        if changed:
            self.refresh(*changed)

    def _frame(self) -> Frame:
        prices = [price for bar in self._bars[-1:] for price in (bar.high, bar.low)]
        label = max((len(fit_money(price, LABEL_LIMIT)) for price in prices), default=6)
        return Frame.fit(self.size.width, self.size.height, label)

    def _left(self, frame: Frame, shown: int) -> int:
        """The cell of the first candle: a full chart stands at the right, a young one grows from the left."""
        return max(frame.plot - 1 - self._shown() * ZOOMS[self._zoom][1], 0)

    def _draw(self) -> list[Row]:
        width, height = self.size
        canvas = Canvas(width, height)
        if not self._bars:
            self._draw_header(canvas, None)
            canvas.write((width - len(self.empty_text)) // 2, height // 2, self.empty_text, "m")
            return canvas.rows()
        frame, candles = self._frame(), self._candles()
        end = len(candles) - self._past
        first = max(end - self._shown(), 0)
        seen = candles[first:end]
        under = self._cross if self._cross is not None and self._cross < len(candles) else None
        self._draw_header(canvas, candles[under] if under is not None else candles[-1])
        if frame.prices > 0 and seen:
            left, each = self._left(frame, len(seen)), ZOOMS[self._zoom][1]
            xs = [left + place * each for place in range(len(seen))]
            scale = Scale.around(min(bar.low for bar in seen), max(bar.high for bar in seen), frame.prices)
            self._draw_prices(canvas, frame, scale, xs, candles, first, end)
            self._draw_volumes(canvas, frame, xs, seen)
            self._draw_times(canvas, frame, xs, seen)
            if under is not None and first <= under < end:
                self._draw_cross(canvas, frame, scale, xs[under - first], candles[under])
        return canvas.rows()

    def _draw_header(self, canvas: Canvas, bar: CandleBar | None) -> None:
        x = 0
        parts: list[tuple[str, str]] = [(f"{self.symbol} {self.period}".strip() + " ", "s")]
        if self.frozen:
            parts.append(("‖ FROZEN ", "w"))
        if bar is not None:
            tone = "u" if bar.rose else "d"
            parts.append((self.time_label(bar.start_epoch) + " ", "m"))
            for name, cents in (("O", bar.open), ("H", bar.high), ("L", bar.low), ("C", bar.close)):
                parts += [(name, "m"), (fit_money(cents, LABEL_LIMIT) + " ", tone)]
            parts += [
                (arrow(bar.close - bar.open) + " ", tone),
                ("V", "m"),
                (compact(bar.volume) + "  ", tone),
            ]
        parts += [(f"MA{length} ", letter) for length, letter in AVERAGES]
        for text, tone in parts:
            # Half a number misleads: what does not fit is left out.
            if x + len(text.rstrip()) > canvas.width:
                break
            canvas.write(x, 0, text, tone)
            x += len(text)

    def _draw_prices(
        self,
        canvas: Canvas,
        frame: Frame,
        scale: Scale,
        xs: list[int],
        candles: list[CandleBar],
        first: int,
        end: int,
    ) -> None:
        last = candles[-1]
        row, tone = scale.row(last.close), "u" if last.rose else "d"
        ticks = {scale.row(tick): tick for tick in scale.ticks()}
        # From the back to the front.
        for y in ticks:
            canvas.level(frame.plot, 1 + y, "┈", "f")
        if 0 <= row < frame.prices:
            canvas.level(frame.plot, 1 + row, "╌", tone)
        body = max(ZOOMS[self._zoom][1] - 1, 1)
        middles = [x + body // 2 for x in xs]
        for length, letter in reversed(AVERAGES):
            reach = max(first - length, 0)
            means = moving_average(candles[reach:end], length)[first - reach :]
            draw_average(canvas, middles, 1, scale, means, letter)
        shapes = self.app.no_color
        for x, bar in zip(xs, candles[first:end], strict=True):
            if body >= 3:
                draw_wide(canvas, x, 1, scale, bar, body)
            else:
                draw_thin(canvas, x, 1, scale, bar, shapes=shapes)
        if not frame.axis:
            return
        room = frame.axis - 2
        for y, tick in ticks.items():
            canvas.write(frame.plot + 1, 1 + y, fit_money(tick, room).rjust(room), "m")
        tag = f" {fit_money(last.close, room).rjust(room)} "
        canvas.write(frame.plot, 1 + max(0, min(row, frame.prices - 1)), tag, tone.upper())

    def _draw_volumes(self, canvas: Canvas, frame: Frame, xs: list[int], seen: list[CandleBar]) -> None:
        if not frame.volumes:
            return
        most = max(bar.volume for bar in seen)
        each = ZOOMS[self._zoom][1]
        for x, bar in zip(xs, seen, strict=True):
            draw_volume(canvas, x, frame.prices + frame.volumes, frame.volumes, max(each - 1, 1), most, bar)
        if frame.axis:
            label = compact(most)
            canvas.write(canvas.width - 1 - len(label), frame.prices + 1, label, "m")

    def _draw_times(self, canvas: Canvas, frame: Frame, xs: list[int], seen: list[CandleBar]) -> None:
        y = canvas.height - 1
        if y <= frame.prices:
            return
        together, each = ZOOMS[self._zoom]
        label = len(self.time_label(seen[-1].start_epoch))
        candle = self._spacing * together
        span = time_step(-(-(label + 6) // each) * candle)
        marked = [
            (x, bar)
            for x, before, bar in zip(xs[1:], seen, seen[1:], strict=False)
            if before.start_epoch // span != bar.start_epoch // span
        ]
        free = 0
        for x, bar in marked or [(xs[0], seen[0])]:
            text = self.time_label(bar.start_epoch)
            if free <= x <= frame.plot - len(text):
                canvas.write(x, y, text, "m")
                free = x + len(text) + 2

    def _draw_cross(self, canvas: Canvas, frame: Frame, scale: Scale, x: int, bar: CandleBar) -> None:
        middle = x + max(ZOOMS[self._zoom][1] - 1, 1) // 2
        for y in range(1, 1 + frame.prices + frame.volumes):
            canvas.under(middle, y, "┊", "m")
        row = self._cross_row if self._cross_row is not None else scale.row(bar.close)
        price = scale.price(row) if self._cross_row is not None else bar.close
        for place in range(frame.plot):
            canvas.under(place, 1 + row, "┄", "m")
        if frame.axis:
            room = frame.axis - 2
            canvas.write(frame.plot, 1 + row, f" {fit_money(price, room).rjust(room)} ", "T")
        text = self.time_label(bar.start_epoch)
        at = max(0, min(middle - len(text) // 2, frame.plot - len(text)))
        if canvas.height - 1 > frame.prices:
            canvas.write(at, canvas.height - 1, text, "T")
