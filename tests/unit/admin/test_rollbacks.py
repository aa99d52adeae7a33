"""`bearpit-admin rollback` and `approve`: shown, asked about, done, watched."""

import json
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from bearpit.v1 import market_pb2, rollbacks_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.admin.desk import Desk, admin, done
from tests.unit.client_stage import Refusal

EFFECTS = rollbacks_pb2.Effects(
    trades=[
        rollbacks_pb2.ReversedTrade(
            trade=market_pb2.Trade(trade_id=17, symbol="ACME", price_cents=1240, quantity=10),
            buyer="mallory",
            seller="house",
        )
    ],
    trade_count=1,
    players=1,
    shortages=[
        rollbacks_pb2.Shortage(
            player="mallory", symbol="ACME", needed=10, free=4, missing=6, value_cents=7440, debt_cents=7440
        ),
        rollbacks_pb2.Shortage(player="bob", needed=1240, free=1000, missing=240, value_cents=240),
    ],
    house_pays_cents=240,
    prices=[rollbacks_pb2.PriceChange(symbol="ACME", before_cents=1240, after_cents=1000)],
    cancelled_orders=2,
)


def rollback(state: str, **values: Any) -> rollbacks_pb2.Rollback:
    made = rollbacks_pb2.Rollback(
        rollback_id=4,
        level=rollbacks_pb2.ROLLBACK_LEVEL_TRADE,
        trade_id=17,
        reason="wrong price",
        requested_by="ada",
        total=3,
    )
    number = rollbacks_pb2.RollbackState.Value(f"ROLLBACK_STATE_{state}")
    for key, value in {"state": number, **values}.items():
        setattr(made, key, value)
    return made


def answer(made: rollbacks_pb2.Rollback) -> rollbacks_pb2.RequestRollbackResponse:
    return rollbacks_pb2.RequestRollbackResponse(rollback=made, effects=EFFECTS)


def seen(done: int, state: str = "RUNNING", **values: Any) -> rollbacks_pb2.WatchRollbackResponse:
    return rollbacks_pb2.WatchRollbackResponse(rollback=rollback(state, done=done, **values))


TRADE = ("rollback", "trade", "17", "--reason", "wrong price")


def test_a_dry_run_tells_every_effect_and_asks_nobody(desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("REQUESTED", rollback_id=0))
    result = admin(*TRADE, "--policy", "debt", "--dry-run", "-o", "json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["what"] == "trade 17"
    assert found["id"] is None
    assert found["house_pays"] == "2.40"
    assert found["cancelled_orders"] == 2
    assert found["trades"][0]["buyer"] == "mallory"
    assert [(row["missing"], row["debt"]) for row in found["shortages"]] == [("6", "74.40"), ("2.40", "0.00")]
    assert found["prices"] == [{"symbol": "ACME", "before": "12.40", "after": "10.00", "explanation": ""}]
    assert result.stderr.startswith("dry run, nothing changed")
    asked = desk.only("RequestRollback")
    assert asked.validate_only
    assert asked.policy == rollbacks_pb2.SHORTAGE_POLICY_DEBT
    assert asked.reason == "wrong price"


def test_with_yes_it_is_done_at_once_and_watched_to_its_end(desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("RUNNING"))
    desk.answers["WatchRollback"] = [seen(1), seen(2), seen(3, "DONE", proof="balances are as before")]
    result = admin(*TRADE, "--yes", "-o", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["state"], found["done"], found["proof"]) == ("done", 3, "balances are as before")
    asked = desk.only("RequestRollback")
    assert not asked.validate_only
    assert asked.request_id


def test_one_that_is_done_at_once_is_not_watched(desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("DONE", done=3))
    assert "state\tdone" in done(*TRADE, "--yes")
    assert desk.requests("WatchRollback") == []


def test_one_that_fails_ends_with_a_failure_and_its_reason(desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("RUNNING"))
    desk.answers["WatchRollback"] = [seen(1), seen(1, "FAILED", failure="the proof does not hold")]
    result = admin(*TRADE, "--yes")
    assert result.exit_code == 1
    assert "failed, and nothing was changed: the proof does not hold" in result.stderr
    assert "rollback show 4" in result.stderr


@pytest.mark.parametrize("ending", [[], [Refusal(grpc.StatusCode.UNAVAILABLE)]])
def test_a_connection_that_is_lost_on_the_way_says_that_it_goes_on(ending: list[Refusal], desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("RUNNING"))
    desk.answers["WatchRollback"] = [seen(1), *ending]
    result = admin(*TRADE, "--yes")
    assert result.exit_code == 5
    assert "goes on by itself" in result.stderr
    assert "rollback show 4" in result.stderr


@pytest.mark.usefixtures("somebody_there")
def test_whoever_is_asked_sees_the_effects_first(desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("DONE", done=3))
    result = admin(*TRADE, said="y\n")
    assert result.exit_code == 0, result.output
    assert "mallory" in result.stderr.partition("Reverse trade 17?")[0]
    assert "state\tdone" in result.stdout
    assert [request.validate_only for request in desk.requests("RequestRollback")] == [True, False]


@pytest.mark.usefixtures("somebody_there")
def test_a_no_changes_nothing(desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("REQUESTED"))
    result = admin(*TRADE, said="n\n")
    assert result.exit_code == 1
    assert "Nothing was changed" in result.stderr
    assert desk.only("RequestRollback").validate_only


@pytest.mark.usefixtures("somebody_there")
def test_what_would_be_refused_is_refused_before_the_question(desk: Desk) -> None:
    desk.answers["RequestRollback"] = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "SHORTAGE")
    result = admin(*TRADE)
    assert result.exit_code == 3
    assert "--policy debt" in result.stderr
    assert "Reverse trade" not in result.stderr


def test_nothing_is_asked_of_the_server_where_nobody_can_answer(desk: Desk) -> None:
    assert admin(*TRADE).exit_code == 2
    assert desk.asked == []


def test_a_window_waits_for_another_operator(desk: Desk) -> None:
    waiting = rollback("REQUESTED", level=rollbacks_pb2.ROLLBACK_LEVEL_WINDOW, window_id=7)
    waiting.expires_at.FromDatetime(datetime(2026, 11, 21, 13, 0, tzinfo=UTC))
    desk.answers["RequestRollback"] = answer(waiting)
    result = admin("rollback", "window", "7", "--reason", "x", "--expires", "1h", "--yes")
    assert result.exit_code == 0
    assert "what\twindow 7" in result.stdout
    assert "until 2026-11-21T13:00:00.000Z" in result.stderr
    assert "bearpit-admin approve 4" in result.stderr
    asked = desk.only("RequestRollback")
    assert asked.level == rollbacks_pb2.ROLLBACK_LEVEL_WINDOW
    assert asked.lifetime_seconds == 3_600


def test_a_players_trades_are_those_of_a_window_or_since_a_time(desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("DONE"))
    done("rollback", "player", "mallory", "--window", "7", "--reason", "x", "--yes")
    done("rollback", "player", "mallory", "--since", "2026-11-21T18:00Z", "--reason", "x", "--yes")
    in_window, since = desk.requests("RequestRollback")
    assert (in_window.player, in_window.window_id, in_window.HasField("since")) == ("mallory", 7, False)
    assert since.since == Timestamp(seconds=1_795_284_000)
    assert since.window_id == 0


def test_prices_are_corrected_to_what_is_given_or_by_a_plan(desk: Desk) -> None:
    desk.answers["RequestRollback"] = answer(rollback("DONE"))
    done("rollback", "prices", "7", "--price", "acme=12.40", "--price", "B.1=0.05", "--reason", "x", "--yes")
    done("rollback", "prices", "7", "--algorithm", "damped", "--reason", "x", "--yes")
    given, planned = desk.requests("RequestRollback")
    assert dict(given.prices) == {"ACME": 1240, "B.1": 5}
    assert not given.HasField("plan")
    assert planned.plan.rule.algorithm == "damped"


def test_lists_those_that_wait(desk: Desk) -> None:
    desk.answers["ListRollbacks"] = rollbacks_pb2.ListRollbacksResponse(rollbacks=[rollback("REQUESTED")])
    assert "4\ttrade 17\trequested\t0\t3\twrong price\trefuse\tada" in done("rollback", "list", "--waiting")
    assert desk.only("ListRollbacks").waiting_only


def test_shows_one_with_its_effects(desk: Desk) -> None:
    made = rollback("FAILED", failure="no")
    desk.answers["GetRollback"] = rollbacks_pb2.GetRollbackResponse(rollback=made, effects=EFFECTS)
    said = done("rollback", "show", "4", "-o", "table")
    assert "failure           no" in said
    assert "none" not in said
    for heading in ("trades:", "shortages:", "prices:"):
        assert heading in said.splitlines()


def test_an_approval_is_watched_to_its_end(desk: Desk) -> None:
    response = rollbacks_pb2.ApproveRollbackResponse(rollback=rollback("RUNNING"), effects=EFFECTS)
    desk.answers["ApproveRollback"] = response
    desk.answers["WatchRollback"] = [seen(3, "DONE")]
    assert "state\tdone" in done("approve", "4", "--yes")
    assert desk.only("ApproveRollback").rollback_id == 4


def test_ones_own_request_needs_another_operator(desk: Desk) -> None:
    desk.answers["ApproveRollback"] = Refusal(grpc.StatusCode.PERMISSION_DENIED, "SECOND_OPERATOR_NEEDED")
    result = admin("approve", "4", "--dry-run")
    assert result.exit_code == 4
    assert "another operator" in result.stderr


def test_a_request_is_turned_down(desk: Desk) -> None:
    desk.answers["RejectRollback"] = rollbacks_pb2.RejectRollbackResponse(rollback=rollback("REJECTED"))
    assert done("approve", "4", "--reject", "--yes") == "rejected rollback 4, of trade 17\n"
    assert done("approve", "4", "--reject", "--dry-run").startswith("dry run, nothing changed")
    assert [request.validate_only for request in desk.requests("RejectRollback")] == [False, True]
