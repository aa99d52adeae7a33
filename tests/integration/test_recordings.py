"""Histories of prices: imported from CSV, named, replaced, listed."""

from pathlib import Path
from typing import Any

import pytest
from bearpit.client import Client
from bearpit.v1 import pricing_pb2 as pb
from bearpit_admin import bots

from tests.venue import Venue, refused

CSV = "date,close\n2020-01-01,10\n2020-01-02,12.5\n"
TWO = "symbol,date,open,high,low,close,volume\nA,2020-01-01,1,3,0.5,2,7\nB,2020-01-05,4,4,4,4,0\n"
BARS = "SELECT open_cents, high_cents, low_cents, close_cents, volume FROM bars ORDER BY recording_id, at"


async def keep(client: Client, name: str, csv: str, **more: Any) -> list[pb.Recording]:
    request = pb.ImportRecordingRequest(name=name, csv=csv, **more)
    return list((await client.pricing.ImportRecording(request)).recordings)


async def listed(client: Client) -> list[str]:
    found = (await client.pricing.ListRecordings(pb.ListRecordingsRequest())).recordings
    return [one.name for one in found]


async def test_a_file_without_symbols_is_one_recording(operator: Client, venue: Venue) -> None:
    [made] = await keep(operator, "tape", CSV)
    assert (made.name, made.bars, made.low_cents, made.high_cents) == ("tape", 2, 1_000, 1_250)
    assert (made.starts_at.ToJsonString(), made.ends_at.ToJsonString()) == (
        "2020-01-01T00:00:00Z",
        "2020-01-02T00:00:00Z",
    )
    assert venue.rows(BARS)[0] == (1_000, 1_000, 1_000, 1_000, 0)


async def test_each_symbol_of_a_file_is_a_recording(operator: Client, venue: Venue) -> None:
    assert [made.name for made in await keep(operator, "", TWO)] == ["A", "B"]
    assert [made.name for made in await keep(operator, "x", TWO)] == ["x.A", "x.B"]
    assert await listed(operator) == ["A", "B", "x.A", "x.B"]
    assert venue.rows(BARS)[:2] == [(100, 300, 50, 200, 7), (400, 400, 400, 400, 0)]


async def test_the_shipped_histories_can_be_played(operator: Client) -> None:
    [folder] = bots.__path__
    made = await keep(operator, "", (Path(folder) / "weekly.csv").read_text())
    assert len(made) == 4
    assert sum(one.bars for one in made) == 2_483


async def test_one_is_replaced_only_on_purpose(operator: Client, venue: Venue) -> None:
    await keep(operator, "tape", CSV)
    error = await refused(keep(operator, "TAPE", CSV))
    assert (error.reason, error.metadata["name"]) == ("ALREADY_EXISTS", "tape")
    [made] = await keep(operator, "tape", CSV.replace("12.5", "99"), replace=True)
    assert (made.bars, made.high_cents) == (2, 9_900)
    assert len(venue.rows("SELECT 1 FROM bars")) == 2
    [made] = await keep(operator, "other", CSV, validate_only=True)
    assert await listed(operator) == ["tape"]


@pytest.mark.parametrize(
    ("name", "csv"),
    [
        ("", CSV),
        ("no spaces", CSV),
        ("x" * 25, CSV),
        ("x" * 24, TWO),
        ("tape", ""),
        ("tape", "date,close\n2020-01-01,-1\n"),
        ("tape", "date,close\n" + "#" * 3_000_000),
        ("", TWO.replace("B,", "a,")),
    ],
)
async def test_what_cannot_be_one_is_refused(operator: Client, name: str, csv: str) -> None:
    assert (await refused(keep(operator, name, csv))).reason == "INVALID_FIELD"
    assert await listed(operator) == []
