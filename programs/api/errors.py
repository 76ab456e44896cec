"""The engine's errors, in the words of HTTP."""

from __future__ import annotations

from django.core.exceptions import RequestDataTooBig
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError

from programs.errors import IdempotencyConflict, InvalidProgram, OperationRefused


class Conflict(APIException):
    """The request is well formed; the state of the program, or of a key, does not allow it."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class TooLarge(APIException):
    """The body of the request is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."
    default_code = "too_large"


def translated(error: Exception) -> Exception:
    """Return what the client is told of `error`; another error is returned as it is."""
    if isinstance(error, InvalidProgram):
        return ValidationError({encodable(error.field): [encodable(error.reason)]})
    if isinstance(error, (IdempotencyConflict, OperationRefused)):
        return Conflict(encodable(str(error)))
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    return error


def encodable(text: str) -> str:
    """Return `text` without lone surrogates, which JSON can carry in and UTF-8 cannot out."""
    return text.encode("utf-8", "backslashreplace").decode()
