"""`bearpit-admin window` and `settle`: what is asked of the server, and what is made of its answers."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from bearpit.v1 import pricing_pb2, windows_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.admin.desk import Desk, admin, done
from tests.unit.client_stage import Refusal


def at(hour: int, minute: int = 0) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(datetime(2026, 11, 21, hour, minute, tzinfo=UTC))
    return made


WINDOW = windows_pb2.Window(
    window_id=7,
    title="Chapter 4",
    kind=windows_pb2.WINDOW_KIND_CHAPTER,
    number=4,
    state=windows_pb2.WINDOW_STATE_SCHEDULED,
    symbols=["ACME", "BOLT"],
    times=windows_pb2.WindowTimes(opens_at=at(18), trades_at=at(18, 10), trading_ends_at=at(19)),
    next_state=windows_pb2.WINDOW_STATE_OPEN,
    next_change_at=at(18),
    plan=windows_pb2.SettlementPlan(
        rule=windows_pb2.Rule(algorithm="linear", parameters={"depth": "1000"}),
        by_symbol={"BOLT": windows_pb2.Rule(algorithm="damped")},
        variants=[windows_pb2.Variant(name="a", weight=2, rule=windows_pb2.Rule(algorithm="linear"))],
        experiment="slopes",
    ),
)
ACME = windows_pb2.SettledPrice(
    symbol="ACME",
    previous_cents=1000,
    price_cents=1240,
    move_bps=2400,
    explanation="demand 240 of 1000",
    algorithm="linear",
    parameters={"depth": "1000"},
    bought=240,
    factors=[windows_pb2.Factor(name="demand", bps=2400)],
    settled_at=at(19, 1),
)
BOLT = windows_pb2.SettledPrice(symbol="BOLT", previous_cents=500, price_cents=450, move_bps=-1000)


def window(**changes: object) -> windows_pb2.Window:
    made = windows_pb2.Window()
    made.CopyFrom(WINDOW)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


# --- windows ---------------------------------------------------------------------------------------------


def test_lists_windows_page_after_page(desk: Desk) -> None:
    pages = {
        "": windows_pb2.ListWindowsResponse(windows=[window(window_id=8)], next_page_token="more"),
        "more": windows_pb2.ListWindowsResponse(windows=[WINDOW]),
    }
    desk.answers["ListWindows"] = lambda request: pages[request.page_token]
    found = json.loads(done("window", "list", "--current", "-o", "json"))
    assert [row["id"] for row in found] == [8, 7]
    assert found[1]["state"] == "scheduled"
    assert found[1]["opens_at"] == "2026-11-21T18:00:00.000Z"
    assert found[1]["settles_at"] is None
    assert all(request.current_only for request in desk.requests("ListWindows"))
    assert set(desk.bearers) == {"Bearer a-service"}


def test_shows_a_window_with_its_plan_and_its_prices(desk: Desk) -> None:
    desk.answers["GetWindow"] = windows_pb2.GetWindowResponse(window=WINDOW, prices=[ACME, BOLT])
    found = json.loads(done("window", "show", "7", "-o", "json"))
    assert found["plan"] == ["linear depth=1000", "BOLT: damped", "slopes/a (weight 2): linear"]
    [acme, bolt] = found["prices"]
    assert acme["price"] == "12.40"
    assert acme["explanation"] == "demand 240 of 1000"
    assert acme["factors"] == ["demand=2400"]
    assert acme["corrected_by"] is None
    assert bolt["move_bps"] == -1000


def test_creates_a_window_as_it_was_told(desk: Desk, tmp_path: Path) -> None:
    desk.answers["CreateWindow"] = windows_pb2.CreateWindowResponse(window=WINDOW)
    said = done(
        "window", "create", "--title", "Chapter 4", "--kind", "bonus", "--number", "4", "--symbols",
        "acme, bolt", "--opens", "2026-11-21T19:00", "--trades", "2026-11-21T18:10Z", "--recurrence",
        "FREQ=WEEKLY;BYDAY=SU", "--zone", "Europe/Vienna", "--algorithm", "linear", "--set", "depth=1000",
        "--schedule",
    )  # fmt: skip
    assert said == "created window 7, Chapter 4: scheduled, then open at 2026-11-21T18:00:00.000Z\n"
    asked = desk.only("CreateWindow")
    assert asked.kind == windows_pb2.WINDOW_KIND_BONUS
    assert asked.number == 4
    assert list(asked.symbols) == ["ACME", "BOLT"]
    assert asked.times == windows_pb2.WindowTimes(opens_at=at(18), trades_at=at(18, 10))
    assert asked.time_zone == "Europe/Vienna"
    assert asked.recurrence == "FREQ=WEEKLY;BYDAY=SU"
    assert asked.plan.rule == windows_pb2.Rule(algorithm="linear", parameters={"depth": "1000"})
    assert asked.scheduled
    assert asked.request_id
    assert not asked.validate_only


def test_a_relative_time_is_counted_from_now(desk: Desk) -> None:
    desk.answers["CreateWindow"] = windows_pb2.CreateWindowResponse(window=WINDOW)
    before = datetime.now(UTC)
    said = done("window", "create", "--title", "Soon", "--opens", "+5m", "--dry-run")
    assert said.startswith("dry run, nothing changed: created window 7")
    asked = desk.only("CreateWindow")
    assert asked.validate_only
    waits = asked.times.opens_at.ToDatetime(UTC) - before
    assert 300 <= waits.total_seconds() < 330
    assert not asked.HasField("plan")
    assert asked.number == 0


PLAN = {
    "rule": {"algorithm": "linear", "parameters": {"depth": 1000, "damped": True}},
    "by_symbol": {"BOLT": {"algorithm": "damped", "parameters": {"half": "2"}}},
    "experiment": "slopes",
    "variants": [{"name": "a", "weight": 2, "rule": {"algorithm": "linear", "parameters": {"depth": 5}}}],
}


def test_a_plan_is_read_from_a_file_with_numbers_as_people_write_them(desk: Desk, tmp_path: Path) -> None:
    desk.answers["UpdateWindow"] = windows_pb2.UpdateWindowResponse(window=WINDOW)
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    done("window", "update", "7", "--plan", str(tmp_path / "plan.json"))
    done("window", "update", "7", "--plan", "-", said=json.dumps(PLAN))
    first, second = desk.requests("UpdateWindow")
    assert first.plan == second.plan
    assert dict(first.plan.rule.parameters) == {"depth": "1000", "damped": "true"}
    assert dict(first.plan.by_symbol["BOLT"].parameters) == {"half": "2"}
    assert first.plan.variants[0].rule.parameters["depth"] == "5"
    assert not first.HasField("times")
    assert not first.HasField("title")
    assert not first.HasField("recurrence")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"rules": {}}', '{"rule": {"parameters": {"depth": 0.5}}}', '{"rule": 5}']
)
def test_a_file_that_is_no_plan_is_a_usage_error(text: str, desk: Desk) -> None:
    result = admin("window", "update", "7", "--plan", "-", said=text)
    assert result.exit_code == 2
    assert "settle algorithms" in result.stderr
    assert "Traceback" not in result.output
    assert desk.asked == []


def test_an_update_of_one_time_leaves_the_others_as_they_are(desk: Desk) -> None:
    desk.answers["GetWindow"] = windows_pb2.GetWindowResponse(window=WINDOW)
    desk.answers["UpdateWindow"] = windows_pb2.UpdateWindowResponse(window=WINDOW)
    done("window", "update", "7", "--ends", "2026-11-21T19:30Z", "--trades", "none", "--recurrence", "none")
    asked = desk.only("UpdateWindow")
    assert asked.times == windows_pb2.WindowTimes(opens_at=at(18), trading_ends_at=at(19, 30))
    assert asked.HasField("recurrence")
    assert asked.recurrence == ""


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        ("schedule", "SCHEDULED"), ("open", "OPEN"), ("trade", "TRADING"), ("pause", "PAUSED"),
        ("resume", "TRADING"), ("end", "TRADE_CLOSE"), ("close", "CLOSED"), ("cancel", "CANCELLED"),
    ],
)  # fmt: skip
def test_every_verb_moves_a_window_into_its_state(verb: str, state: str, desk: Desk) -> None:
    desk.answers["MoveWindow"] = lambda request: windows_pb2.MoveWindowResponse(
        window=window(state=request.state)
    )
    sure = ["--yes"] if verb == "cancel" else []
    said = done("window", verb, "7", "--reason", "so it goes", *sure)
    asked = desk.only("MoveWindow")
    assert windows_pb2.WindowState.Name(asked.state) == f"WINDOW_STATE_{state}"
    assert asked.reason == "so it goes"
    assert said.startswith(f"window 7, Chapter 4: {state.lower().replace('_', '-')}")


def test_a_move_can_be_tried(desk: Desk) -> None:
    desk.answers["MoveWindow"] = windows_pb2.MoveWindowResponse(window=WINDOW)
    assert done("window", "cancel", "7", "--dry-run").startswith("dry run, nothing changed: window 7")
    assert desk.only("MoveWindow").validate_only


def test_a_move_that_is_not_possible_now_is_a_conflict(desk: Desk) -> None:
    code = grpc.StatusCode.FAILED_PRECONDITION
    desk.answers["MoveWindow"] = Refusal(code, "NOT_POSSIBLE_NOW", state="SETTLED")
    assert admin("window", "pause", "7").exit_code == 3


def test_watching_tells_each_change_once_until_the_server_says_no(desk: Desk) -> None:
    moved = window(state=windows_pb2.WINDOW_STATE_OPEN, window_id=7)
    other = window(window_id=6, state=windows_pb2.WINDOW_STATE_SETTLED)
    desk.answers["ListWindows"] = windows_pb2.ListWindowsResponse()
    desk.answers["StreamWindows"] = [
        windows_pb2.StreamWindowsResponse(
            sequence=1, server_time=at(12), snapshot=windows_pb2.Windows(windows=[WINDOW, other])
        ),
        windows_pb2.StreamWindowsResponse(
            sequence=2, server_time=at(18), update=windows_pb2.Windows(windows=[moved, other])
        ),
        Refusal(grpc.StatusCode.PERMISSION_DENIED, "NOT_ALLOWED"),
    ]
    result = admin("window", "watch", "-o", "jsonl")
    assert result.exit_code == 4
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["id"], row["state"]) for row in told] == [(6, "settled"), (7, "scheduled"), (7, "open")]
    assert told[2]["at"] == "2026-11-21T18:00:00.000Z"


# --- settlement ------------------------------------------------------------------------------------------


def frame(done: int, *prices: windows_pb2.SettledPrice) -> windows_pb2.SettleWindowResponse:
    return windows_pb2.SettleWindowResponse(done=done, total=2, prices=prices, step="finding prices")


def test_settling_shows_all_prices_at_the_end_and_nothing_else_in_a_pipe(desk: Desk) -> None:
    desk.answers["SettleWindow"] = [frame(0), frame(1, ACME), frame(2, BOLT)]
    result = admin("settle", "run", "7")
    assert result.exit_code == 0
    assert result.stderr == ""
    header, acme, bolt = result.stdout.splitlines()
    assert header.split("\t")[:3] == ["symbol", "previous", "price"]
    assert acme.startswith("ACME\t10.00\t12.40\t2400\tlinear\tdemand 240 of 1000")
    assert bolt.startswith("BOLT\t5.00\t4.50\t-1000")
    asked = desk.only("SettleWindow")
    assert asked.request_id
    assert not asked.validate_only


def test_a_settlement_that_had_begun_is_shown_whole(desk: Desk) -> None:
    old = window_price("ACME", corrected_by=3)
    desk.answers["SettleWindow"] = [frame(1), frame(2, BOLT)]
    desk.answers["GetWindow"] = windows_pb2.GetWindowResponse(window=WINDOW, prices=[old, ACME, BOLT])
    found = json.loads(done("settle", "run", "7", "-o", "json"))
    assert [(row["symbol"], row["price"]) for row in found] == [("ACME", "12.40"), ("BOLT", "4.50")]


def window_price(symbol: str, **values: int) -> windows_pb2.SettledPrice:
    return windows_pb2.SettledPrice(symbol=symbol, price_cents=1, corrected_by=values["corrected_by"])


def test_a_settlement_can_be_tried(desk: Desk) -> None:
    desk.answers["SettleWindow"] = [frame(0, ACME, BOLT)]  # nothing is done by a dry run
    result = admin("settle", "run", "7", "--dry-run")
    assert result.stderr == "dry run, nothing changed: settled window 7: 2 prices\n"
    assert desk.only("SettleWindow").validate_only


@pytest.mark.parametrize("ending", [[], [Refusal(grpc.StatusCode.UNAVAILABLE)]])
def test_a_settlement_that_is_cut_off_says_how_far_it_was_and_how_to_go_on(
    ending: list[Refusal], desk: Desk
) -> None:
    desk.answers["SettleWindow"] = [frame(0), frame(1, ACME), *ending]
    result = admin("settle", "run", "7")
    assert result.exit_code == 5
    assert "1 of 2 prices" in result.stderr
    assert re.search(r"bearpit-admin .*settle run 7`", result.stderr)
    assert result.stdout == ""


def test_a_settlement_that_is_refused_is_no_lost_connection(desk: Desk) -> None:
    code = grpc.StatusCode.FAILED_PRECONDITION
    desk.answers["SettleWindow"] = [Refusal(code, "NOT_POSSIBLE_NOW", state="TRADING")]
    result = admin("settle", "run", "7")
    assert result.exit_code == 3
    assert "lost" not in result.stderr


def test_a_simulation_stands_beside_what_was_settled(desk: Desk) -> None:
    tried = windows_pb2.SettledPrice(
        symbol="ACME", previous_cents=1000, price_cents=1100, move_bps=1000, algorithm="damped"
    )
    desk.answers["SimulateSettlement"] = windows_pb2.SimulateSettlementResponse(
        prices=[
            windows_pb2.SimulatedPrice(settled=ACME, simulated=tried),
            windows_pb2.SimulatedPrice(simulated=BOLT),
        ]
    )
    [acme, bolt] = json.loads(
        done("settle", "simulate", "7", "--algorithm", "damped", "--set", "half=2", "-o", "json")
    )
    assert (acme["settled"], acme["simulated"], acme["difference"]) == ("12.40", "11.00", "-1.40")
    assert (acme["settled_by"], acme["simulated_by"]) == ("linear", "damped")
    assert (bolt["settled"], bolt["difference"]) == (None, None)
    assert dict(desk.only("SimulateSettlement").plan.rule.parameters) == {"half": "2"}


def test_variants_are_compared(desk: Desk) -> None:
    result = windows_pb2.VariantResult(name="a", algorithm="linear", instruments=3, mean_move_bps=-12, up=1)
    desk.answers["CompareVariants"] = windows_pb2.CompareVariantsResponse(variants=[result])
    assert "a\tlinear\t3\t-12\t1\t0\t0\t0\t0" in done("settle", "variants", "7")


ALGORITHMS = windows_pb2.ListAlgorithmsResponse(
    algorithms=[
        windows_pb2.Algorithm(
            name="linear",
            title="Linear",
            description="A share moves the price by so much.",
            parameters=[
                pricing_pb2.Parameter(
                    key="depth", description="Shares for 1 %.", default_value="1000", bounds="1 to 100000"
                )
            ],
        )
    ]
)


def test_algorithms_are_listed_and_one_is_shown_with_its_parameters(desk: Desk) -> None:
    desk.answers["ListAlgorithms"] = ALGORITHMS
    assert "linear\tLinear\tdepth\tA share" in done("settle", "algorithms")
    [parameter] = json.loads(done("settle", "algorithms", "linear", "-o", "json"))["parameters"]
    assert parameter == {
        "key": "depth", "default": "1000", "bounds": "1 to 100000", "description": "Shares for 1 %.",
    }  # fmt: skip
    result = admin("settle", "algorithms", "magic")
    assert result.exit_code == 3
    assert "there are linear" in result.stderr
