"""Any trading in a window, and elsewhere beside it: rolled back, everybody has what the snapshot says."""

from contextlib import suppress
from typing import Any

import pytest
from bearpit.client import BearpitError
from bearpit.v1 import trading_pb2
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.dealt import end_window, list_dealt, open_window
from tests.integration.floor import Steps
from tests.integration.machines import bounds
from tests.integration.test_rollback_windows import WINDOW, approve, price_of, second
from tests.integration.test_rollbacks import DONE, ask
from tests.orders import BUY, IOC, SELL

CASH = 200_000
PRICE = 500
orders = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([BUY, SELL]), st.integers(1, 40)),
    max_size=25,
)


@pytest.mark.timeout(240)
def test_after_any_trading_a_window_goes_back_to_its_snapshot(steps: Steps) -> None:
    async def trade(symbols: list[str], clients: list[Any], wanted: list[tuple[int, int, Any, int]]) -> None:
        for who, which, side, quantity in wanted:
            spec = trading_pb2.OrderSpec(
                symbol=symbols[which], side=side, type=trading_pb2.ORDER_TYPE_MARKET, quantity=quantity,
                time_in_force=IOC,
            )  # fmt: skip
            with suppress(BearpitError):  # who has not enough of it does not trade
                await steps.floor.place(clients[who], spec)

    async def play(
        before: list[tuple[int, int, Any, int]], inside: list[tuple[int, int, Any, int]], moves: list[int]
    ) -> None:
        floor = steps.floor
        floor.forget_operator()
        symbols = [await list_dealt(floor, PRICE, fee_bps=30) for _ in range(3)]
        clients = [await floor.trader(CASH) for _ in range(3)]
        earlier = await open_window(floor, *symbols)
        await trade(symbols, clients, before)
        await end_window(floor, earlier, dict.fromkeys(symbols, PRICE))
        snapshot = [await floor.wallet(client) for client in clients]
        prices = [price_of(symbol) for symbol in symbols]
        window = await open_window(floor, *symbols)
        await trade(symbols, clients, inside)
        await end_window(
            floor, window, {symbol: PRICE + move for symbol, move in zip(symbols, moves, strict=True)}
        )
        made = await ask(floor, level=WINDOW, window_id=window, reason="a property")
        approved = await approve(await second(floor), made.rollback.rollback_id)
        assert approved.rollback.state == DONE
        assert "NOT EQUAL" not in approved.rollback.proof
        assert [await floor.wallet(client) for client in clients] == snapshot
        assert [price_of(symbol) for symbol in symbols] == prices
        floor.prove()

    @bounds(8)
    @given(before=orders, inside=orders, moves=st.lists(st.integers(-200, 400), min_size=3, max_size=3))
    def any_trading(before: list[Any], inside: list[Any], moves: list[int]) -> None:
        steps.run(play(before, inside, moves))

    any_trading()
