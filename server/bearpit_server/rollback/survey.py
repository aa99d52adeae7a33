"""What a rollback would do now, changing nothing; and which orders hold what must be given back."""

from dataclasses import dataclass

from bearpit_server.rollback import effects, prices, scope, windows
from bearpit_server.rollback.effects import Effects
from bearpit_server.rollback.scope import Level, Scope
from bearpit_server.rules import rollbacks
from bearpit_server.rules.rollbacks import CASH, Plan, Policy
from bearpit_server.storage import reversals
from bearpit_server.storage.models import Rollback

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Survey:
    """A plan with what is free once the orders in its way are cancelled."""

    plan: Plan
    in_the_way: list[Key]
    """Whose orders are cancelled first, of which instrument; CASH: of all."""
    orders: int
    """How many these are."""


def look(asked: Scope, policy: Policy) -> Survey:
    """Look at the trades of a scope."""
    outline = rollbacks.outline(scope.trades(asked))
    accounts = {
        (owner, asset): balance - held
        for _, owner, asset, balance, held in reversals.players_accounts(outline.keys)
    }
    short = [(short.owner_id, short.asset) for short in outline.plan(accounts, policy).shortages]
    orders = reversals.open_orders(short) if short else []
    holders = {owner for _, owner, _, _ in orders}
    for _, owner, asset, held in orders:
        if (owner, asset) in accounts:
            accounts[owner, asset] += held
    plan = outline.plan(accounts, policy)
    if policy is Policy.REFUSE and plan.shortages:
        return Survey(plan, [], 0)  # it will be refused, so that nothing is cancelled for it
    # Who is short of cash loses all his orders: those of single instruments are among them.
    all_of = {owner for owner, asset in short if asset == CASH}
    way = [key for key in short if key[0] in holders and (key[1] == CASH or key[0] not in all_of)]
    return Survey(plan, way, len(orders))


def check_window(asked: Scope) -> None:
    """Raises Refused where a window cannot be reversed at all."""
    windows.check(asked.window_id)


def foresee(asked: Scope, policy: Policy, request: Rollback) -> Effects:
    """The effects that a rollback would have now. Raises Refused where it could not be done at all."""
    if asked.level is Level.PRICES:
        return Effects(prices=prices.foresee(request))
    changes = []
    if asked.level is Level.WINDOW:
        check_window(asked)
        changes = windows.price_changes(asked.window_id)
    else:
        scope.check_some_left(asked)
    seen = look(asked, policy)
    return effects.of(seen.plan, seen.orders, changes)
