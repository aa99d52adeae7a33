"""What an event says to those whom it concerns, and to nobody else."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest
from bearpit_server.events.log import Logged, Position
from bearpit_server.game.notices.wording import WORDS, players_of
from bearpit_server.rules.notices import Kind

NAMES = defaultdict(lambda: "somebody", {1: "ada", 2: "bob", 3: "eve"})
DUEL = {
    "duel_id": 4, "player_ids": [1, 2], "challenger_id": 1, "challenger": "ada", "opponent_id": 2,
    "opponent": "bob", "stake_cents": 5_000,
}  # fmt: skip


def event(kind: str, subject: str = "thing:7", actor: int = 0, **payload: Any) -> Logged:
    return Logged(Position(1, 2), kind, subject, actor, None, None, "", "", payload, datetime.now(UTC))


def said(kind: str, subject: str = "thing:7", actor: int = 0, **payload: Any) -> dict[int, str]:
    """What each player is told."""
    return {note.player_id: note.title for note in WORDS[kind](event(kind, subject, actor, **payload), NAMES)}


def test_every_type_has_words_for_an_event_that_says_nothing() -> None:
    for kind, words in WORDS.items():
        for note in words(event(kind, ending="DRAWN"), NAMES):
            assert note.title
            assert note.kind in Kind


@pytest.mark.parametrize(
    ("kind", "payload", "told"),
    [
        (
            "transfer.made", {"from_id": 1, "to_id": 2, "amount_cents": 123_456},
            {2: "ada sent you 1,234.56", 1: "You sent bob 1,234.56"},
        ),
        ("player.adjusted", {"amount": 500, "symbol": "", "reason": "x"}, {7: "An operator gave you 5.00"}),
        (
            "channel.broken", {"player_id": 1, "channel": "WEBHOOK", "error": "404"},
            {1: "Your webhook takes no messages any more; confirm it anew when it does"},
        ),
        ("player.adjusted", {"amount": -3, "symbol": "ACME"}, {7: "An operator took 3 ACME from you"}),
        ("duel.challenged", DUEL, {2: "ada challenges you to a duel for 50.00"}),
        ("duel.challenged", DUEL | {"opponent_id": None, "opponent": ""}, {}),
        ("duel.accepted", DUEL, {1: "bob takes your duel for 50.00: reveal your move"}),
        ("duel.revealed", DUEL | {"by_id": 1}, {2: "ada has revealed; reveal your move, or you lose"}),
        ("duel.revealed", DUEL | {"by_id": 2}, {1: "bob has revealed; reveal your move, or you lose"}),
        (
            "duel.settled", DUEL | {"ending": "WON", "winner_id": 2, "paid_cents": 9_900},
            {1: "You lost 50.00 in a duel with bob", 2: "You won 49.00 in a duel with ada"},
        ),
        (
            "duel.settled", DUEL | {"ending": "FORFEITED", "winner_id": 1, "paid_cents": 10_000},
            {
                1: "You won 50.00 in a duel with bob, who did not move in time",
                2: "You lost 50.00 in a duel with ada: you did not move in time",
            },
        ),
        (
            "duel.settled", DUEL | {"ending": "DRAWN", "winner_id": None},
            {1: "Your duel with bob is a draw", 2: "Your duel with ada is a draw"},
        ),
        ("duel.settled", DUEL | {"ending": "DECLINED", "winner_id": None}, {1: "bob declines your duel"}),
        (
            "duel.settled", DUEL | {"opponent_id": 0, "opponent": "house", "ending": "WON", "winner_id": 0},
            {1: "You lost 50.00 in a duel with house"},
        ),
        ("code.redeemed", {"player_id": 1, "value_cents": 1_000}, {1: "Code redeemed: 10.00"}),
        ("code.redeemed", {"player_id": 1, "off_bps": 2_550}, {1: "Code redeemed: 25.5 % off your fees"}),
        (
            "code.redeemed", {"player_id": 1, "quantity": 1_500, "symbol": "ACME"},
            {1: "Code redeemed: 1,500 ACME"},
        ),
        (
            "booth.visited", {"player_id": 1, "booth": "Robots", "reward_cents": 100_000},
            {1: "Robots: 1,000.00 for your visit"},
        ),
        (
            "referral.rewarded",
            {"newcomer_id": 2, "referrer_id": 1, "newcomer_cents": 500, "referrer_cents": 0},
            {2: "ada brought you, and you have traded: 5.00 for you"},
        ),
        (
            "debt.set", {"player_id": 3, "before_cents": 0, "debt_cents": 900},
            {3: "An operator set your debt to 9.00"},
        ),
        ("debt.set", {"player_id": 3, "before_cents": 900, "debt_cents": 900}, {}),
        ("debt.comeback", {"player_id": 3, "amount_cents": 100}, {3: "A comeback loan of 1.00 is yours"}),
        (
            "debt.interest", {"player_id": 3, "interest_cents": 5, "debt_cents": 105},
            {3: "Interest of 0.05 on your debt"},
        ),
        ("badge.awarded", {"player_id": 1, "badge": "first-trade"}, {1: "Badge: In the pit"}),
        ("badge.awarded", {"player_id": 1, "badge": "of another version"}, {1: "Badge: of another version"}),
        (
            "rank.changed",
            {
                "board": "NET_WORTH",
                "players": [
                    {"player_id": 1, "rank": 1, "previous_rank": 2},
                    {"player_id": 2, "rank": 2, "previous_rank": 2},
                    {"player_id": 3, "rank": 3, "previous_rank": 0},
                ],
                "left": [{"player_id": 9, "previous_rank": 3}],
            },
            {
                1: "You are number 1 by net worth now, after 2",
                3: "You are number 3 by net worth now",
                9: "You are not among the first by net worth any more",
            },
        ),
        (
            "rank.changed",
            {
                "board": "DAY",
                "players": [
                    {"player_id": 1, "rank": 1, "previous_rank": 2},
                    {"player_id": 2, "rank": 2, "previous_rank": 1},
                ],
                "left": [{"player_id": 9, "previous_rank": 3}],
            },
            {1: "You are number 1 by the day's gain now, after 2"},
        ),
        ("player.frozen", {"player_id": 1}, {1: "You are frozen: you can look, and do nothing else"}),
        ("team.joined", {"player_id": 1, "team": "red", "by": "code"}, {}),
        (
            "team.joined", {"player_id": 1, "team": "red", "by": "operator"},
            {1: "You are in the team red now"},
        ),
    ],
)  # fmt: skip
def test_it_is_told_to_whom_it_concerns(kind: str, payload: dict[str, Any], told: dict[int, str]) -> None:
    subject = "player:7" if kind == "player.adjusted" else "thing:7"
    assert said(kind, subject, **payload) == told


def test_who_leaves_a_team_by_himself_need_not_be_told() -> None:
    assert said("team.left", actor=1, player_id=1, team="red") == {}
    assert said("team.left", actor=2, player_id=1, team="red") == {1: "You are not in the team red any more"}


def test_players_are_found_wherever_an_event_names_them() -> None:
    named = event("x", "player:7", 3, from_id=1, player_ids=[4, 5], winner_id=None)
    assert players_of(named) == {1, 3, 4, 5, 7}
