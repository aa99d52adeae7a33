"""The depth ladder: asks above, the last price between, bids below."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from bearpit_tui.widgets.money import compact, fit_count, fit_money, money
from bearpit_tui.widgets.painted import Painted, Piece, tones
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

BookSide = Literal["bid", "ask"]

LONGEST_PRICE = 13
# Lines are counted from the last price: above it the asks (negative), below it the bids.
MIDDLE = 0


@dataclass(frozen=True, slots=True)
class LadderLevel:
    """One price of the book: cents, shares, and how many orders they are."""

    price: int
    quantity: int
    orders: int = 0


@dataclass(frozen=True, slots=True)
class LadderLine:
    """What one line of the screen shows; two equal lines look the same."""

    side: BookSide | None = None
    price_cents: int = 0
    quantity: int = 0
    orders: int = 0
    own: int = 0
    # The largest quantity in the book: how long a bar is depends on it.
    most: int = 1
    # The line of the last price: what lies between the best bid and the best ask.
    spread_cents: int = 0
    middle: bool = False
    # Whether prices without orders were left out between this one and the next towards the middle.
    gap: bool = False
    pointed: bool = False


@dataclass(frozen=True, slots=True)
class LadderColumns:
    """Cells for the bids' quantities, the price, the asks' quantities, and a player's own at either edge."""

    bids: int
    price: int
    asks: int
    own: int

    @classmethod
    def fit(cls, width: int, price: int) -> "LadderColumns":
        price = max(min(price, width - 2), 0)
        room = max(width - price - 2, 0)
        side = room // 2
        # Where a number does not fit, a mark must do.
        own = min(side - 6, 6) if side >= 10 else min(side // 2, 1)
        return cls(side - own, price, room - side - own, own)


class DepthLadder(Painted):
    """The book's levels by price. Prices without orders get no line, unless the player has one there."""

    COMPONENT_CLASSES = tones("muted", "own", "up", "down", "tag", "cursor", "bar-up", "bar-down")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "drift(-10)", "Page up", show=False),
        Binding("pagedown", "drift(10)", "Page down", show=False),
        Binding("c,home", "recentre", "Recentre", show=False),
        Binding("enter", "select", "Take the price", show=False),
    ]
    DEFAULT_CSS = """
    DepthLadder { overflow: hidden; }
    """

    class PriceSelected(Message):
        """A price was chosen: enter, or a click. `side` is the side of the book it stands on."""

        def __init__(self, ladder: "DepthLadder", price_cents: int, side: BookSide) -> None:
            self.ladder = ladder
            self.price_cents = price_cents
            self.side = side
            super().__init__()

        @property
        def control(self) -> "DepthLadder":
            return self.ladder

    def __init__(self, *, id: str | None = None) -> None:
        self._asks: list[LadderLevel] = []
        self._bids: list[LadderLevel] = []
        self._last, self._tick = 0, 1
        self._own: dict[tuple[BookSide, int], int] = {}
        self._most = 1
        # Lines by which the view is below the last price.
        self._drift = 0
        # The cursor keeps to its price, however the lines move.
        self._cursor: tuple[BookSide, int] | None = None
        self._longest = 0
        self._columns = LadderColumns.fit(0, 0)
        self._scene: list[LadderLine] = []
        super().__init__(id=id)

    def set_book(
        self,
        bids: tuple[LadderLevel, ...],
        asks: tuple[LadderLevel, ...],
        last_cents: int,
        tick_cents: int,
        own: Mapping[tuple[BookSide, int], int],
    ) -> None:
        """Replaces the book.

        Levels come best first, in cents and shares; a last price of 0: none. Levels more than `tick_cents`
        apart are marked as such. `own` is what the player has there, by side and price.
        """
        self._own = {place: quantity for place, quantity in own.items() if quantity}
        self._bids = self._with_own("bid", bids)
        self._asks = self._with_own("ask", asks)
        self._last, self._tick = last_cents, tick_cents
        levels = (*self._bids, *self._asks)
        self._most = max((level.quantity for level in levels), default=1)
        # Prices of one instrument keep to one width, lest the ladder sway as 99.99 becomes 100.00.
        prices = (last_cents, *(level.price for level in levels))
        self._longest = min(max(len(money(price)) for price in prices), LONGEST_PRICE)
        self._repaint()

    @property
    def cursor(self) -> tuple[BookSide, int] | None:
        """The side and price under the cursor."""
        line = self._cursor_line()
        found = self._at(line) if line is not None else None
        return (found[0], found[1].price) if found is not None else None

    def _with_own(self, side: BookSide, levels: tuple[LadderLevel, ...]) -> list[LadderLevel]:
        known = {level.price for level in levels}
        missing = [LadderLevel(price, 0) for at, price in self._own if at == side and price not in known]
        if not missing:
            return list(levels)
        return sorted((*levels, *missing), key=lambda level: level.price, reverse=side == "bid")

    # Lines and levels.

    def _line_at(self, y: int) -> int:
        return y - self.size.height // 2 + self._drift

    def _at(self, line: int) -> tuple[BookSide, LadderLevel] | None:
        if line < MIDDLE and -line <= len(self._asks):
            return "ask", self._asks[-line - 1]
        if line > MIDDLE and line <= len(self._bids):
            return "bid", self._bids[line - 1]
        return None

    def _cursor_line(self) -> int | None:
        """The line of the cursor's price, or, if that is gone, of the nearest on its side."""
        if self._cursor is None:
            return None
        side, price = self._cursor
        levels = self._asks if side == "ask" else self._bids
        if not levels:
            return None
        place = min(range(len(levels)), key=lambda place: abs(levels[place].price - price))
        return -place - 1 if side == "ask" else place + 1

    # What keys and the mouse do.

    def action_move(self, lines: int) -> None:
        # From nowhere, the first step lands on the best price that way.
        line = (self._cursor_line() or MIDDLE) + lines
        line = line or lines
        line = max(-len(self._asks), min(line, len(self._bids)))
        found = self._at(line)
        if found is None:
            return
        side, level = found
        self._cursor = (side, level.price)
        y = line + self.size.height // 2 - self._drift
        if y < 0:
            self._drift += y
        elif y >= self.size.height:
            self._drift += y - self.size.height + 1
        self._repaint()

    def action_drift(self, lines: int) -> None:
        self._drift = max(-len(self._asks), min(self._drift + lines, len(self._bids)))
        self._repaint()

    def action_recentre(self) -> None:
        """Brings the last price back to the middle."""
        self._drift = 0
        self._repaint()

    def action_select(self) -> None:
        if self.cursor is not None:
            side, price = self.cursor
            self.post_message(self.PriceSelected(self, price, side))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        found = self._at(self._line_at(offset.y)) if offset is not None else None
        if found is not None:
            side, level = found
            self._cursor = (side, level.price)
            self._repaint()
            self.action_select()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_drift(-1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_drift(1)

    def on_resize(self) -> None:
        self._repaint()

    # Drawing.

    def _repaint(self) -> None:
        """Repaints the lines that show something else than before."""
        width, height = self.size
        columns = LadderColumns.fit(width, self._longest)
        before = self._scene if columns == self._columns else []
        self._columns, self._scene = columns, self._draw(height)
        changed = [
            Region(0, y, width, 1)
            for y, line in enumerate(self._scene)
            if y >= len(before) or before[y] != line
        ]
        if changed:
            self.refresh(*changed)

    def _draw(self, height: int) -> list[LadderLine]:
        cursor = self._cursor_line()
        scene = []
        for y in range(height):
            line = self._line_at(y)
            found = self._at(line)
            if line == MIDDLE:
                spread = self._asks[0].price - self._bids[0].price if self._asks and self._bids else 0
                scene.append(LadderLine(price_cents=self._last, spread_cents=spread, middle=True))
            elif found is None:
                scene.append(LadderLine())
            else:
                side, level = found
                own = self._own.get((side, level.price), 0)
                scene.append(
                    LadderLine(
                        side,
                        level.price,
                        level.quantity,
                        level.orders if line == cursor else 0,
                        own,
                        self._most,
                        gap=self._is_gap(line, level),
                        pointed=line == cursor,
                    )
                )
        return scene

    def _is_gap(self, line: int, level: LadderLevel) -> bool:
        nearer = self._at(line + 1 if line < MIDDLE else line - 1)
        return nearer is not None and abs(level.price - nearer[1].price) > self._tick

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self._scene) or self._columns != LadderColumns.fit(width, self._longest):
            self._columns, self._scene = LadderColumns.fit(width, self._longest), self._draw(self.size.height)
        line = self._scene[y] if y < len(self._scene) else LadderLine()
        over = ("cursor",) if line.pointed else ()
        return self.strip(self._pieces(line), width, *over)

    def _pieces(self, line: LadderLine) -> list[Piece]:
        columns = self._columns
        left = columns.own + columns.bids
        price = fit_money(line.price_cents, columns.price).rjust(columns.price)
        if line.middle:
            price = price if line.price_cents else "–"[: columns.price].rjust(columns.price)
            note = f" ↕ {money(line.spread_cents)}" if line.spread_cents > 0 else ""
            note = note if len(note) <= columns.asks + columns.own else ""
            return [(" " * left, ()), (f" {price} ", ("tag",)), (note, ("muted",))]
        gap: Piece = ("┊" if line.gap else " ", ("muted",))
        if line.side == "ask":
            return [(" " * left, ()), gap, (price + " ", ("down",)), *self._ask_depth(line)]
        if line.side == "bid":
            return [*self._bid_depth(line), gap, (price + " ", ("up",))]
        return []

    def _ask_depth(self, line: LadderLine) -> list[Piece]:
        """The quantity over its bar, growing outwards, and the player's own at the outer edge."""
        room = self._columns.asks
        text = fit_count(line.quantity, room) if line.quantity else ""
        note = f" ×{line.orders}" if line.orders else ""
        text = (text + note if len(text + note) <= room else text).ljust(room)
        bar = _bar(line, room)
        own = _own(line, self._columns.own).rjust(self._columns.own)
        return [(text[:bar], ("bar-down",)), (text[bar:], ()), (own, ("own",))]

    def _bid_depth(self, line: LadderLine) -> list[Piece]:
        room = self._columns.bids
        text = fit_count(line.quantity, room) if line.quantity else ""
        note = f"{line.orders}× " if line.orders else ""
        text = (note + text if len(note + text) <= room else text).rjust(room)
        start = room - _bar(line, room)
        own = _own(line, self._columns.own).ljust(self._columns.own)
        return [(own, ("own",)), (text[:start], ()), (text[start:], ("bar-up",))]


def _bar(line: LadderLine, room: int) -> int:
    """The cells of a bar; the smallest quantity has one."""
    if line.quantity <= 0:
        return 0
    return max(0, min(-(-line.quantity * room // max(line.most, 1)), room))


def _own(line: LadderLine, room: int) -> str:
    text = compact(line.own) if line.own else ""
    return text if len(text) <= room else "◆"[:room]
