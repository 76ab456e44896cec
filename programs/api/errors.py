"""The engine's errors in the words of HTTP, and all errors in one shape: problem details."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.exceptions import RequestDataTooBig
from django.core.signals import got_request_exception
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler, set_rollback

from programs.conf import settings
from programs.errors import (
    IdempotencyConflict,
    InvalidInput,
    OperationRefused,
    ProgramNotFound,
    UnknownDefinition,
)
from programs.models.persistence import is_outage, note_failure

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"  # RFC 9457
TOLD = 3  # fields that the summary names


class FieldError(NamedTuple):
    """What is wrong with one field; an empty one is the body, or the request, as a whole."""

    field: str
    message: str


class Invalid(ValidationError):
    """A field, of the body or of the query, holds what cannot be; so may others."""

    def __init__(self, field: str, message: str, *more: tuple[str, str]) -> None:
        detail: dict[str, list[str]] = {}
        for name, reason in ((field, message), *more):
            detail.setdefault(encodable(name), []).append(encodable(reason))
        super().__init__(detail)


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


class Missing(PermissionDenied):
    """The user may not do this: a permission is wanting, and named."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"You need the permission {permission}.")


def translated(error: Exception) -> Exception:
    """Return what the client is told of `error`; another error is returned as it is."""
    if isinstance(error, InvalidInput):
        return Invalid(*error.errors[0], *error.errors[1:])
    if isinstance(error, (ProgramNotFound, UnknownDefinition)):
        return NotFound(encodable(str(error)))
    if isinstance(error, (IdempotencyConflict, OperationRefused)):
        return Conflict(encodable(str(error)))
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if is_outage(error):
        return Unavailable()
    return error


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error in the documented shape: the handler of all our views.

    None, with DEBUG, for an error that is ours: Django's page shows where it is.
    """
    response = exception_handler(error, context)
    if response is None:
        if django_settings.DEBUG:
            return None
        return _own_failure(error, context["request"])
    errors = list(_field_errors(error.detail)) if isinstance(error, ValidationError) else []
    detail = _summary(errors) if errors else str(response.data.get("detail", ""))
    response.data = problem(response.status_code, detail, errors)
    return response


def problem(code: int, detail: str, errors: list[FieldError] | None = None) -> dict[str, Any]:
    """Return the details of a problem."""
    return {
        "type": "about:blank",  # the status says it all
        "title": HTTPStatus(code).phrase,
        "status": code,
        "detail": encodable(detail),
        "errors": [each._asdict() for each in errors or ()],
    }


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


def _own_failure(error: Exception, request: Any) -> Response:
    """Answer for an error of ours as Django would: log it, and tell who reports errors."""
    set_rollback()
    logger.error(
        "the API failed: %s %s",
        request.method,
        request.path,
        exc_info=error,
        extra={"action": "api_failed", "status_code": 500, "request": request._request},
    )
    got_request_exception.send(sender=None, request=request._request)
    response = Response(problem(500, "The server failed; the error is logged."), status=500)
    response._has_been_logged = True  # type: ignore[attr-defined]  # (Django's own mark)
    return response


def _field_errors(detail: Any, place: str = "") -> Iterator[FieldError]:
    """Yield the errors that REST framework has nested as the fields are."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            if name == api_settings.NON_FIELD_ERRORS_KEY:
                yield from _field_errors(inner, place)
            elif isinstance(name, int):  # the index of an item
                yield from _field_errors(inner, f"{place}[{name}]")
            else:
                yield from _field_errors(inner, f"{place}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            is_nested = isinstance(inner, (dict, list))
            yield from _field_errors(inner, f"{place}[{index}]" if is_nested else place)
    else:
        yield FieldError(encodable(place), encodable(str(detail)))


def _summary(errors: list[FieldError]) -> str:
    told = "; ".join(f"{field}: {text}" if field else text for field, text in errors[:TOLD])
    return f"{told}; and {len(errors) - TOLD} more" if len(errors) > TOLD else told
