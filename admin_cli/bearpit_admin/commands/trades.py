"""`bearpit-admin trades`: trades with both sides."""

from typing import TYPE_CHECKING

import typer

from bearpit_admin import wire
from bearpit_admin.money import Points
from bearpit_admin.options import LIMIT, Limit, Output, PlayerFilter, SymbolFilter
from bearpit_admin.output import moment, show
from bearpit_admin.remote import pages, run

if TYPE_CHECKING:
    from bearpit.client import Client

app = typer.Typer(help="Trades of anyone, with both sides.")

COLUMNS = (
    "id", "executed_at", "symbol", "price", "quantity", "aggressor", "buyer", "seller", "buyer_fee",
    "seller_fee", "buy_order", "sell_order",
)  # fmt: skip
SPARE = ("executed_at", "id", "aggressor", "buyer_fee", "seller_fee", "buy_order", "sell_order")


@app.callback()
def group() -> None:
    """Keep `list` a command of its own while it is the only one."""


@app.command("list", epilog="Example: bearpit-admin trades list --player ada --symbol ACME")
def list_(
    player: PlayerFilter = "", symbol: SymbolFilter = "", limit: Limit = LIMIT, output: Output = None
) -> None:
    """List trades, newest first."""

    async def work(client: "Client") -> "list[wire.admin.PlayerTrade]":
        return await pages(
            lambda size, token: client.admin.ListPlayerTrades(
                wire.admin.ListPlayerTradesRequest(
                    name=player, symbol=symbol.upper(), page_size=size, page_token=token
                )
            ),
            lambda answer: answer.trades,
            limit,
        )

    rows = [
        (
            found.trade.trade_id,
            moment(found.trade.executed_at),
            found.trade.symbol,
            Points(found.trade.price_cents),
            found.trade.quantity,
            wire.word(wire.market.Aggressor.Name(found.trade.aggressor), "AGGRESSOR_") or "auction",
            found.buyer,
            found.seller,
            Points(found.buyer_fee_cents),
            Points(found.seller_fee_cents),
            found.buy_order_id,
            found.sell_order_id,
        )
        for found in run(work)
    ]
    show(COLUMNS, rows, output, SPARE)
