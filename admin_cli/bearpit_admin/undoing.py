"""A rollback as a command does it: shown first, asked about, done, watched to its end, shown."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Protocol

from bearpit_admin import wire
from bearpit_admin.exits import Exit, Failure
from bearpit_admin.money import Points
from bearpit_admin.options import Output
from bearpit_admin.output import Format, Part, Row, Value, chosen, moment, moment_in, show_one, tell
from bearpit_admin.progress import Progress
from bearpit_admin.prompts import confirm, is_interactive
from bearpit_admin.remote import again, run

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bearpit.client import Client

PATIENCE_SECONDS = 300
"""What a rollback would do is found by reading all that it undoes."""

TRADES = ("trade", "executed_at", "symbol", "price", "quantity", "buyer", "seller")
SHORTAGES = ("player", "symbol", "needed", "free", "missing", "value", "debt", "explanation")
PRICES = ("symbol", "before", "after", "explanation")


class Answer(Protocol):
    """What a request and an approval are both answered with."""

    @property
    def rollback(self) -> "wire.rollbacks.Rollback": ...

    @property
    def effects(self) -> "wire.rollbacks.Effects": ...


Ask = Callable[["Client", bool], "Awaitable[Answer]"]
"""The call; with True it only tells what it would do."""


def undo(ask: Ask, question: str, output: Output, yes: bool, dry_run: bool) -> None:
    """Do it, after a yes, and wait for its end. Raises Failure when it fails, or nobody can be asked."""
    if not yes and not dry_run and not is_interactive():
        confirm(question, yes)  # fails, before anything is asked of the server
    if dry_run:
        show_rollback(_answered(ask, True), output)
        tell("that is what it would do", dry_run, err=True)
        return
    if not yes:
        with redirect_stdout(
            sys.stderr
        ):  # a question and what it is about; standard output is for what was done
            show_rollback(_answered(ask, True), Format.TABLE)
        confirm(question, yes)
    answer = _answered(ask, False)
    rollback = watch(answer.rollback)
    is_table = chosen(output) is Format.TABLE
    if yes or not is_table:  # else it has been shown
        _show(rollback, answer.effects, output)
    _conclude(rollback, err=not is_table)


def show_rollback(answer: Answer, output: Output) -> None:
    """Print a rollback with its effects."""
    _show(answer.rollback, answer.effects, output)


def watch(rollback: "wire.rollbacks.Rollback") -> "wire.rollbacks.Rollback":
    """Wait until one that is under way is over. Raises Failure when the connection is lost on the way."""
    if rollback.state != wire.rollbacks.ROLLBACK_STATE_RUNNING:
        return rollback
    with Progress(f"rollback {rollback.rollback_id}") as progress:
        progress.tell(rollback.done, rollback.total)
        return run(lambda client: _watch(client, rollback, progress))


async def _watch(
    client: "Client", rollback: "wire.rollbacks.Rollback", progress: Progress
) -> "wire.rollbacks.Rollback":
    from bearpit.client import BearpitError

    request = wire.rollbacks.WatchRollbackRequest(rollback_id=rollback.rollback_id)
    lost: Exception | None = None
    try:
        async for frame in client.rollbacks.WatchRollback(request):
            rollback = frame.rollback
            progress.tell(rollback.done, rollback.total)
    except BearpitError as error:
        if error.reason:
            raise
        lost = error
    if rollback.state == wire.rollbacks.ROLLBACK_STATE_RUNNING:
        raise Failure(
            f"The connection was lost while rollback {rollback.rollback_id} was done; it goes on by itself.",
            Exit.UNREACHABLE,
            f"see how it went with `{again(f'rollback show {rollback.rollback_id}')}`",
        ) from lost
    return rollback


def _answered(ask: Ask, dry_run: bool) -> Answer:
    return run(lambda client: ask(client, dry_run))


def _conclude(rollback: "wire.rollbacks.Rollback", err: bool) -> None:
    """Say how it ended. Raises Failure when it was not done."""
    number = rollback.rollback_id
    states = wire.rollbacks
    if rollback.state == states.ROLLBACK_STATE_DONE:
        proof = f"; {rollback.proof}" if rollback.proof else ""
        tell(f"rollback {number} is done{proof}", err=err)
    elif rollback.state == states.ROLLBACK_STATE_REQUESTED:
        until = moment(rollback.expires_at)
        tell(f"rollback {number} waits until {until}; another operator has to run", err=err)
        tell(f"  {again(f'approve {number}')}", err=err)
    else:
        why = f": {rollback.failure}" if rollback.failure else ""
        raise Failure(
            f"Rollback {number} is {state_of(rollback.state)}, and nothing was changed{why}",
            Exit.FAILED,
            f"see it with `{again(f'rollback show {number}')}`",
        )


def state_of(state: "wire.rollbacks.RollbackState") -> str:
    """The state in a word."""
    return wire.word(wire.rollbacks.RollbackState.Name(state), "ROLLBACK_STATE_")


def what_of(rollback: "wire.rollbacks.Rollback") -> str:
    """What is undone, in words."""
    level = wire.word(wire.rollbacks.RollbackLevel.Name(rollback.level), "ROLLBACK_LEVEL_")
    if level == "trade":
        return f"trade {rollback.trade_id}"
    if level == "player":
        window = f"in window {rollback.window_id}"
        since = f"since {moment(rollback.since)}" if rollback.HasField("since") else ""
        return f"trades of {rollback.player} {since or window}"
    return f"{level} {rollback.window_id}" if level == "window" else f"prices of window {rollback.window_id}"


def facts_of(rollback: "wire.rollbacks.Rollback") -> list[tuple[str, Value]]:
    """A rollback as facts to show."""
    policy = wire.rollbacks.ShortagePolicy.Name(rollback.policy)
    return [
        ("id", rollback.rollback_id or None),
        ("what", what_of(rollback)),
        ("state", state_of(rollback.state)),
        ("done", rollback.done),
        ("total", rollback.total),
        ("reason", rollback.reason),
        ("policy", wire.word(policy, "SHORTAGE_POLICY_") or "refuse"),
        ("requested_by", rollback.requested_by),
        ("requested_at", moment_in(rollback, "requested_at")),
        ("expires_at", moment_in(rollback, "expires_at")),
        ("decided_by", rollback.decided_by),
        ("decided_at", moment_in(rollback, "decided_at")),
        ("done_at", moment_in(rollback, "done_at")),
        ("failure", rollback.failure),
        ("proof", rollback.proof),
    ]


def _show(rollback: "wire.rollbacks.Rollback", effects: "wire.rollbacks.Effects", output: Output) -> None:
    facts = _facts(rollback, effects)
    if chosen(output) is Format.TABLE:  # people are shown what there is
        facts = [(key, value) for key, value in facts if value not in (None, "")]
    show_one(facts, output, *_parts(effects))


def _facts(rollback: "wire.rollbacks.Rollback", effects: "wire.rollbacks.Effects") -> list[tuple[str, Value]]:
    return [
        *facts_of(rollback),
        ("reversed_trades", effects.trade_count),
        ("changed_players", effects.players),
        ("cancelled_orders", effects.cancelled_orders),
        ("house_pays", Points(effects.house_pays_cents)),
    ]


def _parts(effects: "wire.rollbacks.Effects") -> tuple[Part, ...]:
    trades: list[Row] = [
        (
            found.trade.trade_id,
            moment_in(found.trade, "executed_at"),
            found.trade.symbol,
            Points(found.trade.price_cents),
            found.trade.quantity,
            found.buyer,
            found.seller,
        )
        for found in effects.trades
    ]
    prices: list[Row] = [
        (found.symbol, Points(found.before_cents), Points(found.after_cents), found.explanation)
        for found in effects.prices
    ]
    return (
        Part("trades", TRADES, trades, ("trade", "executed_at")),
        Part(
            "shortages", SHORTAGES, [_shortage(found) for found in effects.shortages], ("explanation", "free")
        ),
        Part("prices", PRICES, prices, ("explanation",)),
    )


def _shortage(found: "wire.rollbacks.Shortage") -> Row:
    def much(value: int) -> str:
        return str(value if found.symbol else Points(value))

    return (
        found.player,
        found.symbol or "cash",
        much(found.needed),
        much(found.free),
        much(found.missing),
        Points(found.value_cents),
        Points(found.debt_cents),
        found.explanation,
    )
