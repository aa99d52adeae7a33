"""The watch list: every instrument's latest, redrawn only where it changed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

from bearpit_tui.widgets.listing import Listing
from bearpit_tui.widgets.money import arrow, fit_count, fit_money, money, percent
from bearpit_tui.widgets.painted import Piece, tones
from bearpit_tui.widgets.sparkline import sparkline
from textual.strip import Strip
from textual.timer import Timer

FLASH_SECONDS = 0.4
# One timer for all flashes. While updates keep coming they put the flashes out themselves, so that the screen
# is painted once a frame, not twice.
BEAT_SECONDS = 0.2

SHORTEST_SYMBOL, SHORTEST_PRICE, LONGEST_PRICE = 4, 7, 13


@dataclass(frozen=True, slots=True)
class WatchRow:
    """One instrument's latest. Prices in cents, 0: none."""

    symbol: str
    last_cents: int
    # Against the previous close; its sign is the arrow's and the colour's.
    change_bps: int
    bid_cents: int
    ask_cents: int
    # Shares traded today.
    volume: int
    halted: bool = False
    # Recent prices, oldest first.
    history: tuple[int, ...] = ()
    # Not heard of lately: drawn grey.
    stale: bool = False
    # How its price forms, in one cell.
    mark: str = ""
    # Neighbours of one group are tied together by a bracket.
    group: str = ""


@dataclass(frozen=True, slots=True)
class WatchColumns:
    """How wide each column is, gap included; 0: no room for it."""

    symbol: int
    # The mark of the mechanism, the group's bracket, and what room is left over, so that the numbers end at
    # the edge.
    mark: int
    price: int
    change: int
    spark: int
    volume: int
    # Of the bid, and again of the ask.
    quote: int

    @classmethod
    def fit(cls, width: int, symbol: int, price: int, mark: int = 0) -> "WatchColumns":
        """Shares `width` cells among the columns that matter most.

        Given are the longest symbol and price, and how many cells marks and brackets want.
        """
        price = min(price, max(width - 4, 1))
        symbol = max(min(symbol, width - price - 2), 0)
        left = width - symbol - price - 2
        # A mark says more than the sign behind a change; a bracket does not.
        mark = min(left, mark if left >= 9 else 1, mark)
        left -= mark
        change = 7 if left >= 7 else 6 if left >= 6 else 0
        left -= change
        spark = min(left, 9) if left >= 7 else 0
        left -= spark
        volume = 7 if left >= 7 else 0
        left -= volume
        quote = price + 1 if left >= 2 * (price + 1) else 0
        left -= 2 * quote
        wider = min(left, 24) if spark else 0
        return cls(symbol, max(mark + left - wider, 0), price, change, spark + wider, volume, quote)


class WatchList(Listing[WatchRow]):
    """Instruments by row; the cursor chooses one, its key is the symbol."""

    COMPONENT_CLASSES = tones("flash-up", "flash-down")

    def __init__(self, *, id: str | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        # Row number → which way, and until when.
        self._flashes: dict[int, tuple[int, float]] = {}
        self._updated = 0.0
        self._longest_symbol, self._highest_cents, self._mark = SHORTEST_SYMBOL, 0, 0
        self._columns = WatchColumns.fit(0, SHORTEST_SYMBOL, SHORTEST_PRICE)
        self._beat: Timer | None = None
        super().__init__(lambda row: row.symbol, id=id)

    def on_mount(self) -> None:
        self._beat = self.set_interval(BEAT_SECONDS, self._on_beat, pause=True)

    def set_rows(self, rows: Iterable[WatchRow]) -> None:
        """Replaces all rows; the cursor stays on its symbol."""
        fresh = list(rows)
        self._flashes.clear()
        self._longest_symbol, self._highest_cents, self._mark = SHORTEST_SYMBOL, 0, 0
        for row in fresh:
            self._measure(row)
        super().set_rows(fresh)
        self.refresh()

    def update_rows(self, rows: Iterable[WatchRow]) -> None:
        """Takes the rows that changed. Symbols not in the list are passed over."""
        visible = self.rows_in_sight()
        self._updated = now = self.clock()
        dirty = self._put_out(now)
        widened = False
        for row in rows:
            place = self._place.get(row.symbol)
            if place is None:
                continue
            old = self._rows[place]
            if old == row:
                continue
            self._rows[place] = row
            widened |= self._measure(row)
            # A flash out of sight is not worth keeping.
            if place in visible:
                dirty.append(place)
                if old.last_cents != row.last_cents and not (row.stale or self.stale):
                    way = 1 if row.last_cents > old.last_cents else -1
                    self._flashes[place] = (way, now + FLASH_SECONDS)
        if widened:
            self.fit()
        self.refresh_rows(dirty)
        if self._flashes and self._beat is not None:
            self._beat.resume()

    def title_lines(self) -> int:
        """Symbol, price and change explain themselves; what follows does not."""
        return 1 if self._columns.volume else 0

    def fit(self) -> None:
        price = max(SHORTEST_PRICE, min(len(money(self._highest_cents)), LONGEST_PRICE))
        columns = WatchColumns.fit(self.size.width, self._longest_symbol, price, self._mark)
        if columns != self._columns:
            self._columns = columns
            self.refresh()
        super().fit()

    def _measure(self, row: WatchRow) -> bool:
        """Makes room for a row's symbol, mark and price; True: there was not enough."""
        mark = 2 if row.group else len(row.mark)
        if (
            len(row.symbol) <= self._longest_symbol
            and row.last_cents <= self._highest_cents
            and mark <= self._mark
        ):
            return False
        self._mark = max(self._mark, mark)
        self._longest_symbol = max(self._longest_symbol, len(row.symbol))
        self._highest_cents = max(self._highest_cents, row.last_cents)
        return True

    def _put_out(self, now: float) -> list[int]:
        """Ends the flashes whose time is over; their rows."""
        ended = [place for place, (_, until) in self._flashes.items() if until <= now]
        for place in ended:
            del self._flashes[place]
        return ended

    def _on_beat(self) -> None:
        now = self.clock()
        if now - self._updated >= BEAT_SECONDS:
            self.refresh_rows(self._put_out(now))
        if not self._flashes and self._beat is not None:
            self._beat.pause()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y < self.title_lines():
            return self.strip([(self._titles(), ("muted",))], width)
        place = self.place_at(y)
        if place is None:
            return self.strip((), width)
        over = ("cursor",) if place == self.cursor else ()
        way, _ = self._flashes.get(place, (0, 0))
        return self.strip(self._pieces(self._rows[place], way, self._bracket(place)), width, *over)

    def _titles(self) -> str:
        columns = self._columns
        before = columns.symbol + 1 + columns.mark
        titles = f"{'Symbol' if before >= 7 else '':{before}}"
        titles += f"{'Last':>{columns.price}} {'Change':>{columns.change - 1}}{'':{columns.spark}}"
        titles += f"{'Volume':>{columns.volume}}"
        return titles + (f"{'Bid':>{columns.quote}}{'Ask':>{columns.quote}}" if columns.quote else "")

    def _bracket(self, place: int) -> str:
        """The piece that ties a row to its neighbours of the same group."""
        group = self._rows[place].group
        above = place > 0 and self._rows[place - 1].group == group
        below = place + 1 < len(self._rows) and self._rows[place + 1].group == group
        return (
            {(True, True): "│", (True, False): "╵", (False, True): "╷"}.get((above, below), " ")
            if group
            else " "
        )

    def _pieces(self, row: WatchRow, flash: int, bracket: str) -> list[Piece]:
        columns = self._columns
        plain: tuple[str, ...] = ("muted",) if row.stale else ()
        side = "up" if row.change_bps > 0 else "down" if row.change_bps < 0 else "muted"
        tone = ("muted",) if row.stale or not row.last_cents else (side,)
        lit = (*tone, "flash-up" if flash > 0 else "flash-down") if flash else tone
        symbol = row.symbol[: columns.symbol].ljust(columns.symbol) + " "
        mark = ((row.mark + bracket) if row.mark else "")[: columns.mark]
        pieces: list[Piece] = [
            (symbol if mark else symbol + " " * columns.mark, plain),
            (mark and mark.ljust(columns.mark), ("muted",)),
            (_price(row.last_cents, columns.price), lit),
        ]
        if row.halted:
            pieces.append(("‖" + "HALT".rjust(columns.change - 1) if columns.change else "‖", ("warn",)))
        else:
            change = percent(row.change_bps) if row.last_cents else ""
            if len(change) >= columns.change:
                # The arrow says what kind of number it is.
                change = change.rstrip("%")
            sign = arrow(row.change_bps) if row.last_cents else " "
            pieces.append((sign + (change.rjust(columns.change - 1) if columns.change else ""), tone))
        if columns.spark:
            pieces.append((" " + sparkline(row.history, columns.spark - 1), ("spark",)))
        if columns.volume:
            pieces.append(
                (" " + fit_count(row.volume, columns.volume - 1).rjust(columns.volume - 1), ("muted",))
            )
        if columns.quote:
            quotes = (" " + _price(cents, columns.quote - 1) for cents in (row.bid_cents, row.ask_cents))
            pieces.append(("".join(quotes), plain))
        return pieces


def _price(cents: int, width: int) -> str:
    return (fit_money(cents, width) if cents else "–"[:width]).rjust(width)
