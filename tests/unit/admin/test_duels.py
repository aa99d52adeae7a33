"""`bearpit-admin duel`: listed, shown, verified, called off."""

import json

import pytest
from bearpit.v1 import duels_pb2 as pb

from tests.unit.admin.desk import Desk, admin, done
from tests.unit.test_client_duels import duel


def test_a_listing_names_both_sides_and_how_it_stands(desk: Desk) -> None:
    desk.answers["ListDuels"] = pb.ListDuelsResponse(duels=[duel()])
    done("duel", "list", "--player", "ada", "--which", "finished")
    told = admin("duel", "list", "-o", "json").stdout
    [row] = json.loads(told)
    assert (row["challenger"], row["opponent"], row["stake"]) == ("ada", "bob", "10.00")
    assert (row["state"], row["ending"], row["winner"]) == ("settled", "won", "ada")
    first, _ = desk.requests("ListDuels")
    assert (first.player, first.scope) == ("ada", pb.DUEL_SCOPE_FINISHED)


def test_a_duel_is_shown_with_its_sides(desk: Desk) -> None:
    desk.answers["GetDuel"] = pb.GetDuelResponse(duel=duel())
    found = json.loads(done("duel", "show", "17", "-o", "json"))
    assert desk.only("GetDuel").duel_id == 17
    assert (found["paid"], found["house_share"]) == ("19.75", "0.25")
    moves = {side["player"]: side["move"] for side in found["sides"]}
    assert moves == {"ada": "rock", "bob": "scissors"}


def test_a_fair_duel_is_verified(desk: Desk) -> None:
    desk.answers["GetDuel"] = pb.GetDuelResponse(duel=duel())
    result = admin("duel", "verify", "17")
    assert result.exit_code == 0
    assert "ada's rock is what was committed to" in result.stdout
    assert result.stderr == "duel 17 went as it must\n"


def test_a_duel_that_is_not_fair_fails(desk: Desk) -> None:
    desk.answers["GetDuel"] = pb.GetDuelResponse(duel=duel(winner_name="bob", winner_id=2))
    result = admin("duel", "verify", "17")
    assert result.exit_code == 1
    assert "no\trock against scissors: bob did not win\n" in result.stdout
    assert "Duel 17 is not as it must be: 1 of 6 findings." in result.stderr


def test_a_duel_that_is_not_over_is_no_unfair_one(desk: Desk) -> None:
    desk.answers["GetDuel"] = pb.GetDuelResponse(duel=duel(state=pb.DUEL_STATE_REVEALING))
    result = admin("duel", "verify", "17")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "Duel 17 is not over yet." in result.stderr


@pytest.mark.parametrize(("flag", "said"), [("--yes", ""), ("--dry-run", "dry run, nothing changed: ")])
def test_a_duel_is_called_off_with_a_reason(desk: Desk, flag: str, said: str) -> None:
    made = duel(ending=pb.DUEL_ENDING_CALLED_OFF, winner_name="")
    made.accepted_at.GetCurrentTime()
    desk.answers["CallOffDuel"] = pb.CallOffDuelResponse(duel=made)
    told = done("duel", "cancel", "17", "--reason", "network", flag)
    assert told == f"{said}ended duel 17: 10.00 to ada and 10.00 to bob\n"
    asked = desk.only("CallOffDuel")
    assert (asked.duel_id, asked.reason, asked.validate_only) == (17, "network", flag == "--dry-run")


def test_nothing_is_called_off_without_a_yes(desk: Desk) -> None:
    result = admin("duel", "cancel", "17", "--reason", "network")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert not desk.requests("CallOffDuel")
