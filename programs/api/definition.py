"""Definitions: list them, make them, look at one, and start programs from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from programs import definition as engine
from programs import specification
from programs.api import parameters
from programs.api.endpoint import VIEW, Endpoint
from programs.api.errors import Conflict, Invalid, encodable
from programs.api.permissions import require
from programs.api.query import next_url
from programs.api.recipes import DefinitionDetailSerializer, DefinitionPageSerializer
from programs.api.representations import ProgramDetailSerializer, ProgramPageSerializer
from programs.api.schema import described
from programs.api.serializers import (
    DefinitionBodySerializer,
    DefinitionChangeSerializer,
    StartSerializer,
)
from programs.conf import settings
from programs.definition.code import registered_definitions
from programs.errors import InvalidProgram
from programs.inspection import Selection
from programs.models import Definition

VIEW_DEFINITION = "programs.view_definition"
PAGE, MOST = 50, 200
NEWEST = 10**18 - 1
DATA_PARTS = ("program_data", "job_data")


class DefinitionEndpoint(Endpoint):
    """Definitions."""

    lookup_field = "name"
    lookup_value_regex = r"[^/\x00]+"
    permissions = {
        "list": (VIEW_DEFINITION,),
        "create": (VIEW_DEFINITION, "programs.add_definition"),
        "retrieve": (VIEW_DEFINITION,),
        "partial_update": (VIEW_DEFINITION, "programs.change_definition"),
        "destroy": (VIEW_DEFINITION, "programs.delete_definition"),
        "start": (VIEW_DEFINITION, "programs.start_definition"),
        "runs": (VIEW_DEFINITION, VIEW),
    }
    scopes = {"start": "programs.create"}

    @described(
        parameters=[parameters.CURSOR, parameters.page_size(PAGE, MOST)],
        responses=DefinitionPageSerializer,
    )
    def list(self, request: Request) -> Response:
        """List definitions, without their data.

        The first page begins with all that stand in code, by name, whatever its size; those that
        operators made follow, the newest first.
        """
        query = self.query("cursor", "page_size")
        size = query.whole("page_size", least=1, most=MOST, usual=PAGE)
        older = query.whole("cursor", least=1, most=NEWEST, usual=NEWEST)
        in_code = registered_definitions()
        rows = Definition.objects.using(settings.DATABASE).filter(pk__lt=older).order_by("-pk")
        found = [*rows[: size + 1]]
        stored = [
            engine.StoredDefinition.of(row, is_shadowed=row.name in in_code) for row in found[:size]
        ]
        results = [*(in_code.values() if older == NEWEST else ()), *stored]
        cursor = str(found[size - 1].pk) if len(found) > size else ""
        page = {"results": results, "next": next_url(request, cursor)}
        return self._shown(DefinitionPageSerializer, page, results)

    @described(
        request=DefinitionBodySerializer,
        responses={201: OpenApiResponse(DefinitionDetailSerializer, "It is made.")},
    )
    def create(self, request: Request) -> Response:
        """Make a definition. Data that it lacks is to be given at the start."""
        fields = self.body(DefinitionBodySerializer)
        for part in DATA_PARTS:
            self.unmasked(engine.AnyDefinition("", []), part, fields.get(part))
        row = engine.save_definition(**fields, by=self.by)
        return self._detail(engine.StoredDefinition.of(row), 201)

    @described(responses=DefinitionDetailSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """Show a definition with its data, and what became of its last programs."""
        return self._detail(self._found(name))

    @described(request=DefinitionChangeSerializer, responses=DefinitionDetailSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change a definition that an operator made; no program that exists changes.

        A secret that came masked (`***`) and is sent back so stays as it is stored.
        """
        row = self._row(name)
        fields = self.body(DefinitionChangeSerializer)
        given = {part: self.unmasked(row, part, fields.pop(part, None)) for part in DATA_PARTS}
        changed = engine.change_definition(row, **fields, **given, by=self.by)
        return self._detail(engine.StoredDefinition.of(changed))

    @described(
        parameters=[parameters.REASON],
        responses={204: OpenApiResponse(None, "It is deleted.")},
    )
    def destroy(self, request: Request, name: str) -> Response:
        """Delete a definition that an operator made, unless it has schedules.

        The programs that were started from it stay, and keep its name.
        """
        reason = self.query("reason").text("reason")
        engine.delete_definition(self._row(name), by=self.by, reason=reason)
        return Response(status=204)

    @described(
        parameters=[parameters.IDEMPOTENCY_KEY],
        request=StartSerializer,
        responses={
            201: OpenApiResponse(ProgramDetailSerializer, "The program is created."),
            200: OpenApiResponse(
                ProgramDetailSerializer, "It was created before, with the same key and content."
            ),
        },
    )
    @action(detail=True, methods=["post"])
    def start(self, request: Request, name: str) -> Response:
        """Start a program; with an idempotency key that is known, return the first one.

        What is given is merged over the data of the definition, key by key; job data likewise, for
        each job by itself.
        """
        definition = self._found(name)
        fields = self.body(StartSerializer)
        fields.update(self.idempotency_key(fields))
        given = {
            part: self.unmasked(definition, part, fields.pop(part, None)) for part in DATA_PARTS
        }
        program = engine.start_program(name, **fields, **given, created_by=self.by)
        if program.created_by != self.by:
            require(request, VIEW)  # it is another's, with what became of it since
        code = 201 if program.was_created else 200
        return self.shown(ProgramDetailSerializer, program, code)

    @described(
        parameters=[parameters.CURSOR, parameters.page_size(PAGE, MOST)],
        responses=ProgramPageSerializer,
    )
    @action(detail=True)
    def runs(self, request: Request, name: str) -> Response:
        """List the programs that were started from a definition, the newest first.

        The list of programs takes `definition` among other filters, also of one that is gone.
        """
        query = self.query("cursor", "page_size")
        size = query.whole("page_size", least=1, most=MOST, usual=PAGE)
        selection = Selection(definition=self._found(name).name)
        try:
            page = selection.page(size, query.text("cursor"), settings.DATABASE)
        except InvalidProgram as error:
            raise Invalid("cursor", error.reason) from error
        found = {
            "results": page.programs,
            "next": next_url(request, page.older),
            "searched_back_to": page.searched_back_to,
        }
        return self.shown(ProgramPageSerializer, found)

    def _found(self, name: str) -> engine.AnyDefinition:
        definition = engine.find_definition(name, settings.DATABASE)
        if definition is None:
            raise NotFound(encodable(f"There is no definition named {name!r:.300}."))
        return definition

    def _row(self, name: str) -> Definition:
        """Return what an operator made, also where one in code hides it."""
        rows = Definition.objects.using(settings.DATABASE).filter(name=name)
        for row in rows:
            if row.name == name:  # some databases compare without regard to case
                return row
        self._found(name)
        raise Conflict(f"Definition {name} stands in code: change it there.")

    def _detail(self, definition: engine.AnyDefinition, code: int = 200) -> Response:
        return self._shown(DefinitionDetailSerializer, definition, [definition], code)

    def _shown(
        self,
        serializer: type[Any],
        given: Any,
        definitions: Sequence[engine.AnyDefinition],
        code: int = 200,
    ) -> Response:
        """Answer, having asked once for all which of the jobs have vanished."""
        names = {name for definition in definitions for name in definition.jobs}
        unknown = specification.unknown_jobs(names, settings.DATABASE)
        context = {"request": self.request, "unknown": set(unknown)}
        return Response(serializer(given, context=context).data, status=code)
