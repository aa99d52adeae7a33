"""`bearpit-admin orders`: orders of anyone."""

from typing import Annotated

import typer

from bearpit_admin import wire
from bearpit_admin.listing import listed
from bearpit_admin.money import Points
from bearpit_admin.options import LIMIT, DryRun, Limit, Output, PlayerFilter, SymbolFilter, Yes
from bearpit_admin.output import Row, moment, show, tell
from bearpit_admin.prompts import confirm
from bearpit_admin.remote import run

app = typer.Typer(help="Orders of anyone.")

COLUMNS = (
    "id", "player", "symbol", "side", "type", "time_in_force", "quantity", "price", "stop_price", "filled",
    "remaining", "status", "end_reason", "held", "fee", "accepted_at",
)  # fmt: skip
SPARE = ("accepted_at", "stop_price", "end_reason", "type", "remaining", "time_in_force", "held", "fee")


@app.command("list", epilog="Example: bearpit-admin orders list --player ada --open")
def list_(
    player: PlayerFilter = "",
    symbol: SymbolFilter = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    limit: Limit = LIMIT,
    output: Output = None,
) -> None:
    """List orders, newest first. What a buy holds is points, what a sell holds is shares."""
    orders = listed(
        lambda client: client.admin.ListPlayerOrders,
        wire.admin.ListPlayerOrdersRequest(name=player, symbol=symbol.upper(), open_only=open_only),
        lambda answer: answer.orders,
        limit,
    )
    show(COLUMNS, [_row(order) for order in orders], output, SPARE)


@app.command(epilog="Example: bearpit-admin orders cancel 17 --yes")
def cancel(
    order_id: Annotated[int, typer.Argument(metavar="ORDER", help="The order's id.")],
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Cancel an order of anyone."""
    confirm(f"Cancel order {order_id}?", yes, dry_run)
    request = wire.admin.CancelPlayerOrderRequest(order_id=order_id, validate_only=dry_run)
    order = run(lambda client: client.admin.CancelPlayerOrder(request)).order
    tell(f"cancelled order {order.order_id} of {order.player_name}", dry_run)


def _row(order: "wire.trading.Order") -> Row:
    spec = order.spec
    buys = spec.side == wire.trading.SIDE_BUY
    return (
        order.order_id,
        order.player_name,
        spec.symbol,
        wire.word(wire.trading.Side.Name(spec.side), "SIDE_"),
        wire.word(wire.trading.OrderType.Name(spec.type), "ORDER_TYPE_"),
        wire.word(wire.trading.TimeInForce.Name(spec.time_in_force), "TIME_IN_FORCE_"),
        spec.quantity,
        Points(spec.price_cents) if spec.price_cents else None,
        Points(spec.stop_price_cents) if spec.stop_price_cents else None,
        order.filled_quantity,
        order.remaining_quantity,
        wire.word(wire.trading.OrderStatus.Name(order.status), "ORDER_STATUS_"),
        wire.word(wire.trading.EndReason.Name(order.end_reason), "END_REASON_"),
        str(Points(order.held)) if buys else str(order.held),
        Points(order.fee_cents),
        moment(order.accepted_at),
    )
