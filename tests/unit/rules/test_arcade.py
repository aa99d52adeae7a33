"""How much may pass through a machine."""

import pytest
from bearpit_server.rules import arcade
from bearpit_server.rules.arcade import LIMITS, Kind, Limits, Used
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.settings import SETTINGS
from bearpit_server.rules.units import points
from hypothesis import given
from hypothesis import strategies as st

CENTS = st.integers(0, 10**15)
AMOUNT = st.integers(1, 10**15)
ANY = st.builds(Limits, **dict.fromkeys(LIMITS, CENTS))


@given(st.sampled_from(Kind), AMOUNT, ANY, st.builds(Used, CENTS, CENTS))
def test_an_amount_passes_exactly_when_it_fits_all_three_limits(
    kind: Kind, amount: int, limits: Limits, used: Used
) -> None:
    way = kind.name.lower()
    room = {
        f"play_{way}_cents": getattr(limits, f"play_{way}_cents"),
        f"player_day_{way}_cents": getattr(limits, f"player_day_{way}_cents") - used.by_player,
        f"day_{way}_cents": getattr(limits, f"day_{way}_cents") - used.by_all,
    }
    tight = [name for name, left in room.items() if amount > left]
    if not tight:
        arcade.check(kind, amount, limits, used)
        return
    with pytest.raises(Refused) as refused:
        arcade.check(kind, amount, limits, used)
    assert refused.value.reason == "LIMIT_EXCEEDED"
    assert refused.value.metadata["limit"] == tight[0]
    assert points(max(0, room[tight[0]])) in refused.value.message


def test_each_limit_has_a_setting_that_holds_where_a_machine_has_none() -> None:
    assert {f"arcade_{name}" for name in LIMITS} == {key for key in SETTINGS if key.startswith("arcade_")}
    found = arcade.limits_of({"play_take_cents": 0}.get, lambda key: len(key))
    assert (found.play_take_cents, found.play_give_cents) == (0, len("arcade_play_give_cents"))


@pytest.mark.parametrize(
    ("id_", "cents"), [("", 1), ("x" * 65, 1), ("a\nb", 1), ("a", 0), ("a", -1), ("a", 10**15 + 1)]
)
def test_what_cannot_be_a_transaction_is_refused(id_: str, cents: int) -> None:
    with pytest.raises(Refused) as refused:
        arcade.check_transaction(id_, cents)
    assert refused.value.reason == "INVALID_FIELD"


def test_a_limit_is_set_or_left_to_the_game_and_not_both() -> None:
    assert arcade.check_cleared("day_take_cents", {"day_give_cents"}) == "day_take_cents"
    for name in ("nothing", "day_give_cents"):
        with pytest.raises(Refused):
            arcade.check_cleared(name, {"day_give_cents"})
    for cents in (-1, 10**15 + 1):
        with pytest.raises(Refused):
            arcade.check_limit("day_take_cents", cents)
