"""What operators do to a program, by the operations that console and command line share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from programs import operations
from programs.api.endpoint import VIEW, Endpoint
from programs.api.errors import Invalid
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
from programs.inspection.masks import restored, stray_masks
from programs.models import Program

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
        return self._do(operations.resume_program, run_id, self.body(ReasonSerializer))

    @described(request=RetrySerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, run_id: str) -> Response:
        """Open an errored or stopped program again, from the step it ended at or another.

        With other data, which needs `programs.edit_program_data` as well, both happen or neither.
        """
        fields = self.body(RetrySerializer)
        edited = {part: fields.pop(part, None) for part in DATA_PARTS}
        if all(value is None for value in edited.values()):
            return self._do(operations.retry_program, run_id, fields)
        require(request, EDIT)
        signed = {name: own for name, own in fields.items() if name != "from_step"}
        with transaction.atomic(using=settings.DATABASE):
            changed = self._edit(run_id, {**signed, **edited})
            return self._do(operations.retry_program, run_id, {**fields, "epoch": changed.epoch})

    @described(request=SkipSerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, run_id: str) -> Response:
        """Go on behind the current step as if it had succeeded; a reason is required."""
        return self._do(operations.skip_step, run_id, self.body(SkipSerializer))

    @described(request=EditSerializer, responses=ProgramDetailSerializer)
    @action(detail=True, methods=["post"])
    def edit(self, request: Request, run_id: str) -> Response:
        """Put other data in the place of what is stored, while no job of the program runs.

        A secret that came masked (`***`) and is sent back so stays as it is stored.
        """
        program = self._edit(run_id, self.body(EditSerializer))
        return self.shown(ProgramDetailSerializer, program)

    def _do(self, operation: Callable[..., Program], run_id: str, fields: Any) -> Response:
        program = operation(run_id, by=self.by, **fields)
        return self.shown(ProgramDetailSerializer, program)

    def _edit(self, run_id: str, fields: dict[str, Any]) -> Program:
        """Store the data with the secrets that the user has seen as masks."""
        given = [part for part in DATA_PARTS if fields.get(part) is not None]
        if given and not may_reveal(self.request.user):
            program = self.program(run_id)
            fields.setdefault("epoch", program.epoch)  # these are its secrets, and no later ones
            for part in given:
                stored = getattr(program, part)
                if stray := stray_masks(part, fields[part], stored):
                    raise Invalid(part, f"{stray[0]} is masked, and no secret is stored there")
                fields[part] = restored(part, fields[part], stored)
        return operations.edit_data(run_id, by=self.by, **fields)
