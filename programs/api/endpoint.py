"""What all endpoints share: how they check, answer and fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.viewsets import ViewSet

from programs.api.errors import (
    MEDIA_TYPE,
    Invalid,
    Unavailable,
    encodable,
    note_outage,
    problem_response,
    translated,
)
from programs.api.parsers import BoundedJSONParser
from programs.api.permissions import VIEW as VIEW
from programs.api.permissions import Permitted
from programs.api.query import Query
from programs.api.schema import Schema
from programs.api.throttles import Throttle
from programs.conf import settings
from programs.inspection import may_reveal
from programs.inspection.masks import restored, stray_masks
from programs.models import Program


class Endpoint(ViewSet):
    """Views that answer errors in one shape, and say of each action what it needs."""

    permissions: ClassVar[Mapping[str, tuple[str, ...]]]  # by action
    scopes: ClassVar[Mapping[str, str]] = {}  # of throttling, by action; or by method

    parser_classes = [BoundedJSONParser]
    permission_classes = [Permitted]
    throttle_classes = [Throttle]
    schema = Schema()

    def needed(self) -> tuple[str, ...]:
        """Return the permissions for what is asked; a method that is not there needs none."""
        if self.action in (None, "metadata"):
            return ()
        return self.permissions[self.action]

    @property
    def throttle_scope(self) -> str:
        is_reading = self.request.method in ("GET", "HEAD", "OPTIONS")
        usual = "programs.read" if is_reading else "programs.change"
        return self.scopes.get(self.action or "", usual)

    @property
    def by(self) -> str:
        """Return who does it, as operations record it: a project's users may be numbers."""
        return str(self.request.user.get_username())

    def body(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """Return the fields of the body, or refuse it."""
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        fields: dict[str, Any] = checked.validated_data
        return fields

    def query(self, *names: str) -> Query:
        """Return the query of the URL, in which only these names may be."""
        return Query(self.request.query_params, names)

    def shown(self, serializer: type[BaseSerializer[Any]], given: Any, code: int = 200) -> Response:
        """Answer with `given` as the serializer shows it to this user."""
        context = {"request": self.request}
        return Response(serializer(given, context=context).data, status=code)

    def program(self, run_id: str) -> Program:
        """Return the program, or answer that there is none."""
        program = Program.objects.using(settings.DATABASE).filter(run_id=run_id).first()
        if program is None:
            raise NotFound(encodable(f"There is no program with the run id {run_id!r:.300}."))
        return program

    def idempotency_key(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """Return the key of the header as a field, which must not say something else."""
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            return {}
        if fields.get("idempotency_key") not in (None, key):
            raise Invalid("idempotency_key", "differs from the header Idempotency-Key")
        return {"idempotency_key": key}

    def unmasked(self, stored_in: object, part: str, given: Any) -> Any:
        """Return data with the secrets that the user has seen as masks, as they are stored.

        `stored_in`: what has a `part`: a program, say.
        """
        if given is None or may_reveal(self.request.user):
            return given
        stored = getattr(stored_in, part)
        if stray := stray_masks(part, given, stored):
            raise Invalid(part, f"{stray[0]} is masked, and no secret is stored there")
        return restored(part, given, stored)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer in the project's language, whatever the browser of the caller prefers.

        What a program's data may be, and what listeners see, must not hang on who asks.
        """
        language = django_settings.LANGUAGE_CODE
        with translation.override(language):
            response = super().dispatch(request, *args, **kwargs)
        response.headers.setdefault("Content-Language", language)
        return response

    # Errors -----------------------------------------------------------------------------------

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return problem_response

    def handle_exception(self, exc: Exception) -> Response:
        told = translated(exc)
        if isinstance(told, Unavailable):
            note_outage(exc)
            # A page for a browser would ask the database who is there.
            self.request.accepted_renderer = JSONRenderer()
            self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(told)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        is_json = isinstance(getattr(final, "accepted_renderer", None), JSONRenderer)
        if final.exception and is_json:
            final.content_type = MEDIA_TYPE
        return final
