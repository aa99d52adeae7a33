"""What the last word of a line may become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bearpit_tui.commands import (
    AMEND_WORDS,
    BUY_WORDS,
    CANCEL_WORDS,
    EXPLAIN_WORDS,
    SELL_WORDS,
    VERBS,
    Context,
    is_number,
    written_symbol,
)


@dataclass(frozen=True, slots=True)
class Completion:
    """The whole line as it would be, and what to show for it."""

    line: str
    label: str
    note: str = ""


def complete(text: str, context: Context, limit: int = 6) -> tuple[Completion, ...]:
    """What the last word may become: symbols by their start, then by their name; orders after `cancel`."""
    words = text.split(" ")
    last = words[-1]
    before = " ".join(words[:-1])
    lead = f"{before} " if before else ""
    head = words[0].lower()
    if len(words) > 1 and head in CANCEL_WORDS | AMEND_WORDS | EXPLAIN_WORDS:
        ids = [str(order) for order in reversed(context.open_orders)]
        options = ids + (["all"] if head in CANCEL_WORDS else [])
        return tuple(
            Completion(lead + option, option)
            for option in options
            if len(words) == 2 and option.startswith(last.lower().lstrip("#"))
        )[:limit]
    if not last or (len(words) > 1 and (head not in BUY_WORDS | SELL_WORDS or is_number(last))):
        return ()
    wanted = last.removeprefix("$")
    symbols = _matching(wanted, context.names)
    found = [Completion(lead + written_symbol(symbol), symbol, context.names[symbol]) for symbol in symbols]
    if len(words) == 1:
        found += [Completion(f"{verb} ", verb) for verb in VERBS if verb.startswith(last.lower())]
    return tuple(found[:limit])


def _matching(wanted: str, names: Mapping[str, str]) -> list[str]:
    upper, lower = wanted.upper(), wanted.lower()
    starts = [symbol for symbol in names if symbol.startswith(upper)]
    named = [symbol for symbol, name in names.items() if lower in name.lower() and symbol not in starts]
    return sorted(starts, key=lambda symbol: (len(symbol), symbol)) + sorted(named)
