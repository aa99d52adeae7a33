"""`bearpit-admin trades`: trades with both sides."""

import typer

from bearpit_admin import wire
from bearpit_admin.listing import listed
from bearpit_admin.money import Points
from bearpit_admin.options import LIMIT, Limit, Output, PlayerFilter, SymbolFilter
from bearpit_admin.output import moment, show

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
    trades = listed(
        lambda client: client.admin.ListPlayerTrades,
        wire.admin.ListPlayerTradesRequest(name=player, symbol=symbol.upper()),
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
        for found in trades
    ]
    show(COLUMNS, rows, output, SPARE)
