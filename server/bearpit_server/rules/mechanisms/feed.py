"""Prices that come from outside, be they simulated, recorded or pushed; the house trades at them.

What a group remembers: `at`, the moment of its last step; of a recording `starts_on`, `starts_at` and
`position_ms`, how much of the game's time it has played; and under `members`, by instrument id as text:

    simulated   price: the price in cents, not rounded
    recorded    price: the recording's, in cents, not rounded; factor: what news have multiplied it by
    pushed      price_cents, at: the last price and its moment
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

from bearpit_server.rules.mechanisms.base import (
    NOTHING,
    Bar,
    Counterparty,
    Inputs,
    Mechanism,
    Memory,
    Offer,
    State,
    Step,
    check_inventory,
    offer_of_house,
)
from bearpit_server.rules.orders import Side
from bearpit_server.rules.parameters import choice, parameters, text, whole
from bearpit_server.rules.refusals import Refused, invalid
from bearpit_server.rules.units import BPS, MAX_PRICE_CENTS, MAX_QUANTITY
from bearpit_server.rules.walks import Shocks, Walk, advance, follow, turns

SIMULATED, RECORDED, PUSHED = "simulated", "recorded", "pushed"
MAX_AHEAD = timedelta(seconds=5)
"""By how much the clock of who pushes prices may be fast."""

_MICROSECOND = timedelta(microseconds=1)
_DAY_US = timedelta(days=1) // _MICROSECOND
_FURTHEST = 10.0**9
"""The most, and one through it the least, that news can multiply a recorded price by."""


@parameters
class FeedGroup:
    """What instruments of one source share."""

    source: str = choice(
        SIMULATED, "where prices come from: simulated at random, recorded history, or pushed by a service",
        SIMULATED, RECORDED, PUSHED,
    )  # fmt: skip
    interval_ms: int = whole(
        1_000, "simulated, recorded: from one price to the next, in milliseconds", 100, 3_600_000
    )
    seed: str = text("", "simulated, recorded: the same seed gives the same prices")
    day_ms: int = whole(
        3_000, "simulated, recorded: how long a day lasts in the game, in milliseconds; 3000: 21 s a week",
        100, 31 * 86_400_000,
    )  # fmt: skip
    common_volatility_bps: int = whole(
        0, "simulated: volatility per day of what all share, in basis points", 0, 10 * BPS
    )
    starts_on: str = text(
        "", "recorded: the first day to play, such as 2008-09-15; empty: where the recordings begin",
        r"(\d{4}-\d{2}-\d{2})?",
    )  # fmt: skip
    when_over: str = choice("stop", "recorded: what to do at the end", "stop", "repeat")
    max_age_ms: int = whole(
        60_000, "pushed: an older price is refused, and nobody trades at it, in milliseconds",
        100, 86_400_000,
    )  # fmt: skip
    band_bps: int = whole(
        2_000, "pushed: a price further from the last one is refused, in basis points; 0: none is",
        0, 100 * BPS,
    )  # fmt: skip


@parameters
class FeedMember:
    """What can be set of an instrument that a feed prices."""

    price_cents: int = whole(10_000, "simulated, pushed: the first price, in cents", 1, MAX_PRICE_CENTS)
    drift_bps: int = whole(0, "simulated: growth of the expected price per day, in basis points", -BPS, BPS)
    volatility_bps: int = whole(100, "simulated: volatility per day, in basis points", 0, 10 * BPS)
    reversion_bps: int = whole(
        0, "simulated: pull to the level per day, in basis points; 10000: a day leaves 37 % of a distance",
        0, 100 * BPS,
    )  # fmt: skip
    level_cents: int = whole(0, "simulated: the level it is pulled to, in cents", 0, MAX_PRICE_CENTS)
    jumps_per_day_bps: int = whole(
        0, "simulated: jumps per day, in ten-thousandths of a jump; 10000: one a day", 0, 100 * BPS
    )
    jump_bps: int = whole(300, "simulated: the typical size of a jump, in basis points", 0, BPS)
    common_bps: int = whole(
        BPS, "simulated: how strongly it follows what all share, in basis points; below 0: against it",
        -5 * BPS, 5 * BPS,
    )  # fmt: skip
    recording: str = text("", "recorded: the recording's name")
    scale_bps: int = whole(
        BPS, "recorded: what the recording's prices are multiplied by, in basis points", 1, 10_000 * BPS
    )
    spread_bps: int = whole(
        0, "between the house's two prices, half on either side, in basis points of the price", 0, BPS
    )
    inventory: int = whole(
        MAX_QUANTITY, "shares that players may have in all, in shares; then the house sells no more",
        1, MAX_QUANTITY,
    )  # fmt: skip


class Feed(Mechanism[FeedGroup, FeedMember]):
    """The house buys and sells around the feed's price."""

    name = "feed"
    title = "feed"
    description = "The house trades at prices that come from outside: simulated, recorded or pushed."
    counterparty = Counterparty.HOUSE
    fixed: ClassVar[Mapping[str, str]] = {"price_cents": "it is the first price, and the feed has begun"}
    group_parameters = FeedGroup
    member_parameters = FeedMember

    def check(self, group: FeedGroup, member: FeedMember) -> None:
        """Raises Refused INVALID_FIELD for what contradicts itself."""
        if group.starts_on:
            _starts_on(group.starts_on)
        if group.source == RECORDED and not member.recording:
            raise invalid("recording", "give the name of a recording to play")
        if group.source != RECORDED and member.recording:
            raise invalid(
                "recording", f"prices are {group.source}; leave it empty, or set source to recorded"
            )
        if group.source != SIMULATED:
            return
        if member.reversion_bps and not member.level_cents:
            raise invalid("level_cents", "give the level that reversion_bps pulls the price to")
        if member.reversion_bps and member.drift_bps:
            raise invalid("drift_bps", "a price that is pulled to a level has no drift; set one of them to 0")
        if member.jumps_per_day_bps and not member.jump_bps:
            raise invalid("jump_bps", "give the size of the jumps, or set jumps_per_day_bps to 0")

    def opening(self, member: FeedMember) -> tuple[int, int, int]:
        """The price that was set. A recording has none before its first step: it would not be its own."""
        return 0 if member.recording else member.price_cents, 0, 0

    def interval_ms(self, group: FeedGroup) -> int:
        """None, where prices are pushed."""
        return 0 if group.source == PUSHED else group.interval_ms

    def offer(
        self,
        group: FeedGroup,
        member: FeedMember,
        state: State,
        side: Side,
        quantity: int,
        limit_cents: int,
        at: datetime,
    ) -> Offer:
        """As many as there are, at the house's bid or ask."""
        if not _has_price(group, state, at):
            return NOTHING
        bid, ask = quotes(state.price_cents, member.spread_bps, state.tick_cents)
        return offer_of_house(state, member.inventory, side, quantity, limit_cents, bid, ask)

    def check_order(
        self, group: FeedGroup, member: FeedMember, state: State, side: Side, quantity: int, at: datetime
    ) -> None:
        """Raises Refused NO_PRICE or INVENTORY_LIMIT."""
        if not _has_price(group, state, at):
            raise Refused("NO_PRICE", f"there is no price of {state.symbol} now; try again when there is")
        check_inventory(state, side, quantity, member.inventory)

    def push(
        self,
        group: FeedGroup,
        member: FeedMember,
        state: State,
        memory: Memory,
        price_cents: int,
        at: datetime,
        now: datetime,
    ) -> Step:
        """Take a pushed price, to the nearest tick; see `accept_push`."""
        accept_push(group, member, *last_push(memory, state.instrument_id), price_cents, at, now)
        made = pushed(memory, state.instrument_id, price_cents, at)
        return Step(prices={state.instrument_id: on_tick(price_cents, state.tick_cents)}, memory=made)

    def step(
        self,
        group: FeedGroup,
        members: Mapping[int, FeedMember],
        states: Mapping[int, State],
        memory: Memory,
        inputs: Inputs,
    ) -> Step:
        """The same for the same seed, number, news and state; of each member whatever others there are.

        Its news must be all that have worked at any time since the last step.
        """
        if group.source == PUSHED or group.interval_ms <= 0:
            return Step(memory=memory)
        made = {**memory, "at": inputs.at.isoformat(), "members": dict(memory.get("members", {}))}
        if group.source == RECORDED:
            made |= _position(group, members.values(), memory, inputs)
        prices: dict[int, int] = {}
        for instrument_id, state in states.items():
            member = members[instrument_id]
            remembered = made["members"].get(str(instrument_id), {})
            effect = _effect(instrument_id, group, memory, inputs)
            if group.source == SIMULATED:
                kept = _simulate(group, member, state, remembered, effect, inputs)
            else:
                kept = _play(group, member, state, remembered, effect, inputs, made)
            if "price" in kept:
                price = on_tick(kept["price"] * kept.get("factor", 1.0), state.tick_cents)
                if price != state.price_cents:
                    prices[instrument_id] = price
            made["members"][str(instrument_id)] = kept
        return Step(prices=prices, memory=made)


def on_tick(price: float, tick_cents: int) -> int:
    """The nearest whole tick in cents, from one tick to the last one that MAX_PRICE_CENTS allows."""
    return min(max(round(price / tick_cents), 1), MAX_PRICE_CENTS // tick_cents) * tick_cents


def quotes(price_cents: int, spread_bps: int, tick_cents: int) -> tuple[int, int]:
    """The house's bid and ask, half a spread below and above, rounded outward to whole ticks.

    Without a spread both are the price, where that is a whole tick. The bid is at least one tick.
    """
    whole_ticks = 2 * BPS * tick_cents
    bid = price_cents * (2 * BPS - spread_bps) // whole_ticks
    ask = -(-price_cents * (2 * BPS + spread_bps) // whole_ticks)
    highest = MAX_PRICE_CENTS // tick_cents
    return max(1, bid) * tick_cents, min(ask, highest) * tick_cents


def _has_price(group: FeedGroup, state: State, at: datetime) -> bool:
    if not state.price_cents:
        return False
    if group.source != PUSHED:
        return True
    return state.priced_at is not None and at - state.priced_at <= timedelta(milliseconds=group.max_age_ms)


# News


@dataclass(frozen=True, slots=True)
class _Effect:
    """What news do to one price in one step."""

    drift: float
    """Added to the logarithm of the price."""
    stirred: float
    """What the volatility is multiplied by."""


def _effect(instrument_id: int, group: FeedGroup, memory: Memory, inputs: Inputs) -> _Effect:
    """By the clock since the last step, not by the interval: so a headline's drift arrives as a whole,
    however late steps are and however short it is.
    """
    interval = timedelta(milliseconds=group.interval_ms)
    since = datetime.fromisoformat(memory["at"]) if "at" in memory else inputs.at - interval
    drift, stirred = 0.0, 1.0
    for news in inputs.news:
        if news.instrument_id != instrument_id:
            continue
        works = max(min(news.ends_at, inputs.at) - max(news.starts_at, since), timedelta())
        if news.ends_at > news.starts_at:
            part = works / (news.ends_at - news.starts_at)
        else:
            part = float(since < news.starts_at <= inputs.at)
        drift += part * math.log1p(max(news.drift_bps, 1 - BPS) / BPS)
        if works:
            # What adds up over time is the variance, not the volatility.
            more = (max(news.volatility_bps, 0) / BPS) ** 2 - 1
            stirred *= math.sqrt(1 + more * (works / (inputs.at - since)))
    return _Effect(drift, stirred)


# Simulated


def _simulate(
    group: FeedGroup,
    member: FeedMember,
    state: State,
    remembered: Memory,
    effect: _Effect,
    inputs: Inputs,
) -> Memory:
    price = float(remembered.get("price", 0))
    if not price or on_tick(price, state.tick_cents) != state.price_cents:
        # It is new, or somebody else has set the price since: a split, or an operator.
        price = float(state.price_cents or member.price_cents)
    own = inputs.random(f"{group.seed}:{inputs.number}:{state.symbol}")
    common = inputs.random(f"{group.seed}:{inputs.number}")
    shocks = Shocks(own=own.gauss(0, 1), common=common.gauss(0, 1), chance=own.random(), jump=own.gauss(0, 1))
    days = group.interval_ms / group.day_ms
    moved = advance(math.log(price), _walk(group, member), days, shocks, effect.stirred) + effect.drift
    # Bounded as a logarithm: whatever has been set, the power cannot overflow, and a price that has
    # fallen to one tick can rise from it again.
    return {"price": math.exp(min(max(moved, math.log(state.tick_cents)), math.log(MAX_PRICE_CENTS)))}


def _walk(group: FeedGroup, member: FeedMember) -> Walk:
    return Walk(
        drift=member.drift_bps / BPS,
        volatility=member.volatility_bps / BPS,
        common_volatility=group.common_volatility_bps / BPS * member.common_bps / BPS,
        reversion=member.reversion_bps / BPS,
        level=math.log(member.level_cents or member.price_cents),
        jumps=member.jumps_per_day_bps / BPS,
        jump=member.jump_bps / BPS,
    )


# Recorded


def _starts_on(given: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(given), time(), UTC)
    except ValueError:
        raise invalid("starts_on", "give a day such as 2008-09-15") from None


def _position(group: FeedGroup, members: Iterable[FeedMember], memory: Memory, inputs: Inputs) -> Memory:
    """Where the group is in its recordings after this step. All of them play the same day."""
    recordings = [bars for member in members if (bars := inputs.bars.get(member.recording))]
    if not recordings:
        return {}
    if "starts_at" in memory and memory.get("starts_on") == group.starts_on:
        starts_at, played = datetime.fromisoformat(memory["starts_at"]), int(memory["position_ms"])
    else:
        first = min(bars[0].at for bars in recordings)
        starts_at, played = _starts_on(group.starts_on) if group.starts_on else first, 0
    position = played + group.interval_ms
    ends_at = max(bars[-1].at + _lasts(bars, len(bars) - 1) for bars in recordings)
    length = (ends_at - starts_at) // _MICROSECOND * group.day_ms // _DAY_US
    if group.when_over == "repeat" and length > 0:
        position = (position - 1) % length + 1
    return {"starts_on": group.starts_on, "starts_at": starts_at.isoformat(), "position_ms": position}


def _lasts(bars: Sequence[Bar], index: int) -> timedelta:
    """A bar lasts until the next, but not over a weekend or a hole: no longer than those beside it do."""
    near = range(max(index - 1, 0), min(index + 2, len(bars) - 1))
    return min((bars[place + 1].at - bars[place].at for place in near), default=timedelta(days=1))


def _play(
    group: FeedGroup,
    member: FeedMember,
    state: State,
    remembered: Memory,
    effect: _Effect,
    inputs: Inputs,
    made: Memory,
) -> Memory:
    """Before its recording begins an instrument has no price, or keeps the one it has."""
    factor = float(remembered.get("factor", 1.0)) * math.exp(min(max(effect.drift, -50.0), 50.0))
    factor = min(max(factor, 1 / _FURTHEST), _FURTHEST)
    bars = inputs.bars.get(member.recording, ())
    last = float(remembered.get("price", state.price_cents))
    price = None
    if bars and "starts_at" in made:
        shock = inputs.random(f"{group.seed}:{inputs.number}:{state.symbol}").gauss(0, 1)
        price = _recorded(group, bars, made, last * BPS / member.scale_bps, shock * effect.stirred)
    if price is None:
        return {"factor": factor} | ({"price": last} if last else {})
    return {"factor": factor, "price": price * member.scale_bps / BPS}


def _recorded(group: FeedGroup, bars: Sequence[Bar], made: Memory, last: float, shock: float) -> float | None:
    """The recording's price at the group's position; None where it has not begun.

    A step belongs to the bar in which it ends: (start, end]. Everything is counted in the microseconds of
    the recording times `day_ms`, in which both the recording's and the game's times are whole numbers.
    """
    starts_at = datetime.fromisoformat(made["starts_at"])
    here, wide = made["position_ms"] * _DAY_US, group.interval_ms * _DAY_US

    def place(at: datetime) -> int:
        return (at - starts_at) // _MICROSECOND * group.day_ms

    index = bisect_left(bars, here, key=lambda bar: place(bar.at)) - 1
    if index < 0:
        return None
    bar = bars[index]
    begins, ends = place(bar.at), place(bar.at + _lasts(bars, index))
    if here > ends:
        return float(bar.close_cents)
    step = -((begins - here) // wide)
    path = turns(bar.open_cents, bar.high_cents, bar.low_cents, bar.close_cents, step + (ends - here) // wide)
    return float(follow(last, path, step, shock))


# Pushed


def accept_push(
    group: FeedGroup,
    member: FeedMember,
    last_price: int,
    last_at: datetime | None,
    price_cents: int,
    at: datetime,
    now: datetime,
) -> None:
    """Whether a price may be taken; `last_at` is None when there has been none. The first has no band.

    Raises Refused NOT_POSSIBLE_NOW, INVALID_FIELD, PRICE_OUT_OF_ORDER, PRICE_STALE or PRICE_ABSURD.
    """
    if group.source != PUSHED:
        raise Refused("NOT_POSSIBLE_NOW", f"prices are {group.source} here, not pushed", state=group.source)
    if not 1 <= price_cents <= MAX_PRICE_CENTS:
        raise invalid("price_cents", f"give a price from 1 to {MAX_PRICE_CENTS}")
    if at.tzinfo is None or at > now + MAX_AHEAD:
        raise invalid("at", "give the moment of the price, which is not in the future")
    if last_at is not None and at <= last_at:
        raise Refused(
            "PRICE_OUT_OF_ORDER", f"there is a price of {last_at.isoformat()} already; send a newer one", "at"
        )
    age_ms = (now - at) // timedelta(milliseconds=1)
    if age_ms > group.max_age_ms:
        raise Refused(
            "PRICE_STALE", f"the price is {age_ms} ms old; send it within {group.max_age_ms} ms", "at",
            limit_ms=group.max_age_ms, age_ms=age_ms,
        )  # fmt: skip
    if last_at is not None and group.band_bps:
        _check_band(last_price, price_cents, group.band_bps)


def _check_band(last_price: int, price_cents: int, band_bps: int) -> None:
    lower = max(1, -(-last_price * (BPS - band_bps) // BPS))
    upper = last_price * (BPS + band_bps) // BPS
    if not lower <= price_cents <= upper:
        raise Refused(
            "PRICE_ABSURD", f"the last price was {last_price}: send {lower} to {upper}, or widen band_bps",
            "price_cents", lower_cents=lower, upper_cents=upper,
        )  # fmt: skip


def pushed(memory: Memory, instrument_id: int, price_cents: int, at: datetime) -> Memory:
    """The memory with a price that was accepted."""
    last = {"price_cents": price_cents, "at": at.isoformat()}
    return {**memory, "members": {**memory.get("members", {}), str(instrument_id): last}}


def last_push(memory: Memory, instrument_id: int) -> tuple[int, datetime | None]:
    """The last price that was accepted, in cents, and its moment; 0 and None: there has been none."""
    last = memory.get("members", {}).get(str(instrument_id), {})
    return (last["price_cents"], datetime.fromisoformat(last["at"])) if "at" in last else (0, None)
