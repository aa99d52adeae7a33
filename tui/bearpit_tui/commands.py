"""The command line's language: pure, forgiving, and never at a loss for what to type instead.

    buy 100 AAPL @ 12.40        buy 100 12.40           b 1k aapl @12.40 day
    sell 50 mkt                 sell all AAPL mkt
    buy 10 AAPL stop 13.00 @ 13.10
    amend 17 50 @ 12.30         cancel 17   cancel all   cancel all AAPL
    why 17                      AAPL        results      windows     news     help     quit

A symbol that looks like a word of the language is written with a dollar sign: `buy 5 $MKT mkt`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bearpit_tui.actions import PAGES
from bearpit_tui.drafts import Draft, Kind, Life, Side, cents_text, describe

LARGEST = 2**53
"""Larger than any order; it keeps a mistyped number from overflowing the contract's int64."""


@dataclass(frozen=True, slots=True)
class Place:
    """Place an order."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Amend:
    """Change an open order; 0: as it is."""

    order_id: int
    quantity: int = 0
    price_cents: int = 0
    stop_cents: int = 0


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel one order."""

    order_id: int


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel all open orders, or those of one instrument."""

    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Select:
    """Show an instrument."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Explain:
    """Tell why an order has not filled."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Do:
    """Do what a key does, too; `action` is its name in the keymap."""

    action: str


Command = Place | Amend | Cancel | CancelAll | Select | Explain | Do


class CommandError(ValueError):
    """Not understood; the text tells what to type."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the line may take for granted."""

    selected: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    """Names by symbol; empty while they are not known, and then any symbol will do."""
    free_shares: Mapping[str, int] = field(default_factory=dict)
    """For `sell all`."""
    open_orders: tuple[int, ...] = ()
    marks: Mapping[str, int] = field(default_factory=dict)
    """About what a share costs, in cents: examples that are typed as they stand should not surprise."""


BUY_WORDS = frozenset({"buy", "b", "bid"})
SELL_WORDS = frozenset({"sell", "s", "offer"})
CANCEL_WORDS = frozenset({"cancel", "c", "x"})
AMEND_WORDS = frozenset({"amend", "change"})
EXPLAIN_WORDS = frozenset({"why", "explain"})
ACTION_WORDS: Mapping[str, str] = {
    "help": "help", "?": "help", "h": "help", "news": "news", "headlines": "news",
    "results": "results", "result": "results", "windows": "windows", "window": "windows",
    "quit": "quit", "exit": "quit", "q": "quit",
    **{page: page for page in PAGES},
}  # fmt: skip
MARKET_WORDS = frozenset({"mkt", "market"})
LIMIT_WORDS = frozenset({"@", "at", "limit", "lmt"})
STOP_WORDS = frozenset({"stop", "stp"})
POST_WORDS = frozenset({"post", "postonly", "post-only"})
LIFE_WORDS: Mapping[str, Life] = {life.value: life for life in Life if life.value}
NOISE = frozenset({"of", "shares", "share", "for"})
KEYWORDS = frozenset().union(
    BUY_WORDS, SELL_WORDS, CANCEL_WORDS, AMEND_WORDS, EXPLAIN_WORDS, ACTION_WORDS,
    MARKET_WORDS, LIMIT_WORDS, STOP_WORDS, POST_WORDS, LIFE_WORDS, NOISE, {"all"},
)  # fmt: skip
VERBS = ("buy", "sell", "cancel", "amend", "why", "results", "windows", "news", *PAGES, "help", "quit")

_SYMBOL = re.compile(r"[A-Z0-9.\-]{1,12}")
_NUMBER = re.compile(r"(\d[\d,']*)?(\.\d+)?([km])?", re.IGNORECASE)


def parse(text: str, context: Context) -> Command:
    """Understand one line. Raises CommandError, whose text tells what to type."""
    # The key that opens the line is easily typed once more.
    words = text.strip().removeprefix("/").replace("@", " @ ").split()
    if not words:
        raise CommandError(f"Type a symbol, or {_example(context)}")
    head, rest = words[0].lower(), words[1:]
    if not rest and words[0].upper() in context.names:
        return Select(words[0].upper())
    if head in BUY_WORDS or head in SELL_WORDS:
        return Place(_order(Side.BUY if head in BUY_WORDS else Side.SELL, rest, context))
    if head in CANCEL_WORDS:
        return _cancel(rest, context)
    if head in AMEND_WORDS:
        return _amend(rest)
    if head in EXPLAIN_WORDS:
        return Explain(_order_id(rest, "why"))
    if head in ACTION_WORDS:
        return Do(ACTION_WORDS[head])
    if rest and not words[0].startswith("$"):
        close = difflib.get_close_matches(head, VERBS, n=1)
        hint = f'Did you mean "{" ".join([close[0], *rest])}"?' if close else f"Type {_example(context)}"
        raise CommandError(f'"{words[0]}" is not a command. {hint}')
    return Select(_symbol(" ".join(words), context))


def render(command: Command) -> str:
    """A command as it is typed; `parse` understands it again."""
    match command:
        case Place(draft):
            return describe(replace(draft, symbol=written_symbol(draft.symbol)))
        case Amend(order_id, quantity, price, stop):
            words = ["amend", str(order_id)]
            words += [str(quantity)] if quantity else []
            words += ["stop", cents_text(stop)] if stop else []
            words += ["@", cents_text(price)] if price else []
            return " ".join(words)
        case Cancel(order_id):
            return f"cancel {order_id}"
        case CancelAll(symbol):
            return f"cancel all {written_symbol(symbol)}" if symbol else "cancel all"
        case Select(symbol):
            return written_symbol(symbol)
        case Explain(order_id):
            return f"why {order_id}"
        case Do(action):
            return action


def parse_cents(text: str) -> int:
    """A price as typed, `12.4`, `$12.40`, `12,40` or `1,240`, in cents. Raises CommandError."""
    written = text.strip().lstrip("$")
    written = re.sub(r",(\d{1,2})$", r".\1", written) if "." not in written else written
    found = _NUMBER.fullmatch(written)
    if found is None or not (found[1] or found[2]) or found[3]:
        raise CommandError(f'"{text}" is not a price. Type one such as 12.40')
    fraction = (found[2] or ".")[1:]
    if len(fraction) > 2:
        raise CommandError(f'"{text}" is finer than a cent. Type at most two decimals, such as 12.40')
    cents = int(re.sub("[,']", "", found[1] or "0")) * 100 + int(fraction.ljust(2, "0"))
    if not 0 < cents <= LARGEST:
        raise CommandError(f'"{text}" is not a price to trade at. Type one above 0.00, such as 12.40')
    return cents


def parse_quantity(text: str) -> int:
    """A number of shares as typed, `100`, `1,000`, `1k` or `2.5k`. Raises CommandError."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None or not (found[1] or found[2]):
        raise CommandError(f'"{text}" is not a number of shares. Type one such as 100')
    fraction = (found[2] or ".")[1:]
    zeros = {"k": 3, "m": 6}.get((found[3] or "").lower(), 0)
    if len(fraction.rstrip("0")) > zeros:
        raise CommandError(f'"{text}" is not a whole number of shares. Type one such as 100')
    shares = int(re.sub("[,']", "", found[1] or "0") + fraction[:zeros].ljust(zeros, "0"))
    if not 0 < shares <= LARGEST:
        raise CommandError(f'"{text}" is not a number of shares to trade. Type one such as 100')
    return shares


def _order(side: Side, words: list[str], context: Context) -> Draft:
    quantity, symbol, price, stop = "", "", "", ""
    market, post_only, life = False, False, Life.DEFAULT
    queue = list(words)
    while queue:
        word = queue.pop(0)
        lower = word.lower()
        if lower in LIMIT_WORDS:
            price = _next_price(queue, side, context)
        elif lower in STOP_WORDS:
            stop = _next_price(queue, side, context)
        elif word.startswith("$") and not symbol and not price:
            symbol = _symbol(word, context)
        elif lower in MARKET_WORDS:
            market = True
        elif lower in LIFE_WORDS:
            life = LIFE_WORDS[lower]
        elif lower in POST_WORDS:
            post_only = True
        elif lower in NOISE:
            continue
        elif not quantity and (lower == "all" or is_number(word)):
            quantity = lower
        elif not symbol and word.upper() in context.names:
            symbol = word.upper()
        elif is_number(word) and not price:
            price = word
        elif not symbol:
            symbol = _symbol(word, context)
        else:
            raise CommandError(f'"{word}" is one word too many. Type {_example(context, side)}')
    symbol = symbol or context.selected
    if not symbol:
        raise CommandError(f"Of which instrument? Type {_example(context, side)}")
    if not quantity:
        raise CommandError(
            f"How many shares? Type {side.value} 100 {symbol} @ {price or _price(symbol, context)}"
        )
    shares = _free(symbol, side, context) if quantity == "all" else parse_quantity(quantity)
    if not (price or stop or market):
        raise CommandError(
            f"At what price? Type {side.value} {shares} {symbol} @ {_price(symbol, context)}, "
            f"or {side.value} {shares} {symbol} mkt to take the best there is"
        )
    if stop:
        kind = Kind.STOP_LIMIT if price and not market else Kind.STOP
    else:
        kind = Kind.MARKET if market else Kind.LIMIT
    return Draft(
        side, shares, symbol, kind,
        price_cents=parse_cents(price) if price else 0,
        stop_cents=parse_cents(stop) if stop else 0,
        life=life, post_only=post_only,
    )  # fmt: skip


def _next_price(queue: list[str], side: Side, context: Context) -> str:
    if not queue:
        raise CommandError(f"A price is missing at the end. Type {_example(context, side)}")
    word = queue.pop(0)
    parse_cents(word)
    return word


def _free(symbol: str, side: Side, context: Context) -> int:
    if side is Side.BUY:
        raise CommandError(f"How many shares? Type a number: buy 100 {symbol} @ {_price(symbol, context)}")
    free = context.free_shares.get(symbol, 0)
    if not free:
        raise CommandError(f"You have no free shares of {symbol} to sell")
    return free


def _cancel(words: list[str], context: Context) -> Command:
    if not words:
        known = f"cancel {context.open_orders[-1]}" if context.open_orders else "cancel 17"
        raise CommandError(f"Which order? Type its number, {known}, or cancel all")
    if words[0].lower() == "all":
        return CancelAll(_symbol(words[1], context) if len(words) > 1 else "")
    if is_number(words[0].lstrip("#")):
        return Cancel(_order_id(words, "cancel"))
    if words[0].upper().lstrip("$") in context.names:
        return CancelAll(words[0].upper().lstrip("$"))
    raise CommandError(f'"{words[0]}" is not an order. Type cancel 17, or cancel all')


def _amend(words: list[str]) -> Command:
    order_id = _order_id(words[:1], "amend")
    quantity = price = stop = 0
    queue = words[1:]
    while queue:
        word = queue.pop(0)
        lower = word.lower()
        if lower in LIMIT_WORDS or lower in STOP_WORDS:
            if not queue:
                raise CommandError(f"A price is missing at the end. Type amend {order_id} 50 @ 12.30")
            cents = parse_cents(queue.pop(0))
            price, stop = (price, cents) if lower in STOP_WORDS else (cents, stop)
        elif quantity:
            raise CommandError(f'"{word}" is one word too many. Type amend {order_id} 50 @ 12.30')
        else:
            quantity = parse_quantity(word)
    if not (quantity or price or stop):
        raise CommandError(f"To what? Type amend {order_id} 50 @ 12.30, or only the number or the price")
    return Amend(order_id, quantity, price, stop)


def _order_id(words: list[str], verb: str) -> int:
    if not words:
        raise CommandError(f"Which order? Type its number: {verb} 17")
    written = words[0].lstrip("#")
    if not (
        written.isascii() and written.isdigit() and 0 < int(written[:17]) <= LARGEST and len(written) < 17
    ):
        raise CommandError(f'"{words[0]}" is not an order\'s number. Type {verb} 17')
    return int(written)


def _symbol(word: str, context: Context) -> str:
    symbol = word.upper().removeprefix("$")
    if symbol in context.names:
        return symbol
    if context.names:
        close = difflib.get_close_matches(symbol, list(context.names), n=1, cutoff=0.5)
        hint = f"Did you mean {close[0]}?" if close else "Press / and type a part of its name to find one"
        raise CommandError(f"There is no {word.upper()} here. {hint}")
    if not _SYMBOL.fullmatch(symbol):
        raise CommandError(f'"{word}" is not a symbol. Type one such as AAPL')
    return symbol


def is_number(word: str) -> bool:
    found = _NUMBER.fullmatch(word)
    return found is not None and bool(found[1] or found[2])


def written_symbol(symbol: str) -> str:
    return f"${symbol}" if symbol.lower() in KEYWORDS or is_number(symbol) else symbol


def _example(context: Context, side: Side = Side.BUY) -> str:
    symbol = context.selected or next(iter(context.names), "AAPL")
    return f"{side.value} 100 {symbol} @ {_price(symbol, context)}"


def _price(symbol: str, context: Context) -> str:
    return cents_text(context.marks.get(symbol) or 12_40)
