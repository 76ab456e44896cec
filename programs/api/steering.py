"""What operators do to a program, by the operations that console and command line share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from programs import bulk, operations
from programs.api.endpoint import VIEW, Endpoint
from programs.api.permissions import require
from programs.api.representations import ProgramDetailSerializer
from programs.api.schema import described
from programs.api.serializers import (
    EditSerializer,
    ReasonSerializer,
    RetrySerializer,
    SkipSerializer,
)
from programs.conf import settings
from programs.inspection import may_reveal
from programs.models import Program, Verb

DATA_PARTS = ("program_data", "job_data")
EDIT = "programs.edit_program_data"

PERMISSIONS = {
    "stop": (VIEW, "programs.stop_program"),
    "pause": (VIEW, "programs.pause_program"),
    "resume": (VIEW, "programs.pause_program"),
    "retry": (VIEW, "programs.retry_program"),
    "skip": (VIEW, "programs.skip_program_step"),
    "edit": (VIEW, EDIT),
}


class Steering(Endpoint):
    """The operations on one program. Each answers with the program as it is afterwards."""

    @described(request=ReasonSerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, run_id: str) -> Response:
        """Stop a program: a waiting one at once, a running one at its next checkpoint or step."""
        return self._do(operations.stop_program, run_id, self.body(ReasonSerializer))

    @described(request=ReasonSerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, run_id: str) -> Response:
        """Park a program until it is resumed; a job that runs now ends first."""
        return self._do(operations.pause_program, run_id, self.body(ReasonSerializer))

    @described(request=ReasonSerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, run_id: str) -> Response:
        """Undo a pause, and nothing else."""
        self._require_for(Verb.RESUME, run_id)
        return self._do(operations.resume_program, run_id, self.body(ReasonSerializer))

    @described(request=RetrySerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, run_id: str) -> Response:
        """Open an errored or stopped program again, from the step it ended at or another.

        With other data, which needs `programs.edit_program_data` as well, both happen or neither.
        """
        self._require_for(Verb.RETRY, run_id)
        fields = self.body(RetrySerializer)
        given = {part: fields.pop(part, None) for part in DATA_PARTS}
        if all(value is None for value in given.values()):
            return self._do(operations.retry_program, run_id, fields)
        require(request, EDIT)
        program = self.program(run_id)
        changes = self._changes(program, given)
        signed = {"reason": fields.get("reason", ""), "epoch": fields.get("epoch", program.epoch)}
        with transaction.atomic(using=settings.DATABASE):
            if changes and operations.is_allowed(Verb.RETRY, program):
                edited = operations.edit_data(run_id, by=self.by, **changes, **signed)
                fields["epoch"] = edited.epoch
            return self._do(operations.retry_program, run_id, fields)

    @described(request=SkipSerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, run_id: str) -> Response:
        """Go on behind the current step as if it had succeeded; a reason is required."""
        self._require_for(Verb.SKIP, run_id)
        return self._do(operations.skip_step, run_id, self.body(SkipSerializer))

    @described(request=EditSerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def edit(self, request: Request, run_id: str) -> Response:
        """Put other data in the place of what is stored, while no job of the program runs.

        A secret that came masked (`***`) and is sent back so stays as it is stored.
        """
        fields = self.body(EditSerializer)
        given = {part: fields.pop(part, None) for part in DATA_PARTS}
        if not may_reveal(request.user):
            program = self.program(run_id)
            fields.setdefault("epoch", program.epoch)  # these are its secrets, and no later ones
            given = {part: self.unmasked(program, part, own) for part, own in given.items()}
        return self._do(operations.edit_data, run_id, {**fields, **given})

    def _require_for(self, verb: Verb, run_id: str) -> None:
        """Ask for the permission of what a bulk operation does, before it is set going again."""
        if deed := bulk.deed_behind(verb, self.program(run_id)):
            require(self.request, PERMISSIONS[deed.value][1])

    def _do(self, operation: Callable[..., Program], run_id: str, fields: Any) -> Response:
        program = operation(run_id, by=self.by, **fields)
        return self.shown(ProgramDetailSerializer, program)

    def _changes(self, program: Program, given: dict[str, Any]) -> dict[str, Any]:
        """Return of the data what differs from what is stored."""
        whole = {part: self.unmasked(program, part, own) for part, own in given.items()}
        return {
            part: own
            for part, own in whole.items()
            if own is not None and own != getattr(program, part)
        }
