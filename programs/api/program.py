"""Programs: list them, create them, look at one, wait for it, steer it."""

from __future__ import annotations

from threading import BoundedSemaphore

from django.db import connections
from drf_spectacular.utils import OpenApiResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from programs import specification, submission
from programs.api import parameters, steering
from programs.api.endpoint import VIEW
from programs.api.errors import Invalid
from programs.api.listing import NAMES, Listing
from programs.api.permissions import require
from programs.api.query import next_url
from programs.api.representations import (
    AttemptPageSerializer,
    AwaitedSerializer,
    CreatedSerializer,
    ProgramDetailSerializer,
    ProgramHistorySerializer,
    ProgramPageSerializer,
)
from programs.api.schema import described
from programs.api.serializers import BulkCreationSerializer, CreationSerializer
from programs.conf import settings
from programs.errors import InvalidProgram

ADD = "programs.add_program"
LONGEST_WAIT = 60.0  # seconds
WAITING_AT_ONCE = 2  # requests of one process: each has a thread that can answer nothing else
CROWDED_WAIT = 0.5  # seconds, for those beyond
ATTEMPTS = 20  # on a page; each may hold a traceback and a log of 64 KiB
ATTEMPTS_AT_MOST = 50

_waiting = BoundedSemaphore(WAITING_AT_ONCE)


class ProgramEndpoint(steering.Steering):
    """Programs."""

    lookup_field = "run_id"
    lookup_value_regex = r"[^/\x00]+"
    permissions = {
        "list": (VIEW,),
        "create": (ADD,),
        "bulk_create": (ADD,),
        "retrieve": (VIEW,),
        "attempts": (VIEW,),
        "wait": (VIEW,),
        **steering.PERMISSIONS,
    }
    scopes = {"create": "programs.create", "bulk_create": "programs.create"}

    @described(parameters=parameters.LISTING, responses=ProgramPageSerializer)
    def list(self, request: Request) -> Response:
        """List programs, the newest first, without their data.

        A page looks at a bounded part of the table: what no index finds is looked for among the
        newest 50,000, and `searched_back_to` tells how far that reached.
        """
        query = self.query(*NAMES)
        page = Listing.parse(query).page(query.text("cursor"))
        found = {
            "results": page.programs,
            "next": next_url(request, page.older),
            "searched_back_to": page.searched_back_to,
        }
        return self.shown(ProgramPageSerializer, found)

    @described(
        parameters=[parameters.IDEMPOTENCY_KEY],
        request=CreationSerializer,
        responses={
            201: OpenApiResponse(ProgramDetailSerializer, "It is created."),
            200: OpenApiResponse(
                ProgramDetailSerializer, "It was created before, with the same key and content."
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """Create a program; with an idempotency key that is known, return the first one.

        It is stored even while the broker is down: workers find it in the database.
        """
        fields = self.body(CreationSerializer)
        fields.update(self.idempotency_key(fields))
        specification.refuse_internal(fields["jobs"])
        program = submission.create_program(**fields, created_by=self.by)
        if program.created_by != self.by:
            require(request, VIEW)  # it is another's, with what became of it since
        code = 201 if program.was_created else 200
        return self.shown(ProgramDetailSerializer, program, code)

    @described(
        request=BulkCreationSerializer,
        responses={201: OpenApiResponse(CreatedSerializer, "All of them are created.")},
    )
    @action(detail=False, methods=["post"], url_path="bulk-create")
    def bulk_create(self, request: Request) -> Response:
        """Create up to 1,000 programs in few statements: all of them, or none."""
        if "Idempotency-Key" in request.headers:
            raise Invalid("Idempotency-Key", "is for one program: give each its idempotency_key")
        wanted = self.body(BulkCreationSerializer)["programs"]
        for index, fields in enumerate(wanted):
            try:
                specification.refuse_internal(fields["jobs"])
            except InvalidProgram as error:
                raise error.inside(f"programs[{index}]") from error
        by = self.by
        try:
            created = submission.create_programs([{**each, "created_by": by} for each in wanted])
        except InvalidProgram as error:
            raise error.inside("programs") from error
        return self.shown(
            CreatedSerializer, {"run_ids": [program.run_id for program in created]}, 201
        )

    @described(responses=ProgramHistorySerializer)
    def retrieve(self, request: Request, run_id: str) -> Response:
        """Show a program with its data, why it waits, and its newest 50 attempts."""
        return self.shown(ProgramHistorySerializer, self.program(run_id))

    @described(
        parameters=[parameters.CURSOR, parameters.page_size(ATTEMPTS, ATTEMPTS_AT_MOST)],
        responses=AttemptPageSerializer,
    )
    @action(detail=True)
    def attempts(self, request: Request, run_id: str) -> Response:
        """List the attempts of a program, the newest first, with what their jobs logged."""
        query = self.query("cursor", "page_size")
        size = query.whole("page_size", least=1, most=ATTEMPTS_AT_MOST, usual=ATTEMPTS)
        older = query.whole("cursor", least=1, most=10**18 - 1, usual=10**18 - 1)
        rows = self.program(run_id).attempts.filter(pk__lt=older).order_by("-pk")
        found = list(rows[: size + 1])
        cursor = str(found[size - 1].pk) if len(found) > size else ""
        page = {"results": found[:size], "next": next_url(request, cursor)}
        return self.shown(AttemptPageSerializer, page)

    @described(parameters=[parameters.TIMEOUT], responses=AwaitedSerializer)
    @action(detail=True)
    def wait(self, request: Request, run_id: str) -> Response:
        """Answer when the program has ended, or after `timeout` seconds: `ended` tells which.

        Sooner where many wait at once: ask again while `ended` is false.
        """
        seconds = self.query("timeout").seconds("timeout", most=LONGEST_WAIT, usual=30.0)
        program = self.program(run_id)
        if connections[settings.DATABASE].in_atomic_block:
            seconds = 0.0  # the end would not be seen in it
        if _waiting.acquire(blocking=False):
            try:
                program.wait(seconds)
            finally:
                _waiting.release()
        else:
            program.wait(min(seconds, CROWDED_WAIT))
        return self.shown(AwaitedSerializer, self.program(run_id))
