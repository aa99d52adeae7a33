"""Lists come in pages, and are read to the end or to a limit."""

import json

import pytest
from bearpit.v1 import teams_pb2 as pb
from bearpit_admin import listing

from tests.unit.admin.desk import Desk, done

NAMES = [f"team-{number}" for number in range(7)]


def page(request: pb.ListTeamsRequest) -> pb.ListTeamsResponse:
    start = int(request.page_token or 0)
    end = start + request.page_size
    token = str(end) if end < len(NAMES) else ""
    return pb.ListTeamsResponse(
        teams=[pb.Team(name=name) for name in NAMES[start:end]], next_page_token=token
    )


@pytest.mark.parametrize(
    ("limit", "sizes"), [(0, [3, 3, 3]), (3, [3]), (5, [3, 2]), (7, [3, 3, 1]), (100, [3, 3, 3])]
)
def test_a_list_is_read_page_after_page(
    limit: int, sizes: list[int], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 3)
    desk.answers["ListTeams"] = page
    found = json.loads(done("team", "list", "--search", "team", "-n", str(limit), "-o", "json"))
    assert [team["name"] for team in found] == NAMES[: limit or None]
    asked = desk.requests("ListTeams")
    assert [request.page_size for request in asked] == sizes
    assert {request.search for request in asked} == {"team"}
