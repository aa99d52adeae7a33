"""The reasons of a refusal are said three times, in the contract, its comments and our table, and agree."""

import re
from pathlib import Path

import bearpit
import pytest
from bearpit.v1 import errors_pb2
from bearpit_server.rules.refusals import CODES, Code, Refused
from bearpit_server.services import errors
from google.rpc import error_details_pb2, status_pb2

_PROTO = Path(bearpit.__file__).parent / "v1" / "errors.proto"


def _documented() -> dict[str, str]:
    """Each reason's code as its comment has it: the last word in capitals before the value."""
    found = re.findall(r"((?:^ +//.*\n)+) +REASON_(\w+) = \d+;", _PROTO.read_text(), re.MULTILINE)
    return {
        name: re.findall(r"([A-Z_]{5,})\.", comment)[-1] for comment, name in found if name != "UNSPECIFIED"
    }


def test_every_reason_of_the_contract_has_a_code() -> None:
    in_contract = {name.removeprefix("REASON_") for name in errors_pb2.Reason.DESCRIPTOR.values_by_name} - {
        "UNSPECIFIED"
    }
    assert set(CODES) == in_contract


def test_the_codes_are_those_the_contract_documents() -> None:
    assert {reason: code.name for reason, code in CODES.items()} == _documented()


@pytest.mark.parametrize("reason", CODES)
def test_each_reason_travels_in_the_details(reason: str) -> None:
    refused = Refused(reason, "say it", "name" if reason == "INVALID_FIELD" else "", free_cents=7)
    status = status_pb2.Status.FromString(errors.details_of(refused))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "bearpit", {"free_cents": "7"})
    assert (status.code, status.message) == (CODES[reason], "say it")
    assert len(status.details) == (2 if refused.field else 1)


def test_a_refusal_as_one_of_many_says_the_same() -> None:
    message = errors.as_message(Refused("OFF_TICK", "use the tick", "price_cents", tick_cents=5))
    assert (message.code, message.reason) == (Code.INVALID_ARGUMENT, errors_pb2.REASON_OFF_TICK)
    assert (message.field, dict(message.metadata)) == ("price_cents", {"tick_cents": "5"})


def test_a_stray_exception_shows_only_its_number(caplog: pytest.LogCaptureFixture) -> None:
    refused = errors.refusal_of(ZeroDivisionError("the secret is plugh"), "/x/Y")
    assert refused.reason == "INTERNAL"
    assert "plugh" not in refused.message
    assert refused.metadata["incident"] in refused.message
    assert refused.metadata["incident"] in caplog.text
    assert "the secret is plugh" in caplog.text
