"""`bearpit-admin player` against canned answers."""

import json

import pytest
from bearpit.v1 import admin_pb2, auth_pb2, wallet_pb2

from tests.unit.admin.desk import Desk, done

ADA = auth_pb2.Player(player_id=7, name="ada", roles=[auth_pb2.ROLE_PLAYER])


@pytest.mark.parametrize(("team", "shown"), [("Red Pandas", "Red Pandas"), ("", None)])
def test_a_player_is_shown_with_the_team(desk: Desk, team: str, shown: str | None) -> None:
    wallet = wallet_pb2.Wallet(cash_cents=1_240, debt_cents=50)
    desk.answers["GetPlayer"] = admin_pb2.GetPlayerResponse(player=ADA, wallet=wallet, team_name=team)
    found = json.loads(done("player", "show", "ADA", "-o", "json"))
    assert (found["team"], found["cash"], found["owed"]) == (shown, "12.40", "0.50")


def adjusted(amount: int, balance_after: int, reason: str = "adjustment") -> admin_pb2.AdjustBalanceResponse:
    posting = wallet_pb2.Posting(amount=amount, balance_after=balance_after, reason=reason)
    return admin_pb2.AdjustBalanceResponse(posting=posting)


def adjust(*arguments: str) -> str:
    return done("player", "adjust", "ada", "--reason", "x", "--yes", *arguments)


def test_says_what_was_given_or_taken(desk: Desk) -> None:
    desk.answers["AdjustBalance"] = adjusted(1_200, 5_000)
    assert adjust("--cash", "12") == "gave 12.00 points to ada, who now has 50.00\n"
    desk.answers["AdjustBalance"] = adjusted(-1_200, 2_600)
    assert adjust("--cash", "-12") == "took 12.00 points from ada, who now has 26.00\n"
    shares = wallet_pb2.Posting(symbol="ACME", amount=1, balance_after=3)
    desk.answers["AdjustBalance"] = admin_pb2.AdjustBalanceResponse(posting=shares)
    assert adjust("--shares", "1", "--symbol", "acme") == "gave 1 share of ACME to ada, who now has 3\n"


def test_what_is_given_to_who_owes_was_not_taken(desk: Desk) -> None:
    desk.answers["AdjustBalance"] = adjusted(-3_000, 2_000, "repayment")
    assert (
        adjust("--cash", "50") == "gave 50.00 points to ada, who now has 20.00; 30.00 of it repaid a debt\n"
    )
