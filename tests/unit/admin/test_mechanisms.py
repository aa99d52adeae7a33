"""`bearpit-admin mechanism`, `news` and what `instruments` says of mechanisms."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from bearpit.v1 import admin_pb2, market_pb2, pricing_pb2
from bearpit_admin import pushing
from bearpit_admin.commands import mechanism
from google.protobuf.timestamp_pb2 import Timestamp

from tests.unit.admin.desk import Desk, admin, done
from tests.unit.client_stage import Refusal

NOON = Timestamp(seconds=1_795_262_400)
FEED = pricing_pb2.Mechanism(
    name="feed",
    title="Feed",
    description="Prices come from a recording, a walk, or another service.",
    group_parameters=[
        pricing_pb2.Parameter(
            key="interval_ms", description="Between steps.", default_value="1000", bounds="50 to 60000"
        )
    ],
    instrument_parameters=[pricing_pb2.Parameter(key="source", default_value="walk")],
)
QUICK = pricing_pb2.Group(
    name="quick",
    mechanism="feed",
    parameters={"interval_ms": "250", "burst": "2"},
    symbols=["ACME"],
    steps=12,
    stepped_at=NOON,
    refused={"PRICE_STALE": 3},
    late_steps=1,
)


# --- mechanisms and groups -------------------------------------------------------------------------------


def test_mechanisms_are_listed_with_what_can_be_set(desk: Desk) -> None:
    desk.answers["ListMechanisms"] = pricing_pb2.ListMechanismsResponse(mechanisms=[FEED])
    assert "feed\tFeed\tinterval_ms\tsource\tPrices come from" in done("mechanism", "list")


def test_one_mechanism_is_shown_with_every_parameter(desk: Desk) -> None:
    desk.answers["ListMechanisms"] = pricing_pb2.ListMechanismsResponse(mechanisms=[FEED])
    parameters = json.loads(done("mechanism", "show", "feed", "-o", "json"))["parameters"]
    assert parameters[0] == {
        "of": "group", "key": "interval_ms", "default": "1000", "bounds": "50 to 60000",
        "description": "Between steps.",
    }  # fmt: skip
    assert [row["of"] for row in parameters] == ["group", "instrument"]
    result = admin("mechanism", "show", "magic")
    assert result.exit_code == 3
    assert "there are feed" in result.stderr


def test_groups_tell_how_their_steps_go(desk: Desk) -> None:
    desk.answers["ListGroups"] = pricing_pb2.ListGroupsResponse(
        groups=[QUICK, pricing_pb2.Group(name="still", mechanism="attention")]
    )
    quick, still = json.loads(done("mechanism", "groups", "-o", "json"))
    assert quick["parameters"] == ["burst=2", "interval_ms=250"]
    assert quick["stepped_at"] == "2026-11-21T12:00:00.000Z"
    assert quick["refused"] == ["PRICE_STALE=3"]
    assert still["stepped_at"] is None


def test_a_group_is_made_and_changed_by_keys_and_values(desk: Desk) -> None:
    desk.answers["CreateGroup"] = pricing_pb2.CreateGroupResponse(group=QUICK)
    desk.answers["UpdateGroup"] = pricing_pb2.UpdateGroupResponse(group=QUICK)
    said = done("mechanism", "create", "quick", "--mechanism", "feed", "--set", "interval_ms=250")
    assert said == "created group quick of mechanism feed\n"
    made = desk.only("CreateGroup")
    assert dict(made.parameters) == {"interval_ms": "250"}
    assert made.request_id
    said = done(
        "mechanism", "set", "quick", "--set", "interval_ms=250", "--set", "floor_cents=0.50", "--dry-run"
    )
    changed = desk.only("UpdateGroup")
    assert dict(changed.parameters) == {"interval_ms": "250", "floor_cents": "50"}
    assert changed.validate_only
    assert said.startswith("dry run, nothing changed: interval_ms=250\n")


# --- recordings ------------------------------------------------------------------------------------------

KEPT = pricing_pb2.Recording(
    name="apple", bars=2, starts_at=NOON, ends_at=NOON, low_cents=990, high_cents=1240
)
CSV = "date,open,high,low,close,volume\n2026-11-20,10,12.40,9.90,12,100\n"


@pytest.mark.parametrize("source", ["-", "a file"])
def test_a_recording_comes_from_a_file_or_a_pipe(source: str, desk: Desk, tmp_path: Path) -> None:
    desk.answers["ImportRecording"] = pricing_pb2.ImportRecordingResponse(recordings=[KEPT])
    if source != "-":
        source = str(tmp_path / "apple.csv")
        Path(source).write_text(f"\ufeff{CSV}", encoding="utf-8")
    result = admin("mechanism", "import", "apple", source, "--replace", said=CSV)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].startswith("apple\t2\t9.90\t12.40\t2026-11-21T12:00")
    asked = desk.only("ImportRecording")
    assert asked.csv == CSV
    assert asked.replace


def test_a_recording_that_is_too_large_is_not_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanism, "MAX_BYTES", 10)
    result = admin("mechanism", "import", "apple", "-", said=CSV)
    assert result.exit_code == 2
    assert "in parts" in result.stderr
    assert desk.asked == []


def test_a_file_that_is_no_text_is_a_usage_error(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "apple.csv").write_bytes(b"\xff\xfe\x00")
    result = admin("mechanism", "import", "apple", str(tmp_path / "apple.csv"))
    assert result.exit_code == 2
    assert "UTF-8" in result.stderr


def test_recordings_are_listed(desk: Desk) -> None:
    desk.answers["ListRecordings"] = pricing_pb2.ListRecordingsResponse(recordings=[KEPT])
    [row] = json.loads(done("mechanism", "recordings", "-o", "json"))
    assert (row["name"], row["low"], row["high"]) == ("apple", "9.90", "12.40")


# --- attention -------------------------------------------------------------------------------------------


def test_attention_is_bars_for_people_and_numbers_for_programs(desk: Desk) -> None:
    desk.answers["GetAttention"] = pricing_pb2.GetAttentionResponse(
        group="looks",
        next_at=NOON,
        instruments=[
            pricing_pb2.Attention(symbol="ACME", score=9, share_bps=7_500, price_cents=1000, next_cents=1100),
            pricing_pb2.Attention(symbol="BOLT", score=3, share_bps=2_500, price_cents=1000, next_cents=900),
            pricing_pb2.Attention(symbol="COIL", price_cents=1000, next_cents=1000),
        ],
    )
    lines = done("mechanism", "attention", "looks", "-o", "table").splitlines()
    bars = {line.split()[0]: line.count("█") for line in lines if line[:4] in ("ACME", "BOLT", "COIL")}
    assert bars == {"ACME": mechanism.BAR, "BOLT": mechanism.BAR // 3, "COIL": 0}
    assert "█" not in done("mechanism", "attention")
    assert [request.group for request in desk.requests("GetAttention")] == ["looks", ""]


def test_a_group_without_any_attention_has_no_bars(desk: Desk) -> None:
    still = pricing_pb2.Attention(symbol="ACME", price_cents=1000, next_cents=1000)
    desk.answers["GetAttention"] = pricing_pb2.GetAttentionResponse(group="looks", instruments=[still])
    assert "ACME" in done("mechanism", "attention", "-o", "table")


# --- pushed prices ---------------------------------------------------------------------------------------


def count(requests: list[Any]) -> pricing_pb2.PushPricesResponse:
    return pricing_pb2.PushPricesResponse(accepted=len(requests))


LINES = "acme 12.40\n\nBOLT\t5 2026-11-21T12:00:00Z\nACME 12.45 2026-11-21 12:00:01.5Z\n"


@pytest.mark.parametrize("source", ["-", "a file"])
def test_prices_are_pushed_line_by_line(source: str, desk: Desk, tmp_path: Path) -> None:
    desk.answers["PushPrices"] = count
    if source != "-":
        source = str(tmp_path / "prices.txt")
        Path(source).write_text(LINES)
    assert done("mechanism", "push", source, said=LINES) == "accepted\t3\nrefused\t0\n"
    [pushed] = desk.requests("PushPrices")
    assert [(price.symbol, price.price_cents) for price in pushed] == [
        ("ACME", 1240), ("BOLT", 500), ("ACME", 1245),
    ]  # fmt: skip
    assert pushed[1].at == NOON
    assert pushed[2].at.ToDatetime(UTC) == datetime(2026, 11, 21, 12, 0, 1, 500_000, tzinfo=UTC)
    assert abs(pushed[0].at.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    assert set(desk.bearers) == {"Bearer a-service"}


def test_a_sign_in_that_has_ended_shows_before_any_price_is_read(desk: Desk) -> None:
    desk.answers["GetMe"] = Refusal(grpc.StatusCode.UNAUTHENTICATED, "NOT_SIGNED_IN")
    assert admin("mechanism", "push", said=LINES).exit_code == 4
    assert desk.requests("PushPrices") == []


def test_prices_without_a_time_are_each_later_than_the_last(desk: Desk) -> None:
    desk.answers["PushPrices"] = count
    done("mechanism", "push", said="ACME 12.40\n" * 50)
    [pushed] = desk.requests("PushPrices")
    moments = [price.at.ToMicroseconds() for price in pushed]
    assert moments == sorted(set(moments))


def test_what_was_refused_is_told_by_reason_and_ends_with_a_failure(desk: Desk) -> None:
    desk.answers["PushPrices"] = pricing_pb2.PushPricesResponse(
        accepted=1, refused={"PRICE_STALE": 2}, messages=["the price of ACME is 9000 ms old"]
    )
    result = admin("mechanism", "push", said="ACME 12.40\nACME\nACME free\nACME 12 someday\n")
    assert result.exit_code == 1
    assert "accepted\t1\nrefused\t5\n" in result.stdout
    assert "PRICE_STALE\t2\nUNREADABLE\t3" in result.stdout
    assert "9000 ms old" in result.stderr
    assert "line 3: 'free' is no amount" in result.stderr


def test_many_more_prices_than_fit_at_once_all_arrive(desk: Desk) -> None:
    desk.answers["PushPrices"] = count
    lines = "ACME 12.40\n" * (pushing.AHEAD * 5)
    assert done("mechanism", "push", said=lines).startswith(f"accepted\t{pushing.AHEAD * 5}")


def test_a_push_that_is_refused_as_a_whole_is_told_in_words(desk: Desk) -> None:
    desk.answers["PushPrices"] = Refusal(grpc.StatusCode.PERMISSION_DENIED, "NOT_ALLOWED")
    result = admin("mechanism", "push", said="ACME 12.40\n")
    assert result.exit_code == 4
    assert "bearpit-admin role list" in result.stderr


def test_an_interrupt_ends_the_input_and_still_tells_the_outcome(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def lines() -> Iterator[str]:
        """They never come; who waits for the first presses ctrl+c."""
        os.kill(os.getpid(), signal.SIGINT)
        over.wait()
        yield "ACME 12.40"

    desk.answers["PushPrices"] = count
    monkeypatch.setattr(pushing, "_opened", lambda _: nullcontext(lines()))
    result = admin("mechanism", "push")
    over.set()
    assert result.exit_code == 0, result.output
    assert result.stdout == "accepted\t0\nrefused\t0\n"


# --- news ------------------------------------------------------------------------------------------------

COMET = market_pb2.Headline(
    news_id=12,
    text="Comet sighted",
    symbols=["ACME"],
    published_at=NOON,
    ends_at=NOON,
    drift_bps=-350,
    volatility_bps=20_000,
)


def test_a_headline_is_published_as_it_was_told(desk: Desk) -> None:
    desk.answers["PublishNews"] = pricing_pb2.PublishNewsResponse(headline=COMET)
    said = done(
        "news", "publish", "Comet sighted", "--symbols", "acme,bolt", "--drift", "-3.5%",
        "--volatility", "2x", "--for", "2m", "--at", "2026-11-21T12:00Z",
    )  # fmt: skip
    assert said.startswith("published headline 12 at 2026-11-21T12:00:00.000Z")
    asked = desk.only("PublishNews")
    assert list(asked.symbols) == ["ACME", "BOLT"]
    assert (asked.drift_bps, asked.volatility_bps, asked.lifetime_seconds) == (-350, 20_000, 120)
    assert asked.publish_at == NOON
    assert asked.request_id


def test_a_headline_alone_moves_nothing(desk: Desk) -> None:
    desk.answers["PublishNews"] = pricing_pb2.PublishNewsResponse(headline=COMET)
    done("news", "publish", "Comet sighted", "--dry-run")
    asked = desk.only("PublishNews")
    assert asked.validate_only
    assert not asked.HasField("volatility_bps")
    assert not asked.HasField("publish_at")
    assert (asked.drift_bps, asked.lifetime_seconds) == (0, 0)


def test_headlines_are_listed_and_withdrawn(desk: Desk) -> None:
    withdrawn = market_pb2.Headline(news_id=12, text="Comet sighted", withdrawn=True)
    desk.answers["ListNews"] = pricing_pb2.ListNewsResponse(headlines=[COMET])
    desk.answers["WithdrawNews"] = pricing_pb2.WithdrawNewsResponse(headline=withdrawn)
    [row] = json.loads(done("news", "list", "-o", "json"))
    assert (row["id"], row["drift_bps"], row["withdrawn"]) == (12, -350, False)
    assert done("news", "withdraw", "12") == "withdrew headline 12: Comet sighted\n"
    desk.answers["WithdrawNews"] = pricing_pb2.WithdrawNewsResponse(headline=COMET)
    assert done("news", "withdraw", "12").startswith("ended the effect of headline 12")


# --- instruments -----------------------------------------------------------------------------------------

ACME = market_pb2.Instrument(symbol="ACME", name="Acme", mechanism="feed", group="quick", tick_cents=1)


def test_an_instrument_is_listed_with_its_mechanism_and_group(desk: Desk) -> None:
    desk.answers["ListInstruments"] = market_pb2.ListInstrumentsResponse(
        instruments=[ACME], quotes=[market_pb2.Quote(symbol="ACME")]
    )
    [row] = json.loads(done("instruments", "list", "-o", "json"))
    assert (row["mechanism"], row["group"]) == ("feed", "quick")


def test_an_instrument_is_made_of_a_mechanism_and_changed(desk: Desk) -> None:
    desk.answers["CreateInstrument"] = admin_pb2.CreateInstrumentResponse(instrument=ACME)
    desk.answers["UpdateInstrument"] = admin_pb2.UpdateInstrumentResponse(instrument=ACME)
    done(
        "instruments", "create", "ACME", "--name", "Acme", "--mechanism", "feed", "--group", "quick", "--set",
        "source=walk", "--set", "start_cents=12.40",
    )  # fmt: skip
    done("instruments", "update", "ACME", "--set", "source=")
    made, changed = desk.only("CreateInstrument"), desk.only("UpdateInstrument")
    assert (made.mechanism, made.group) == ("feed", "quick")
    assert dict(made.parameters) == {"source": "walk", "start_cents": "1240"}
    assert dict(changed.parameters) == {"source": ""}
    assert not changed.HasField("name")
