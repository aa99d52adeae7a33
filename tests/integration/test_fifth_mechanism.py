"""Another way for a price to form: a class that is registered by its name, and nothing else touched."""

from collections.abc import Mapping
from datetime import datetime

import pytest
from bearpit.v1 import admin_pb2, pricing_pb2
from bearpit_server.rules.mechanisms import MECHANISMS
from bearpit_server.rules.mechanisms.base import (
    Counterparty,
    Inputs,
    Mechanism,
    Memory,
    Offer,
    State,
    Step,
    offer_of_house,
)
from bearpit_server.rules.orders import Side
from bearpit_server.rules.parameters import parameters, whole

from tests.integration.prices import begin, step, stopped
from tests.orders import buy, sell, traded
from tests.postgres import Postgres
from tests.venue import venue


@parameters
class Sea:
    """What can be set of all tides."""

    interval_ms: int = whole(1_000, "from one tide to the next, in milliseconds", 100)


@parameters
class Shore:
    """What can be set of one."""

    low_cents: int = whole(100, "the price at low tide, in cents", 1)
    rise_cents: int = whole(50, "how far it rises, in cents")


class Tide(Mechanism[Sea, Shore]):
    """High at every other step."""

    name = "tide"
    title = "tide"
    description = "The price rises and falls with the sea."
    counterparty = Counterparty.HOUSE
    group_parameters = Sea
    member_parameters = Shore

    def opening(self, member: Shore) -> tuple[int, int, int]:
        """Low."""
        return member.low_cents, 0, 0

    def interval_ms(self, group: Sea) -> int:
        """As it was set."""
        return group.interval_ms

    def offer(
        self,
        group: Sea,
        member: Shore,
        state: State,
        side: Side,
        quantity: int,
        limit_cents: int,
        at: datetime,
    ) -> Offer:
        """Any number, at the one price."""
        return offer_of_house(state, 10**9, side, quantity, limit_cents, state.price_cents, state.price_cents)

    def step(
        self,
        group: Sea,
        members: Mapping[int, Shore],
        states: Mapping[int, State],
        memory: Memory,
        inputs: Inputs,
    ) -> Step:
        """Turn."""
        high = inputs.number % 2
        prices = {id_: members[id_].low_cents + high * members[id_].rise_cents for id_ in states}
        return Step(prices=prices, memory={"high": high})


async def test_a_mechanism_that_is_registered_is_listed_furnished_traded_and_proven(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MECHANISMS, Tide.name, Tide())
    with stopped() as time:
        async with venue(postgres) as floor:
            operator = await floor.operator()
            known = (await operator.pricing.ListMechanisms(pricing_pb2.ListMechanismsRequest())).mechanisms
            [told] = [one for one in known if one.name == "tide"]
            assert [one.key for one in told.instrument_parameters] == ["low_cents", "rise_cents"]
            await operator.pricing.CreateGroup(
                pricing_pb2.CreateGroupRequest(
                    name="sea", mechanism="tide", parameters={"interval_ms": "500"}
                )
            )
            await operator.admin.CreateInstrument(
                admin_pb2.CreateInstrumentRequest(
                    symbol="BAY", name="Bay", fee_bps=0, mechanism="tide", group="sea",
                    parameters={"low_cents": "200"},
                )
            )  # fmt: skip
            await begin(floor, time)
            ada = await floor.trader(10_000)
            assert traded((await floor.place(ada, buy("BAY", 3))).fills) == [(250, 3)]
            await floor.place(ada, buy("BAY", 5, 210))
            await step(floor, time, 0.5)
            assert [(fill.price_cents, fill.quantity) for fill in await floor.fills(ada)] == [
                (200, 5),
                (250, 3),
            ]
            assert traded((await floor.place(ada, sell("BAY", 8))).fills) == [(200, 8)]
            assert (await floor.wallet(ada)).cash_cents == 10_000 - 750 - 1_000 + 1_600
