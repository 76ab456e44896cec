"""Schedules: list them, make them, steer them, and see what became of their ticks."""

from __future__ import annotations

from collections.abc import Callable

from drf_spectacular.utils import OpenApiResponse
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from programs import scheduling
from programs.api import parameters
from programs.api.endpoint import VIEW, Endpoint
from programs.api.query import next_url
from programs.api.recipes import (
    ScheduleDetailSerializer,
    SchedulePageSerializer,
    TickPageSerializer,
)
from programs.api.representations import ProgramDetailSerializer
from programs.api.schema import described
from programs.api.serializers import (
    ReasonSerializer,
    ScheduleBodySerializer,
    ScheduleChangeSerializer,
)
from programs.conf import settings
from programs.definition import AnyDefinition
from programs.models import Schedule

VIEW_SCHEDULE = "programs.view_schedule"
MANAGE = "programs.manage_schedules"
PAGE, MOST = 50, 200
NEWEST = 10**18 - 1
DATA_PARTS = ("program_data", "job_data")
LARGE = ("program__program_data", "program__job_data", "program__jobs")  # ticks do without


class ScheduleEndpoint(Endpoint):
    """Schedules."""

    lookup_field = "id"
    lookup_value_regex = r"[0-9]{1,18}"
    permissions = {
        "list": (VIEW_SCHEDULE,),
        "retrieve": (VIEW_SCHEDULE,),
        "ticks": (VIEW_SCHEDULE,),
        **dict.fromkeys(
            ("create", "partial_update", "destroy", "pause", "resume"), (VIEW_SCHEDULE, MANAGE)
        ),
        "run": (VIEW_SCHEDULE, MANAGE, VIEW),  # it answers with the program
    }

    @described(
        parameters=[
            parameters.parameter("definition", parameters.TEXT, "Those of this definition."),
            parameters.CURSOR,
            parameters.page_size(PAGE, MOST),
        ],
        responses=SchedulePageSerializer,
    )
    def list(self, request: Request) -> Response:
        """List schedules, the newest first, without their data."""
        query = self.query("definition", "cursor", "page_size")
        size = query.whole("page_size", least=1, most=MOST, usual=PAGE)
        older = query.whole("cursor", least=1, most=NEWEST, usual=NEWEST)
        rows = Schedule.objects.using(settings.DATABASE).filter(pk__lt=older).order_by("-pk")
        if definition := query.text("definition"):
            rows = rows.filter(definition=definition)
        found = [*rows[: size + 1]]
        cursor = str(found[size - 1].pk) if len(found) > size else ""
        page = {"results": found[:size], "next": next_url(request, cursor)}
        return self.shown(SchedulePageSerializer, page)

    @described(
        request=ScheduleBodySerializer,
        responses={201: OpenApiResponse(ScheduleDetailSerializer, "It is made.")},
    )
    def create(self, request: Request) -> Response:
        """Make a schedule of a definition: it ticks from now on."""
        fields = self.body(ScheduleBodySerializer)
        nothing = AnyDefinition("", [])
        for part in DATA_PARTS:
            fields[part] = self.unmasked(nothing, part, fields.get(part))
        schedule = scheduling.create_schedule(**fields, by=self.by)
        return self.shown(ScheduleDetailSerializer, schedule, 201)

    @described(responses=ScheduleDetailSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Show a schedule with its data and its next five ticks."""
        return self.shown(ScheduleDetailSerializer, self._found(id))

    @described(request=ScheduleChangeSerializer, responses=ScheduleDetailSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a schedule; where its moments change, the next tick is counted from now.

        A secret that came masked (`***`) and is sent back so stays as it is stored.
        """
        schedule = self._found(id)
        fields = self.body(ScheduleChangeSerializer)
        for part in DATA_PARTS:
            if part in fields:
                fields[part] = self.unmasked(schedule, part, fields[part])
        return self._steered(scheduling.change_schedule(schedule, **fields, by=self.by))

    @described(
        parameters=[parameters.REASON],
        responses={204: OpenApiResponse(None, "It is deleted.")},
    )
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a schedule with the history of its ticks; the programs that it started stay."""
        reason = self.query("reason").text("reason")
        scheduling.delete_schedule(self._found(id), by=self.by, reason=reason)
        return Response(status=204)

    @described(request=ReasonSerializer, responses=ScheduleDetailSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, id: str) -> Response:
        """Let it tick no more; a tick that waits for an earlier program is skipped."""
        return self._do(scheduling.pause_schedule, id)

    @described(request=ReasonSerializer, responses=ScheduleDetailSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, id: str) -> Response:
        """Let it tick again from now on; what the pause left out is not caught up."""
        return self._do(scheduling.resume_schedule, id)

    @described(
        request=ReasonSerializer,
        responses={201: OpenApiResponse(ProgramDetailSerializer, "The program is created.")},
    )
    @action(detail=True, methods=["post"])
    def run(self, request: Request, id: str) -> Response:
        """Start a program now, beside those that are open; its moments stay as they are."""
        fields = self.body(ReasonSerializer)
        program = scheduling.run_schedule(self._found(id), by=self.by, **fields)
        return self.shown(ProgramDetailSerializer, program, 201)

    @described(
        parameters=[parameters.CURSOR, parameters.page_size(PAGE, MOST)],
        responses=TickPageSerializer,
    )
    @action(detail=True)
    def ticks(self, request: Request, id: str) -> Response:
        """List what became of its ticks, the newest first. The last 1,000 are kept."""
        query = self.query("cursor", "page_size")
        size = query.whole("page_size", least=1, most=MOST, usual=PAGE)
        older = query.whole("cursor", least=1, most=NEWEST, usual=NEWEST)
        rows = self._found(id).ticks.filter(pk__lt=older).select_related("program")
        found = [*rows.defer(*LARGE).order_by("-pk")[: size + 1]]
        cursor = str(found[size - 1].pk) if len(found) > size else ""
        page = {"results": found[:size], "next": next_url(request, cursor)}
        return self.shown(TickPageSerializer, page)

    def _found(self, id: str) -> Schedule:
        schedule = Schedule.objects.using(settings.DATABASE).filter(pk=id).first()
        if schedule is None:
            raise NotFound(f"There is no schedule {id}.")
        return schedule

    def _do(self, operation: Callable[..., Schedule], id: str) -> Response:
        fields = self.body(ReasonSerializer)
        return self._steered(operation(self._found(id), by=self.by, **fields))

    def _steered(self, schedule: Schedule) -> Response:
        return self.shown(ScheduleDetailSerializer, schedule)
