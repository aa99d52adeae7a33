"""How a refusal travels: a canonical code, and what explains it as google.rpc details."""

import logging
import secrets
from typing import NoReturn, TypeVar

import grpc
import peewee as pw
import psycopg
from bearpit.v1 import trading_pb2
from google.rpc import error_details_pb2, status_pb2

from bearpit_server.rules.refusals import Refused

DOMAIN = "bearpit"
DETAILS_KEY = "grpc-status-details-bin"
MAX_MESSAGE = 300
MAX_VALUE = 100
"""Characters. A refusal travels in headers, of which clients take 8 KB; it may quote what somebody sent."""

Q = TypeVar("Q")
R = TypeVar("R")

logger = logging.getLogger(__name__)
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_AWAY = (pw.OperationalError, pw.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


def refusal_of(error: Exception, method: str) -> Refused:
    """What to answer to an exception. A stray one is logged under a number; only that goes out."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, _AWAY):
        logger.warning("the database failed during %s: %s", method, error)
        return Refused("DATABASE_UNAVAILABLE", "the database cannot be reached; try again in a moment")
    incident = secrets.token_hex(4)
    logger.error("incident %s in %s", incident, method, exc_info=error)
    return Refused(
        "INTERNAL", f"a fault of ours; tell the operators this number: {incident}", incident=incident
    )


def as_message(refused: Refused) -> trading_pb2.Refusal:
    """A refusal as one result of many."""
    return trading_pb2.Refusal(
        code=refused.code,
        reason=f"REASON_{refused.reason}",
        message=refused.message,
        metadata=refused.metadata,
        field=refused.field,
    )


def details_of(refused: Refused) -> bytes:
    """A refusal as a serialized google.rpc.Status."""
    message = refused.message[:MAX_MESSAGE]
    metadata = {key: value[:MAX_VALUE] for key, value in refused.metadata.items()}
    status = status_pb2.Status(code=refused.code, message=message)
    info = error_details_pb2.ErrorInfo(reason=refused.reason, domain=DOMAIN, metadata=metadata)
    status.details.add().Pack(info)
    if refused.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=refused.field, description=message, reason=refused.reason
        )
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return bytes(status.SerializeToString())


async def abort(context: grpc.aio.ServicerContext[Q, R], refused: Refused) -> NoReturn:
    """End a call with a refusal."""
    await context.abort(
        _CODES[refused.code], refused.message[:MAX_MESSAGE], ((DETAILS_KEY, details_of(refused)),)
    )
