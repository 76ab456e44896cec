"""The engine's errors, in the words of HTTP."""

from __future__ import annotations

import logging

from django.core.exceptions import RequestDataTooBig
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError

from programs.conf import settings
from programs.errors import IdempotencyConflict, InvalidProgram, OperationRefused
from programs.models.persistence import is_outage, note_failure

logger = logging.getLogger(__name__)


class Conflict(APIException):
    """The request is well formed; the state of the program, or of a key, does not allow it."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class TooLarge(APIException):
    """The body of the request is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."
    default_code = "too_large"


class Unavailable(APIException):
    """The database is away, read-only or full; it may be back in a moment."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database does not answer, or stores nothing, at the moment. Try again."
    default_code = "unavailable"
    wait = 5  # seconds: REST framework makes a Retry-After of it


def translated(error: Exception) -> Exception:
    """Return what the client is told of `error`; another error is returned as it is."""
    if isinstance(error, InvalidProgram):
        return ValidationError({encodable(error.field): [encodable(error.reason)]})
    if isinstance(error, (IdempotencyConflict, OperationRefused)):
        return Conflict(encodable(str(error)))
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if is_outage(error):
        return Unavailable()
    return error


def note_outage(error: Exception) -> None:
    """Log why the database failed, which the answer does not tell, and let the connection go."""
    reason = str(error).strip().partition("\n")[0]  # what follows may hold a statement's values
    logger.error(
        "the database failed a request: %s", reason, extra={"action": "database_unavailable"}
    )
    note_failure(settings.DATABASE)  # one to a server that was read-only would stay so


def encodable(text: str) -> str:
    """Return `text` without lone surrogates, which JSON can carry in and UTF-8 cannot out."""
    return text.encode("utf-8", "backslashreplace").decode()
