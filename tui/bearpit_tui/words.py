"""What went wrong, in words, and what to do next: one table by the contract's reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from bearpit_tui.widgets.money import money

Numbers = Mapping[str, str]
"""The metadata of an error: numbers as text."""


def refusal_words(reason: str, message: str, numbers: Numbers) -> str:
    """Words for a refusal. `reason` is the contract's, without `REASON_`; `message` serves when it is new."""
    say = _SAYINGS.get(reason)
    words = say(numbers) if say else ""
    if words:
        return words
    # The server's own sentences may start small and lack their stop.
    message = message.strip() or "The server refused this without a word. Try again, or ask the operators."
    return message[0].upper() + message[1:] + ("" if message[-1] in ".!?" else ".")


def _amount(numbers: Numbers, name: str) -> str:
    written = numbers.get(name, "")
    return money(int(written)) if written.lstrip("-").isdigit() else ""


def _count(numbers: Numbers, name: str) -> str:
    written = numbers.get(name, "")
    return f"{int(written):,}" if written.lstrip("-").isdigit() else ""


def _funds(numbers: Numbers) -> str:
    needed, free = _amount(numbers, "needed_cents"), _amount(numbers, "free_cents")
    if not (needed and free):
        return "Not enough free cash. Buy less, or cancel an order that holds some."
    return (
        f"Not enough cash: it needs {needed}, {free} is free. Buy less, or cancel an order that holds some."
    )


def _shares(numbers: Numbers) -> str:
    needed, free = _count(numbers, "needed"), _count(numbers, "free")
    if not (needed and free):
        return "Not enough free shares. Sell less, or cancel an order that holds some."
    if free == "0":
        return "You have no free shares of it to sell. Buy some first, or cancel an order that holds them."
    return f"Not enough shares: {free} are free of the {needed} it needs. Sell {free} or fewer."


def _next_open(numbers: Numbers) -> str:
    try:
        return f"{datetime.fromisoformat(numbers.get('next_open', '')).astimezone():%H:%M on %A}"
    except ValueError:
        return ""


def _closed(numbers: Numbers) -> str:
    if opens := _next_open(numbers):
        return f"The market is closed. It opens at {opens}; orders can still be cancelled."
    return "The market is closed. Try again when it is open; orders can still be cancelled."


def _window(numbers: Numbers) -> str:
    if opens := _next_open(numbers):
        return f"Its window takes no orders now. They are taken again at {opens}."
    return "Its window takes no orders now, and it is not known when the next one will."


def _inventory(numbers: Numbers) -> str:
    allowed = _count(numbers, "allowed")
    if not allowed or allowed == "0":
        return "The house has no shares of it left to sell. Wait until somebody sells some back."
    return f"The house has only {allowed} shares of it left to sell. Buy {allowed} or fewer."


def _tick(numbers: Numbers) -> str:
    return f"Prices go in steps of {_amount(numbers, 'tick_cents') or 'the tick'}. Round the price to one."


def _lot(numbers: Numbers) -> str:
    return f"Shares trade in lots of {_count(numbers, 'lot') or 'a fixed size'}. Round the number to one."


def _size(numbers: Numbers) -> str:
    least = _count(numbers, "min_quantity") or _count(numbers, "minimum")
    most = _count(numbers, "max_quantity") or _count(numbers, "maximum")
    return f"An order is for {least} to {most} shares here. Change the number." if least and most else ""


def _band(numbers: Numbers) -> str:
    lower, upper = _amount(numbers, "lower_cents"), _amount(numbers, "upper_cents")
    if not (lower and upper):
        return "The price is too far from the last one. Choose a nearer one."
    return f"The price must be from {lower} to {upper} now. Choose one in between."


def _limit(numbers: Numbers) -> str:
    limit, allowed, used = (numbers.get(name, "") for name in ("limit", "allowed", "used"))
    if not (limit and allowed):
        return ""
    have = f", {used} used" if used else ""
    return f"That would exceed your limit of {limit.replace('_', ' ')} ({allowed}{have}). Ask for less."


def _rate(numbers: Numbers) -> str:
    wait = numbers.get("retry_after_ms", "")
    seconds = f"{-(-int(wait) // 1000)} s" if wait.isdigit() else "a moment"
    return f"Too many requests at once. Wait {seconds} and try again."


def _incident(numbers: Numbers) -> str:
    incident = numbers.get("incident", "")
    named = f" Tell the operators its number: {incident}." if incident else ""
    return f"Something broke in the server; that is not your fault. Try again.{named}"


def _minimum(numbers: Numbers) -> str:
    least = _amount(numbers, "minimum_cents")
    return f"That is too little. The least is {least}." if least else ""


def _debt(numbers: Numbers) -> str:
    owed = _amount(numbers, "debt_cents")
    what = f"You owe the house {owed}. " if owed else "You owe the house. "
    return f"{what}Until that is repaid this cannot be done; whatever comes in repays it first."


def _plain(words: str) -> Callable[[Numbers], str]:
    return lambda _: words


_SAYINGS: Mapping[str, Callable[[Numbers], str]] = {
    "REQUEST_ID_REUSED": _plain("That was sent before in another form. Nothing was done; send it anew."),
    "NOT_SIGNED_IN": _plain("Your sign-in has ended. Sign in again."),
    "BAD_CREDENTIALS": _plain("Name and password do not match. Check both."),
    "TOKEN_REUSED": _plain("Your sign-in was used elsewhere and has ended. Sign in again."),
    "NOT_ALLOWED": _plain("You are not allowed to do this. Ask the operators if you should be."),
    "PLAYER_DISABLED": _plain("This player has been disabled. Ask the operators why."),
    "RATE_LIMITED": _rate,
    "INSUFFICIENT_FUNDS": _funds,
    "INSUFFICIENT_SHARES": _shares,
    "MARKET_CLOSED": _closed,
    "NOT_IN_AUCTION": _plain(
        "Orders are only being collected now. Leave out ioc, fok and post, or wait for the opening."
    ),
    "OFF_TICK": _tick,
    "OFF_LOT": _lot,
    "SIZE_OUT_OF_RANGE": _size,
    "PRICE_OUT_OF_BAND": _band,
    "LIMIT_EXCEEDED": _limit,
    "NO_REFERENCE_PRICE": _plain("Nothing has traded yet, so there is no market price. Name one: @ 12.40"),
    "ORDER_NOT_OPEN": _plain("The order has ended already; there is nothing left to change."),
    "NOT_TRADABLE": _plain("This is not traded now. Choose another instrument."),
    "NO_PRICE": _plain("It has no price now: its source sends none. Wait for the next one."),
    "INVENTORY_LIMIT": _inventory,
    "WINDOW_NOT_TRADING": _window,
    "TRANSFER_TO_SELF": _plain("That is you. Name somebody else."),
    "BELOW_MINIMUM": _minimum,
    "IN_DEBT": _debt,
    "PLAYER_FROZEN": _plain("You, or who it is for, can only look at the moment. Ask the operators why."),
    "NOT_BROKE": _plain("You have too much for a loan to begin again: it is for those who have nothing."),
    "NOT_WHILE_IMPERSONATING": _plain("That is the player's own to do. Looking is all that you can do here."),
    "CODE_MISTYPED": _plain("There is a slip in the code. Look at it again; 0 and O count as the same."),
    "CODE_UNKNOWN": _plain(
        "There is no such code. Look at it again; after some wrong ones you have to wait."
    ),
    "CODE_EXPIRED": _plain("The code was good for a time that is over."),
    "CODE_USED_UP": _plain("The code has been redeemed as often as it can be."),
    "CODE_ALREADY_REDEEMED": _plain("You have redeemed this code already."),
    "CODE_WITHDRAWN": _plain("The operators have withdrawn this code."),
    "TEAM_FULL": _plain("The team is full. Choose another one, or ask the operators."),
    "DATABASE_UNAVAILABLE": _plain("The server cannot reach its database. Try again in a moment."),
    "NOT_READY": _plain("The server is starting or stopping. Try again in a moment."),
    "SHARD_ELSEWHERE": _plain("The instrument is moving to another server. Try again in a moment."),
    "INTERNAL": _incident,
    "REGISTRATION_CLOSED": _plain(
        "This game takes no new players. Ask the operators for a name and password."
    ),
}
