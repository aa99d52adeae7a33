"""What players want to be told of, and how amounts are written."""

import pytest
from bearpit_server.rules.notices import Kind, Preference, default, preferences, stored
from bearpit_server.rules.refusals import Refused
from bearpit_server.rules.units import points
from hypothesis import given
from hypothesis import strategies as st

preference = st.builds(Preference, st.just(True), st.booleans()) | st.just(Preference(False, False))


@given(st.dictionaries(st.sampled_from(Kind), preference))
def test_what_is_kept_reads_as_it_was_wanted(wanted: dict[Kind, Preference]) -> None:
    assert preferences(stored(wanted)) == {kind: wanted.get(kind, default(kind)) for kind in Kind}


def test_what_is_as_by_default_is_not_kept() -> None:
    assert stored({kind: default(kind) for kind in Kind}) == {}


def test_channels_send_on_only_what_is_on_the_screen() -> None:
    with pytest.raises(Refused):
        stored({Kind.FILL: Preference(screen=False, channel=True)})


@pytest.mark.parametrize(
    ("cents", "text"),
    [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123_456, "1,234.56"), (-100, "-1.00"),
     (2**63, "92,233,720,368,547,758.08")],
)  # fmt: skip
def test_amounts_are_in_points(cents: int, text: str) -> None:
    assert points(cents) == text
