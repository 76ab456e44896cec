"""The schema: how an operation tells what it needs, and how it can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
)
from rest_framework import serializers

from programs.api.errors import MEDIA_TYPE, FieldError, problem
from programs.api.fields import StrictSerializer

ViewT = TypeVar("ViewT", bound=Callable[..., Any])

EVERYWHERE = {
    401: "Nobody is logged in, or the token is unknown or has expired.",
    403: "A permission is wanting: it is named. Or a session came without its CSRF token.",
    406: "The client accepts no form that the answer can have.",
    429: "Too many requests: try again after the seconds of `Retry-After`.",
    500: "The server failed.",
    503: "The database is away, read-only or full: try again after the seconds of `Retry-After`.",
}
INVALID = "A field is wrong: it is named, with what it should be."
MISSING = "There is nothing of this name."
WITH_BODY = {
    409: "The state does not allow it, or an idempotency key belongs to other content.",
    413: "The body is larger than `DATA_UPLOAD_MAX_MEMORY_SIZE`.",
    415: "The body is no JSON.",
}


class FieldErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField(
        allow_blank=True,
        help_text="Such as `jobs[0]` or `programs[3].queue`; empty: the body as a whole.",
    )
    message = serializers.CharField()


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A wrong field",
            problem(400, "jobs: is empty: name at least one job", [FieldError("jobs", "is empty")]),
            status_codes=["400"],
        ),
        OpenApiExample(
            "A state that does not allow it",
            problem(409, "program 0190d is finished: it cannot be stopped"),
            status_codes=["409"],
        ),
    ]
)
class ProblemSerializer(serializers.Serializer[Any]):
    """The details of a problem (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(allow_blank=True)
    errors: Any = FieldErrorSerializer(many=True)


class Schema(AutoSchema):
    """Adds to each operation the problems that it can answer with, and what it needs."""

    view: Any  # an Endpoint, which imports this

    def get_description(self) -> str:  # type: ignore[override]
        needed = " and ".join(f"`{permission}`" for permission in self.view.needed())
        return f"{super().get_description()}\n\nNeeds {needed}."

    def get_operation_id(self) -> str:
        return f"{self.view.basename}_{self.view.action}"

    def get_tags(self) -> list[str]:
        return [self.view.basename]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema: Any = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        response: Any = self._get_response_for_code  # untyped
        bodies = super()._get_response_bodies(direction)
        for code, meaning in sorted(self._problems().items()):
            told = OpenApiResponse(ProblemSerializer, description=meaning)
            bodies[str(code)] = response(told, str(code), [MEDIA_TYPE], direction)
        return bodies

    def _problems(self) -> dict[int, str]:
        problems = {400: INVALID, **EVERYWHERE}
        if "{" in self.path:
            problems[404] = MISSING
        if self.method == "DELETE":
            problems[409] = WITH_BODY[409]
        return problems | WITH_BODY if self.method in ("POST", "PATCH") else problems


def described(**told: Any) -> Callable[[ViewT], ViewT]:
    """Tell the schema of a view, as `extend_schema` does: by our `Schema`, and no setting's."""

    def decorate(view: ViewT) -> ViewT:
        view.kwargs = {"schema": Schema, **getattr(view, "kwargs", {})}  # type: ignore[attr-defined]
        return extend_schema(**told)(view)

    return decorate
