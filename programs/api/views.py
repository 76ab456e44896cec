"""The views: thin, for `submission` and `operations` do the work."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from programs import operations, submission
from programs.api.errors import Unavailable, note_outage, translated
from programs.api.pagination import NewestFirst
from programs.api.parsers import BoundedJSONParser
from programs.api.permissions import MayStop, ProgramPermissions
from programs.api.serializers import (
    CreationSerializer,
    ProgramDetailSerializer,
    ProgramSerializer,
    ReasonSerializer,
)
from programs.models import Program


class ProgramViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Program]
):
    """Programs: list them, look one up, create one, stop one."""

    serializer_class = ProgramDetailSerializer
    parser_classes = [BoundedJSONParser]
    permission_classes = [ProgramPermissions]
    pagination_class = NewestFirst
    lookup_field = "run_id"
    lookup_value_regex = r"[^/\x00]+"

    def get_queryset(self) -> QuerySet[Program]:
        programs = Program.objects.all()
        return programs.defer("program_data", "job_data") if self.action == "list" else programs

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        serializers: dict[str, type[BaseSerializer[Any]]] = {
            "list": ProgramSerializer,
            "create": CreationSerializer,
            "stop": ReasonSerializer,
        }
        return serializers.get(self.action, ProgramDetailSerializer)

    def create(self, request: Request) -> Response:
        """Create a program; with an idempotency key that is known, return the first one."""
        fields = self.validated(request)
        submission.refuse_internal(fields["jobs"])
        program = submission.create_program(**fields, created_by=request.user.get_username())
        code = status.HTTP_201_CREATED if program.was_created else status.HTTP_200_OK
        return self.shown(program, code)

    @action(detail=True, methods=["post"], permission_classes=[MayStop])
    def stop(self, request: Request, run_id: str) -> Response:
        """Stop a program: a waiting one at once, a running one at its next checkpoint or step."""
        program = operations.stop_program(
            self.get_object(), by=request.user.get_username(), **self.validated(request)
        )
        return self.shown(program)

    def validated(self, request: Request) -> dict[str, Any]:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields: dict[str, Any] = serializer.validated_data
        return fields

    def shown(self, program: Program, code: int = status.HTTP_200_OK) -> Response:
        context = self.get_serializer_context()
        return Response(ProgramDetailSerializer(program, context=context).data, status=code)

    def handle_exception(self, exc: Exception) -> Response:
        told = translated(exc)
        if isinstance(told, Unavailable):
            note_outage(exc)
            # A page for a browser would ask the database who is there.
            self.request.accepted_renderer = JSONRenderer()
            self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(told)
