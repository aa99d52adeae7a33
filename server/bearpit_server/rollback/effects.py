"""What a rollback does, in names and numbers: told before it is done, and kept with it afterwards."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bearpit_server.rules.rollbacks import CASH, HOUSE, Plan, spent
from bearpit_server.storage.models import Instrument, Player

SHOWN = 1_000
"""Shortages and trades that are listed."""


@dataclass(frozen=True, slots=True)
class Short:
    """Somebody has less than must be given back; cents or shares. `symbol` is empty for cash."""

    player: str
    symbol: str
    needed: int
    free: int
    missing: int
    value_cents: int
    debt_cents: int
    """What he owes in the end for all that he is short of."""
    explanation: str


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A price that changes, in cents."""

    symbol: str
    before_cents: int
    after_cents: int
    explanation: str


@dataclass(slots=True)
class Effects:
    """What a rollback does. `shortages` has at most SHOWN."""

    trades: int = 0
    players: int = 0
    shortages: list[Short] = field(default_factory=list)
    house_pays_cents: int = 0
    prices: list[PriceChange] = field(default_factory=list)
    cancelled_orders: int = 0

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def parse(cls, told: dict[str, Any] | str) -> "Effects":
        """What `as_json` made."""
        kept = json.loads(told) if isinstance(told, str) else told
        return cls(
            kept["trades"],
            kept["players"],
            [Short(**short) for short in kept["shortages"]],
            kept["house_pays_cents"],
            [PriceChange(**change) for change in kept["prices"]],
            kept["cancelled_orders"],
        )


def of(plan: Plan, cancelled_orders: int, prices: Sequence[PriceChange]) -> Effects:
    """The effects of a plan; inside a transaction, for the names."""
    players: set[int] = set()
    for trade in plan.trades:
        players.add(trade.buyer_id)
        players.add(trade.seller_id)
    shortages = plan.shortages[:SHOWN]
    names = names_of({short.owner_id for short in plan.shortages})
    symbols = symbols_of({short.asset for short in plan.shortages})
    words = spent(plan, names, symbols) if shortages else {}
    return Effects(
        trades=len(plan.trades),
        players=len(players - {HOUSE}),
        shortages=[
            Short(
                names[short.owner_id],
                "" if short.asset == CASH else symbols[short.asset],
                short.needed,
                short.free,
                short.missing,
                short.value_cents,
                plan.debts.get(short.owner_id, 0),
                words[short.owner_id],
            )
            for short in shortages
        ],
        house_pays_cents=plan.house_pays_cents,
        prices=[*prices],
        cancelled_orders=cancelled_orders,
    )


def names_of(players: Iterable[int]) -> dict[int, str]:
    """Names by player; inside a transaction."""
    wanted = [*set(players)]
    return dict(Player.select(Player.id, Player.name).where(Player.id << wanted).tuples()) if wanted else {}


def symbols_of(instruments: Iterable[int]) -> dict[int, str]:
    """Symbols by instrument; inside a transaction."""
    wanted = [*set(instruments)]
    query = Instrument.select(Instrument.id, Instrument.symbol).where(Instrument.id << wanted)
    return dict(query.tuples()) if wanted else {}
