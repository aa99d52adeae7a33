"""Secrets are kept before they are needed, and a finished duel can be taken apart."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bearpit.client.duels import KEPT_SECONDS, MOVES, Secrets, commitment, side_of, verify
from bearpit.v1 import duels_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
NONCE = bytes(range(32))


def moment(seconds: int) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(AT + timedelta(seconds=seconds))
    return made


def side(name: str, move: str, player_id: int, revealed: bool = True) -> pb.DuelSide:
    made = pb.DuelSide(
        player_id=player_id, commitment=commitment(name, move, NONCE), committed_at=moment(player_id)
    )
    if revealed:
        made.revealed = True
        made.revealed_at.CopyFrom(moment(10))
        made.move = MOVES[move]
        made.nonce = NONCE
    return made


def duel(mine: str = "rock", other: str = "scissors", **values: object) -> pb.Duel:
    made = pb.Duel(
        duel_id=17, challenger_id=1, challenger_name="ada", opponent_id=2, opponent_name="bob",
        stake_cents=1_000, house_bps=250, draws=pb.DUEL_DRAWS_RETURN, max_rounds=3, round=1,
        state=pb.DUEL_STATE_SETTLED, ending=pb.DUEL_ENDING_WON, winner_id=1, winner_name="ada",
        paid_cents=1_975, house_share_cents=25,
        rounds=[pb.DuelRound(number=1, challenger=side("ada", mine, 1), opponent=side("bob", other, 2))],
    )  # fmt: skip
    for key, value in values.items():
        setattr(made, key, value)
    return made


def faults(made: pb.Duel, kept: Secrets | None = None) -> list[str]:
    return [finding.text for finding in verify(made, kept) if not finding.holds]


# --- secrets ---------------------------------------------------------------------------------------


def test_a_secret_is_found_again_by_its_commitment_after_a_restart(tmp_path: Path) -> None:
    made = Secrets(tmp_path).make("ada", "rock")
    assert Secrets(tmp_path).find(made.commitment) == made
    assert Secrets(tmp_path).find(bytes(32)) is None


def test_only_its_owner_can_read_a_secret(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        Secrets(tmp_path / "duels").make("ada", "rock")
    finally:
        os.umask(old)
    [file] = (tmp_path / "duels").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_secrets_are_kept_where_the_user_keeps_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEARPIT_HOME", str(tmp_path))
    assert Secrets().folder == tmp_path / "duels"


def test_no_two_secrets_are_alike(tmp_path: Path) -> None:
    kept = Secrets(tmp_path)
    assert len({kept.make("ada", "rock").commitment for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"name": "ada", "move": "rock", "nonce": "zz"}',
        '{"move": 1, "name": 2, "nonce": "00"}',
    ],
)
def test_a_file_that_is_not_what_it_was_is_no_secret(tmp_path: Path, content: str) -> None:
    kept = Secrets(tmp_path)
    made = kept.make("ada", "rock")
    (tmp_path / f"{made.commitment.hex()}.json").write_text(content)
    assert kept.find(made.commitment) is None


def test_a_secret_that_was_changed_is_no_secret(tmp_path: Path) -> None:
    kept = Secrets(tmp_path)
    made = kept.make("ada", "rock")
    path = tmp_path / f"{made.commitment.hex()}.json"
    path.write_text(json.dumps({"name": "ada", "move": "paper", "nonce": made.nonce.hex()}))
    assert kept.find(made.commitment) is None


def test_secrets_of_a_month_ago_are_removed(tmp_path: Path) -> None:
    kept = Secrets(tmp_path)
    made = kept.make("ada", "rock")
    now = (tmp_path / f"{made.commitment.hex()}.json").stat().st_mtime
    kept.sweep(now + KEPT_SECONDS - 1)
    assert kept.find(made.commitment) == made
    kept.sweep(now + KEPT_SECONDS + 1)
    assert kept.find(made.commitment) is None


# --- verifying -------------------------------------------------------------------------------------


def test_a_fair_duel_has_no_faults() -> None:
    assert faults(duel()) == []
    assert len(verify(duel())) == 6


def test_a_duel_that_is_not_over_cannot_be_verified() -> None:
    assert faults(duel(state=pb.DUEL_STATE_REVEALING)) == ["duel 17 is not over; verify it when it is"]


def test_a_move_that_was_changed_is_found() -> None:
    made = duel()
    made.rounds[0].opponent.move = pb.DUEL_MOVE_PAPER
    assert any("bob's paper is not what was committed to" in fault for fault in faults(made))


def test_a_nonce_of_somebody_elses_is_found() -> None:
    made = duel()
    made.rounds[0].challenger.CopyFrom(side("bob", "rock", 1))
    assert any("ada's rock is not" in fault for fault in faults(made))


def test_a_winner_who_lost_is_found() -> None:
    assert faults(duel(winner_name="bob", winner_id=2)) == ["rock against scissors: bob did not win"]


def test_a_commitment_after_a_reveal_is_found() -> None:
    made = duel()
    made.rounds[0].opponent.committed_at.CopyFrom(moment(11))
    assert any("AFTER" in fault for fault in faults(made))


def test_money_that_does_not_add_up_is_found() -> None:
    assert faults(duel(paid_cents=2_000, house_share_cents=0)) != []
    assert faults(duel(paid_cents=1_975, house_share_cents=24)) != []


def test_a_draw_with_rounds_to_go_is_found() -> None:
    drawn = {"ending": pb.DUEL_ENDING_DRAWN, "winner_name": "", "paid_cents": 0, "house_share_cents": 0}
    assert faults(duel("rock", "rock", **drawn)) == []
    assert faults(duel("rock", "paper", **drawn)) != []
    assert faults(duel("rock", "rock", **drawn, draws=pb.DUEL_DRAWS_PLAY_ON)) != []


def test_a_round_that_was_not_drawn_and_played_on_is_found() -> None:
    made = duel("rock", "paper", round=2)
    made.rounds.add(number=2, challenger=side("ada", "rock", 1), opponent=side("bob", "scissors", 2))
    assert faults(made) == ["round 1 was not drawn, and another one played"]


def test_who_forfeited_is_who_revealed_nothing() -> None:
    made = duel(ending=pb.DUEL_ENDING_FORFEITED)
    made.rounds[0].opponent.CopyFrom(side("bob", "scissors", 2, revealed=False))
    assert faults(made) == []
    made.winner_name, made.winner_id = "bob", 2
    assert faults(made) != []


@pytest.mark.parametrize(
    "ending", [pb.DUEL_ENDING_NOT_ACCEPTED, pb.DUEL_ENDING_CANCELLED, pb.DUEL_ENDING_CALLED_OFF]
)
def test_what_nobody_won_pays_nobody(ending: pb.DuelEnding) -> None:
    made = duel(ending=ending, winner_name="", winner_id=0, paid_cents=0, house_share_cents=0)
    made.rounds[0].opponent.Clear()
    made.rounds[0].challenger.CopyFrom(side("ada", "rock", 1, revealed=False))
    assert faults(made) == []
    made.paid_cents = 5
    assert faults(made) != []


def test_against_the_house_the_house_commits_first() -> None:
    made = duel(
        against_house=True, opponent_id=0, opponent_name="house", winner_name="house", winner_id=0,
        paid_cents=2_000, house_share_cents=0,
    )  # fmt: skip
    made.rounds[0].opponent.CopyFrom(side("house", "paper", 0))
    mine = made.rounds[0].challenger
    mine.ClearField("commitment")
    mine.ClearField("nonce")
    mine.ClearField("committed_at")
    assert faults(made) == []
    made.rounds[0].opponent.committed_at.CopyFrom(moment(11))
    assert faults(made) != []
    made.rounds[0].opponent.ClearField("commitment")
    assert faults(made) != []


def test_what_the_server_shows_is_compared_with_what_was_sent(tmp_path: Path) -> None:
    kept = Secrets(tmp_path)
    mine = kept.make("ada", "rock")
    made = duel()
    made.rounds[0].challenger.commitment = mine.commitment
    made.rounds[0].challenger.nonce = mine.nonce
    assert faults(made, kept) == []
    made.rounds[0].challenger.move = pb.DUEL_MOVE_PAPER
    assert any("not what this machine kept" in fault for fault in faults(made, kept))


def test_ones_side_is_found_by_ones_number() -> None:
    made = duel()
    assert side_of(made, made.rounds[0], 1) == made.rounds[0].challenger
    assert side_of(made, made.rounds[0], 2) == made.rounds[0].opponent
    assert side_of(made, made.rounds[0], 3) is None
