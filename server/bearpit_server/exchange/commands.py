"""What may be asked of the matcher, each with the answer that somebody waits for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bearpit_server.events.log import Origin
from bearpit_server.events.records import FillRecord, OrderRecord
from bearpit_server.exchange.answers import Answer
from bearpit_server.exchange.listings import Listing
from bearpit_server.rules.limits import Wish
from bearpit_server.rules.orders import EndReason
from bearpit_server.rules.record import record
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.sessions import Phase


@record
class Placed:
    """An order as committed, and its fills so far."""

    order: OrderRecord
    fills: tuple[FillRecord, ...] = ()


Result = Placed | Refused


@record
class Candidate:
    """An order that passed every check but those that need the ledger."""

    listing: Listing
    wish: Wish
    phase: Phase
    """The instrument's, when it was checked."""
    worst_price_cents: int
    best_price_cents: int
    """The best price on the other side when it was checked; 0: none. A market order need not be able
    to pay more than this."""
    request_id: str
    request_hash: bytes
    expires_at: datetime | None


@dataclass(slots=True)
class Place:
    """Place the orders of one call. `results` has a place for each; those of candidates are None."""

    owner_id: int
    candidates: list[tuple[int, Candidate]]
    """Each with its place in the results."""
    results: list[Result | None]
    origin: Origin
    answer: Answer[list[Result | None]]


@dataclass(slots=True)
class Cancel:
    """Cancel one order; `owner_id` None: whosever it is."""

    order_id: int
    owner_id: int | None
    origin: Origin
    answer: Answer[Placed]


@dataclass(slots=True)
class CancelMany:
    """Cancel an owner's open orders, of one instrument or of all."""

    owner_id: int
    instrument_id: int | None
    reason: EndReason
    origin: Origin
    answer: Answer[list[Placed]]


@dataclass(slots=True)
class Amend:
    """Change an open order; 0: as it is."""

    order_id: int
    owner_id: int
    quantity: int
    price_cents: int
    stop_price_cents: int
    origin: Origin
    answer: Answer[Placed]

    @property
    def body(self) -> str:
        """What is asked, for telling one request from another."""
        return f"{self.order_id} {self.quantity} {self.price_cents} {self.stop_price_cents}"


@dataclass(slots=True)
class SetPhase:
    """Bring an instrument's book into a phase."""

    instrument_id: int
    phase: Phase


@record
class Pushed:
    """A price from outside."""

    instrument_id: int
    price_cents: int
    at: datetime
    """When it was made."""


@dataclass(slots=True)
class Step:
    """Let a group's prices move: by themselves, or one of them to what was pushed."""

    group_id: int
    attention: Mapping[int, int]
    answer: Answer[None]
    push: Pushed | None = None


@dataclass(slots=True)
class Deal:
    """Execute waiting orders of an instrument whose price its dealer has reached."""

    instrument_id: int


@dataclass(slots=True)
class Look:
    """Read something from the books, between changes, and answer when it is committed."""

    read: Callable[[], object]
    answer: Answer[object]


@dataclass(slots=True)
class Load:
    """Load the books of shards that this process now owns."""

    shards: set[int]
    answer: Answer[set[int]]


@dataclass(slots=True)
class Drop:
    """Forget the books of shards that are no longer ours."""

    shards: set[int]


Trading = Place | Cancel | CancelMany | Amend | SetPhase | Step | Deal | Look
"""What is carried out together with others, in one transaction."""
Command = Trading | Load | Drop


CANCEL = "CancelOrder"
CANCEL_ALL = "CancelAllOrders"
AMEND = "AmendOrder"
Done = tuple[int, str, str, bytes, bytes]
"""A cancel or an amend to be remembered: actor, request id, method, body, response."""


def done(origin: Origin, method: str, body: str, answer: Sequence[int]) -> list[Done]:
    """What is remembered of it; nothing, if the request has no id.

    The answer of a cancel is the orders; of an amend, the order, and its shares filled before and after.
    """
    if not origin.request_id:
        return []
    response = " ".join(map(str, answer)).encode()
    return [(origin.actor_id, origin.request_id, method, body.encode(), response)]
