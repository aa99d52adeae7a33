"""What every way for a price to form has in common, and what it is told and may answer.

A mechanism is one file of pure rules beside this one. It is found by its name in `mechanisms.MECHANISMS`;
that registration is all that another one needs. Instruments that share a source of prices, such as the
pools that attention moves cash between, are a group: the group has parameters and a memory, each of its
instruments has parameters of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from bearpit_server.rules.orders import Side
from bearpit_server.rules.parameters import parameters
from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.units import MAX_QUANTITY

G = TypeVar("G")
M = TypeVar("M")

Memory = dict[str, Any]
"""What a group remembers from one step to the next; it must survive being written as JSON."""


class Counterparty(Enum):
    """Who is on the other side of an order."""

    PLAYERS = "players"
    """Other players: orders meet in a book."""
    HOUSE = "house"
    """The house: it issues what it sells and redeems what it buys, and its till may be below zero."""
    POOL = "pool"
    """The instrument's own pool of cash and shares, neither of which can be less than nothing."""


@record
class State:
    """Where an instrument stands when it is asked for a price."""

    instrument_id: int
    symbol: str
    tick_cents: int
    price_cents: int
    """The last that the mechanism made; 0: none yet."""
    till_cents: int
    """What the other side has in cash. The house's: what it took in by this instrument, less what it paid."""
    till_shares: int
    """What the other side has in shares. The house's: below zero by what players have of it."""
    priced_at: datetime | None = None
    """When the price was made, where it can be too old: that of a pushed one, by its source's clock."""


@record
class Offer:
    """How many of the shares that were asked for can be had now, all at one price each."""

    quantity: int
    price_cents: int


NOTHING = Offer(0, 0)


@record
class News:
    """A headline while it works on one instrument."""

    instrument_id: int
    drift_bps: int
    """By how much it moves the price in all, over its whole time."""
    volatility_bps: int
    """What the volatility is multiplied by while it works, in basis points; 10,000: nothing changes."""
    starts_at: datetime
    ends_at: datetime


@record
class Bar:
    """One line of a recorded history. Prices in cents."""

    at: datetime
    open_cents: int
    high_cents: int
    low_cents: int
    close_cents: int
    volume: int


class Randomness(Protocol):
    """What is random: `random.Random` of the standard library has it; tests may put another in its place."""

    def random(self) -> float: ...

    def gauss(self, mu: float, sigma: float) -> float: ...


class Random(Protocol):
    """Makes a source that yields the same numbers for the same seed, wherever and whenever."""

    def __call__(self, seed: str, /) -> Randomness: ...


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a step may look at."""

    at: datetime
    number: int
    """The step's; the first is 1."""
    random: Random
    attention: Mapping[int, int] = field(default_factory=dict)
    """Scores by instrument."""
    news: Sequence[News] = ()
    """Those that have worked at any time since the last step, on any of the group's instruments."""
    bars: Mapping[str, Sequence[Bar]] = field(default_factory=dict)
    """The recordings that the instruments name, oldest bar first."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step changes."""

    prices: Mapping[int, int] = field(default_factory=dict)
    """New prices in cents, of the instruments that have one."""
    flows: Mapping[int, int] = field(default_factory=dict)
    """Cents into (or, negative, out of) the tills of pools; they sum to zero."""
    memory: Memory = field(default_factory=dict)


@parameters
class NoParameters:
    """Nothing can be set."""


class Mechanism(ABC, Generic[G, M]):
    """One way for a price to form. It has no state of its own."""

    name: ClassVar[str]
    """As it is stored and typed."""
    title: ClassVar[str]
    """As it is shown: a word or two."""
    description: ClassVar[str]
    """A sentence for players."""
    counterparty: ClassVar[Counterparty]
    rests: ClassVar[bool] = True
    """Whether an order that cannot be executed now may wait for its price."""
    by_window: ClassVar[bool] = False
    """Whether trading windows say when it trades, in place of the market's hours."""
    fixed: ClassVar[Mapping[str, str]] = {}
    """What cannot be changed of an instrument once it is made, by key, and why; as refusals say it."""
    group_parameters: type[G]
    member_parameters: type[M]

    def check(self, group: G, member: M) -> None:
        """What single parameters' bounds cannot say. Raises Refused INVALID_FIELD."""

    def opening(self, member: M) -> tuple[int, int, int]:
        """What an instrument begins with: its price in cents, and cents and shares for a POOL's till."""
        return 0, 0, 0

    def price(self, member: M, state: State) -> int:
        """The price in cents that follows from where an instrument stands; as a rule the last one made."""
        return state.price_cents

    def interval_ms(self, group: G) -> int:
        """From one step to the next; 0: its prices do not move by themselves."""
        return 0

    @abstractmethod
    def offer(
        self, group: G, member: M, state: State, side: Side, quantity: int, limit_cents: int, at: datetime
    ) -> Offer:
        """What an order for so many shares gets now, none of them worse than its limit.

        `side` is the order's. With no `limit_cents` (0) any price will do.
        """

    def quote(self, group: G, member: M, state: State, smallest: int, at: datetime) -> tuple[Offer, Offer]:
        """The bid and the ask for the smallest order, each with the shares that it holds for."""
        found = []
        for side in (Side.SELL, Side.BUY):
            best = self.offer(group, member, state, side, smallest, 0, at)
            shares = 0
            if best.quantity == smallest:
                shares = self.offer(group, member, state, side, MAX_QUANTITY, best.price_cents, at).quantity
            found.append(Offer(shares, best.price_cents) if shares else NOTHING)
        return found[0], found[1]

    def check_order(self, group: G, member: M, state: State, side: Side, quantity: int, at: datetime) -> None:
        """What an order would be refused for, whatever its limit. Raises Refused."""

    def estimate(
        self, group: G, members: Mapping[int, M], states: Mapping[int, State], attention: Mapping[int, int]
    ) -> Mapping[int, int]:
        """What the next step would make of prices, in cents, if it came now; where that can be foreseen."""
        return {}

    def push(
        self, group: G, member: M, state: State, memory: Memory, price_cents: int, at: datetime, now: datetime
    ) -> Step:
        """Take a price from outside, made at a moment. Raises Refused; as a rule NOT_POSSIBLE_NOW."""
        raise Refused("NOT_POSSIBLE_NOW", f"the price of {state.symbol} is not pushed", state=self.name)

    def step(
        self, group: G, members: Mapping[int, M], states: Mapping[int, State], memory: Memory, inputs: Inputs
    ) -> Step:
        """Let prices move. `states` are in the order of instrument ids; it answers for the same ones."""
        return Step(memory=memory)


def offer_of_house(
    state: State,
    inventory: int,
    side: Side,
    quantity: int,
    limit_cents: int,
    bid_cents: int,
    ask_cents: int,
) -> Offer:
    """What the house offers at its two prices; with no price (0) nothing.

    It sells until players have `inventory` shares in all, and buys back what they have.
    """
    if side is Side.BUY:
        price, available = ask_cents, inventory + state.till_shares
        affordable = not limit_cents or price <= limit_cents
    else:
        price, available = bid_cents, -state.till_shares
        affordable = price >= limit_cents
    if not price or not affordable or available <= 0:
        return NOTHING
    return Offer(min(quantity, available), price)


def check_inventory(state: State, side: Side, quantity: int, inventory: int) -> None:
    """Raises Refused INVENTORY_LIMIT when the house would have sold more than it may."""
    left = max(0, inventory + state.till_shares)
    if side is Side.BUY and quantity > left:
        raise Refused(
            "INVENTORY_LIMIT", f"the house has {left} shares of {state.symbol} left to sell; order less",
            "order.quantity", allowed=left,
        )  # fmt: skip
