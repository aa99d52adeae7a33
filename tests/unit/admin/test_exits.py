"""Every way to fail has its exit code, and says what to do next."""

import grpc
import pytest
from bearpit.client import BearpitError
from bearpit.client.errors import CONNECTION_FAULTS
from bearpit_admin import remote
from bearpit_admin.exits import HINTS, IN_POINTS, OF_CODE, Exit
from bearpit_admin.session import Context
from bearpit_server.rules.refusals import CODES

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
