"""`bearpit-admin arcade` against canned answers."""

import json

import pytest
from bearpit.v1 import arcade_pb2 as pb

from tests.unit.admin.desk import Desk, admin, done

PINBALL = pb.Machine(
    machine_id=1,
    name="pinball",
    active=True,
    limits=pb.MachineLimits(play_take_cents=500, play_give_cents=5_000),
    own_limits=pb.MachineLimits(play_take_cents=500),
    taken_today_cents=1_500,
)
PLAY = pb.Transaction(
    machine="pinball",
    transaction_id="p1",
    number=9,
    player="ada",
    kind=pb.TRANSACTION_KIND_TAKE,
    amount_cents=500,
)


def test_a_new_machines_secret_is_printed_by_itself(desk: Desk) -> None:
    desk.answers["CreateMachine"] = pb.CreateMachineResponse(machine=PINBALL, secret="bps_secret")
    result = admin("arcade", "create", "pinball", "--play-take", "5", "--day-give", "0")
    assert result.stdout == "bps_secret\n"
    limits = desk.only("CreateMachine").limits
    assert (limits.play_take_cents, limits.HasField("play_give_cents")) == (500, False)
    assert (limits.day_give_cents, limits.HasField("day_give_cents")) == (0, True)


def test_limits_are_set_or_left_to_the_game(desk: Desk) -> None:
    desk.answers["UpdateMachine"] = pb.UpdateMachineResponse(machine=PINBALL)
    result = admin("arcade", "limits", "pinball", "--play-take", "5.00", "--play-give", "game", "-o", "json")
    assert result.exit_code == 0
    asked = desk.only("UpdateMachine")
    assert (asked.limits.play_take_cents, list(asked.clear_limits)) == (500, ["play_give_cents"])
    limits = json.loads(result.stdout)["limits"]
    assert limits[0] == {"limit": "play_take", "points": "5.00", "set_by": "machine"}
    assert limits[1] == {"limit": "play_give", "points": "50.00", "set_by": "game"}


@pytest.mark.parametrize("arguments", [(), ("--play-take", "-1"), ("--play-take", "lots")])
def test_a_limit_that_cannot_be_is_a_usage_error(desk: Desk, arguments: tuple[str, ...]) -> None:
    assert admin("arcade", "limits", "pinball", *arguments).exit_code == 2
    assert not desk.asked


def test_a_machine_is_closed_and_opened(desk: Desk) -> None:
    desk.answers["UpdateMachine"] = pb.UpdateMachineResponse(machine=PINBALL)
    assert admin("arcade", "close", "pinball").exit_code == 2
    assert done("arcade", "close", "pinball", "--yes") == "closed pinball\n"
    assert done("arcade", "open", "pinball", "--dry-run") == "dry run, nothing changed: opened pinball\n"
    assert [request.active for request in desk.requests("UpdateMachine")] == [False, True]


def test_a_statement_says_what_was_kept(desk: Desk) -> None:
    day = pb.StatementDay(
        date="2026-11-21", takes=3, taken_cents=1_500, gives=1, given_cents=2_000, players=2
    )
    desk.answers["GetStatement"] = pb.GetStatementResponse(days=[day], time_zone="UTC")
    assert done("arcade", "statement", "pinball", "--days", "4", "-o", "csv").splitlines()[1] == (
        "2026-11-21,3,15.00,1,20.00,-5.00,2,0"
    )
    assert (desk.only("GetStatement").machine, desk.only("GetStatement").days) == ("pinball", 4)
    assert admin("arcade", "statement", "--days", "367").exit_code == 2


def test_a_transaction_is_listed_and_undone(desk: Desk) -> None:
    desk.answers["ListTransactions"] = pb.ListTransactionsResponse(transactions=[PLAY])
    listed = json.loads(done("arcade", "transactions", "-m", "pinball", "--player", "ada", "-o", "json"))
    assert (listed[0]["kind"], listed[0]["points"], listed[0]["undone_at"]) == ("take", "5.00", None)
    desk.answers["VoidTransaction"] = pb.VoidTransactionResponse(transaction=PLAY)
    assert admin("arcade", "void", "pinball", "p1", "--reason", "stuck").exit_code == 2
    told = done("arcade", "void", "pinball", "p1", "--reason", "stuck", "--yes")
    assert told == "5.00 points given back to ada\n"
    asked = desk.only("VoidTransaction")
    assert (asked.machine, asked.transaction_id, asked.reason) == ("pinball", "p1", "stuck")


def test_machines_are_listed_and_shown(desk: Desk) -> None:
    desk.answers["ListMachines"] = pb.ListMachinesResponse(machines=[PINBALL])
    assert "pinball,yes,15.00,0.00" in done("arcade", "list", "-o", "csv")
    desk.answers["GetMachine"] = pb.GetMachineResponse(machine=PINBALL)
    assert "play_take\t5.00\tmachine" in done("arcade", "show", "pinball")
