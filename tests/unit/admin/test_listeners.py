"""`bearpit-admin listener`: how listeners stand, and telling one again."""

import json

import grpc
from bearpit.v1 import bus_pb2

from tests.unit.admin.desk import Desk, admin, done
from tests.unit.client_stage import Refusal

FILLS = bus_pb2.Listener(
    name="fills", type_prefixes=["order.filled"], position="48-1702", published=9, delivered=8, failed=1,
    retried=4, last_error="ValueError: no", waiting=3, known=True,
)  # fmt: skip


def test_listeners_are_listed_with_their_counts(desk: Desk) -> None:
    desk.answers["ListListeners"] = bus_pb2.ListListenersResponse(listeners=[FILLS])
    [row] = json.loads(done("listener", "list", "-o", "json"))
    assert (row["name"], row["published"], row["delivered"], row["failed"], row["retried"]) == (
        "fills", 9, 8, 1, 4,
    )  # fmt: skip
    assert (row["waiting"], row["retry_at"], row["types"]) == (3, None, ["order.filled"])


def test_a_replay_is_asked_about_and_says_how_much_it_is(desk: Desk) -> None:
    desk.answers["ReplayListener"] = bus_pb2.ReplayListenerResponse(listener=FILLS, events=12)
    assert admin("listener", "replay", "fills", "--from", "48-1702", said="").exit_code == 2
    assert desk.requests("ReplayListener") == []
    said = done("listener", "replay", "fills", "--from", "48-1702", "--yes")
    assert said == "fills hears 12 events again, behind 48-1702\n"
    asked = desk.only("ReplayListener")
    assert (asked.listener, asked.from_event, asked.validate_only) == ("fills", "48-1702", False)


def test_a_dry_run_asks_nobody(desk: Desk) -> None:
    desk.answers["ReplayListener"] = bus_pb2.ReplayListenerResponse(listener=FILLS, events=12)
    assert "dry run" in done("listener", "replay", "fills", "--from", "0", "--dry-run")
    assert desk.only("ReplayListener").validate_only


def test_a_replay_from_too_far_back_fails(desk: Desk) -> None:
    desk.answers["ReplayListener"] = Refusal(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOO_OLD")
    assert admin("listener", "replay", "fills", "--from", "1", "--yes").exit_code != 0


def test_failures_are_listed_page_by_page(desk: Desk) -> None:
    failure = bus_pb2.ListenerFailure(failure_id=3, listener="fills", position="4-5", type="order.filled")
    desk.answers["ListListenerFailures"] = bus_pb2.ListListenerFailuresResponse(failures=[failure])
    [row] = json.loads(done("listener", "failures", "fills", "-o", "json"))
    assert (row["id"], row["position"], row["type"]) == (3, "4-5", "order.filled")
    assert desk.only("ListListenerFailures").listener == "fills"
