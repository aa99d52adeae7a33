"""The contract's messages in the screen's words, and back."""

from datetime import UTC, datetime

import pytest
from bearpit.v1 import errors_pb2, market_pb2, trading_pb2, wallet_pb2, windows_pb2
from bearpit_tui import wire
from bearpit_tui.drafts import Draft, Kind, Life, Side
from bearpit_tui.model import OrderStatus, Phase, Timeframe
from bearpit_tui.windows import Settled, WindowState
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

NOW = datetime(2026, 3, 2, 14, 31, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("enum", "known"),
    [
        (market_pb2.Phase, set(wire.PHASES)),
        (market_pb2.Period, set(wire.PERIODS.values())),
        (trading_pb2.Side, set(wire.SIDES.values())),
        (trading_pb2.OrderType, set(wire.KINDS.values())),
        (trading_pb2.TimeInForce, set(wire.LIVES.values()) - {0}),
        (trading_pb2.OrderStatus, set(wire.STATUSES)),
        (windows_pb2.WindowState, set(wire.WINDOW_STATES)),
        (windows_pb2.WindowKind, set(wire.WINDOW_KINDS)),
        # Cancelled by its owner needs no word.
        (trading_pb2.EndReason, set(wire.END_REASONS) | {trading_pb2.END_REASON_REQUESTED}),
    ],
)
def test_every_value_of_the_contract_has_a_word(enum: EnumTypeWrapper, known: set[int]) -> None:
    assert set(enum.values()) - {0} == known


def test_every_word_of_ours_is_sent() -> None:
    assert set(wire.PERIODS) == set(Timeframe)
    assert set(wire.KINDS) == set(Kind)
    assert set(wire.LIVES) == set(Life)


def test_a_window_comes_over_with_its_prices() -> None:
    message = windows_pb2.Window(
        window_id=3,
        title="Homecoming",
        kind=windows_pb2.WINDOW_KIND_CHAPTER,
        number=11,
        state=windows_pb2.WINDOW_STATE_PAUSED,
        symbols=["NOVA"],
        next_state=windows_pb2.WINDOW_STATE_TRADING,
        reversed=True,
    )
    message.next_chance_at.FromDatetime(NOW)
    price = windows_pb2.SettledPrice(
        symbol="NOVA", previous_cents=5, price_cents=6, move_bps=20_00, explanation="demand", corrected_by=4
    )
    windows = wire.windows(windows_pb2.Windows(windows=[message], prices=[price]))
    window = windows.windows[0]
    assert (window.name, window.state, window.next_state) == (
        "Chapter 11 · Homecoming", WindowState.PAUSED, WindowState.TRADING,
    )  # fmt: skip
    assert (window.next_chance_at, window.next_change_at, window.reversed) == (NOW, None, True)
    assert windows.prices == (Settled("NOVA", 5, 6, 20_00, "demand", corrected=True),)


def test_mechanisms_attention_headlines_and_debts_come_over() -> None:
    instrument = wire.instrument(market_pb2.Instrument(symbol="A", mechanism="feed", group="energy"))
    assert (instrument.mechanism, instrument.group) == ("feed", "energy")
    assert wire.instrument(market_pb2.Instrument(symbol="A")).mechanism == "order_book"
    quote = wire.quote(market_pb2.Quote(symbol="A", priced_at_ms=7, attention_bps=12_00, indicative_cents=9))
    assert (quote.priced_at_ms, quote.attention_bps, quote.indicative_cents) == (7, 12_00, 9)
    status = wire.status(
        market_pb2.MarketStatus(headlines=[market_pb2.Headline(news_id=2, text="Oil", symbols=["A"])])
    )
    assert [(one.news_id, one.text, one.symbols) for one in status.headlines] == [(2, "Oil", ("A",))]
    assert wire.wallet(wallet_pb2.Wallet(debt_cents=500)).debt_cents == 500
    assert wire.tick(market_pb2.Trade(trade_id=4, reversed=True)).reversed
    assert wire.fill(trading_pb2.Fill(trade_id=4, reversed=True)).reversed


def test_an_order_comes_over_whole() -> None:
    message = trading_pb2.Order(
        order_id=7,
        spec=trading_pb2.OrderSpec(
            symbol="AAPL",
            side=trading_pb2.SIDE_SELL,
            type=trading_pb2.ORDER_TYPE_STOP_LIMIT,
            quantity=100,
            price_cents=1240,
            stop_price_cents=1250,
            time_in_force=trading_pb2.TIME_IN_FORCE_DAY,
        ),
        status=trading_pb2.ORDER_STATUS_CANCELLED,
        end_reason=trading_pb2.END_REASON_DAY_ENDED,
        filled_quantity=40,
        remaining_quantity=60,
        filled_value_cents=49_600,
        fee_cents=50,
        request_id="one",
    )
    message.accepted_at.FromDatetime(NOW)
    order = wire.order(message)
    assert (order.order_id, order.symbol, order.side, order.kind) == (7, "AAPL", Side.SELL, Kind.STOP_LIMIT)
    assert (order.quantity, order.price_cents, order.stop_cents, order.life) == (100, 1240, 1250, Life.DAY)
    assert (order.status, order.end_reason, order.open) == (OrderStatus.CANCELLED, "its day ended", False)
    assert (order.filled, order.remaining, order.filled_value_cents, order.fee_cents) == (40, 60, 49_600, 50)
    assert (order.accepted_at, order.request_id) == (NOW, "one")


def test_a_draft_goes_out_whole() -> None:
    draft = Draft(Side.BUY, 100, "AAPL", Kind.STOP_LIMIT, 1240, 1250, Life.FOK, post_only=True)
    spec = wire.spec(draft)
    assert (spec.symbol, spec.quantity, spec.price_cents, spec.stop_price_cents) == ("AAPL", 100, 1240, 1250)
    assert (spec.side, spec.type) == (trading_pb2.SIDE_BUY, trading_pb2.ORDER_TYPE_STOP_LIMIT)
    assert (spec.time_in_force, spec.post_only) == (trading_pb2.TIME_IN_FORCE_FOK, True)


def test_a_preview_tells_its_refusals_in_words() -> None:
    message = trading_pb2.Preview(fee_cents=5)
    message.refusals.add(
        code=9,
        reason=errors_pb2.REASON_INSUFFICIENT_SHARES,
        message="x",
        metadata={"needed": "5", "free": "2"},
    )
    preview = wire.preview(message)
    assert preview.fee_cents == 5
    assert preview.refusals == ("Not enough shares: 2 are free of the 5 it needs. Sell 2 or fewer.",)


def test_a_status_without_a_next_change_has_none() -> None:
    assert wire.status(market_pb2.MarketStatus(phase=market_pb2.PHASE_OPEN)).next_change_at is None
    message = market_pb2.MarketStatus(phase=market_pb2.PHASE_CLOSED, next_phase=market_pb2.PHASE_OPEN)
    message.next_change_at.FromDatetime(NOW)
    message.announcements.add(announcement_id=1, title="Lunch")
    status = wire.status(message)
    assert (status.phase, status.next_phase, status.next_change_at) == (Phase.CLOSED, Phase.OPEN, NOW)
    assert status.announcements[0].expires_at is None


def test_a_wallet_is_by_symbol() -> None:
    message = wallet_pb2.Wallet(cash_cents=100, held_cents=40)
    message.positions.add(symbol="AAPL", quantity=3, held=1, cost_cents=30, realised_cents=-2)
    wallet = wire.wallet(message)
    assert wallet.free_cents == 60
    assert wallet.positions["AAPL"].realised_cents == -2
