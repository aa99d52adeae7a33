"""Every way to fail has its exit code, and says what to do next."""

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit.client.errors import CONNECTION_FAULTS
from bearpit_admin import remote
from bearpit_admin.app import app
from bearpit_admin.exits import FOUND_BY, HINTS, IN_POINTS, OF_CODE, Exit
from bearpit_admin.session import Context
from bearpit_server.rules.refusals import CODES, not_found
from typer.main import get_command

HERE = Context("default", "127.0.0.1:7117")


def test_every_code_in_the_table_is_one_of_grpc() -> None:
    assert set(OF_CODE) <= {code.name for code in grpc.StatusCode}


def test_every_reason_with_a_word_of_ours_is_one_of_the_servers() -> None:
    assert set(HINTS) | set(IN_POINTS) <= set(CODES)


@pytest.mark.parametrize(
    ("reason", "exit_code"),
    [
        ("INVALID_FIELD", Exit.USAGE),
        ("OFF_TICK", Exit.USAGE),
        ("NOT_FOUND", Exit.CONFLICT),
        ("ALREADY_EXISTS", Exit.CONFLICT),
        ("REQUEST_ID_REUSED", Exit.CONFLICT),
        ("ORDER_NOT_OPEN", Exit.CONFLICT),
        ("INSUFFICIENT_FUNDS", Exit.CONFLICT),
        ("NOT_SIGNED_IN", Exit.NOT_ALLOWED),
        ("BAD_CREDENTIALS", Exit.NOT_ALLOWED),
        ("NOT_ALLOWED", Exit.NOT_ALLOWED),
        ("PLAYER_DISABLED", Exit.NOT_ALLOWED),
        ("DATABASE_UNAVAILABLE", Exit.UNREACHABLE),
        ("NOT_READY", Exit.UNREACHABLE),
        ("RATE_LIMITED", Exit.FAILED),
        ("INTERNAL", Exit.FAILED),
    ],
)
def test_each_reason_ends_the_command_with_its_code(reason: str, exit_code: Exit) -> None:
    code = next(code for code in grpc.StatusCode if code.value[0] == CODES[reason])
    failure = remote.failure_of(BearpitError(code, reason, "so it is"), HERE)
    assert failure.exit_code is exit_code
    assert failure.message == "So it is."


def test_no_answer_names_the_server_and_the_way_out() -> None:
    failure = remote.failure_of(BearpitError(grpc.StatusCode.UNAVAILABLE, "", "connection refused"), HERE)
    assert failure.exit_code is Exit.UNREACHABLE
    assert HERE.server in failure.message
    assert "bearpit-server" in failure.hint


@pytest.mark.parametrize("message", CONNECTION_FAULTS.values())
def test_a_connection_that_cannot_be_made_is_no_missing_server(message: str) -> None:
    failure = remote.failure_of(BearpitError(grpc.StatusCode.UNAVAILABLE, "", message), HERE)
    assert failure.exit_code is Exit.UNREACHABLE
    assert message in failure.message
    assert "--ca" in failure.hint


def test_amounts_in_a_refusal_are_said_in_points() -> None:
    metadata = {"needed_cents": "120040", "free_cents": "50000"}
    error = BearpitError(grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", "cents", metadata)
    assert remote.failure_of(error, HERE).message == "This needs 1200.40 points and 500.00 are free."


@pytest.mark.parametrize(
    ("in_cents", "told"),
    [
        (False, "points: give a number from 0.01 to 100000.00."),
        (True, "points_cents: give a number from 1 to 10000000."),
    ],
)
def test_the_bounds_of_an_amount_are_in_what_it_is_given_in(in_cents: bool, told: str) -> None:
    message = "points_cents: give a number from 1 to 10000000"
    error = BearpitError(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", message, field="points_cents")
    assert remote.failure_of(error, HERE, in_cents).message == told


def test_what_counts_no_money_is_left_as_it_is() -> None:
    message = "count: give a number from 1 to 5000"
    error = BearpitError(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", message, field="count")
    assert remote.failure_of(error, HERE).message == f"{message}."


@pytest.mark.parametrize("kind", FOUND_BY)
def test_what_is_not_there_can_be_looked_for(kind: str) -> None:
    refused = not_found(kind, 99)
    error = BearpitError(grpc.StatusCode.NOT_FOUND, refused.reason, refused.message, refused.metadata)
    hint = remote.failure_of(error, HERE).hint
    assert hint == f"see what there is with `bearpit-admin {FOUND_BY[kind]}`"
    group, command = FOUND_BY[kind].split()[:2]
    assert command in getattr(getattr(get_command(app), "commands")[group], "commands")  # noqa: B009 - typer's type hides it
