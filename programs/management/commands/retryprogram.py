"""`manage.py retryprogram`: open an errored or stopped program again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from programs import operations
from programs.errors import InvalidProgram
from programs.management.arguments import add_data, add_signature, count, read_data
from programs.management.arguments import run_id as a_run_id
from programs.management.command import OperatorCommand, find
from programs.management.report import jobs_of
from programs.management.steering import stands
from programs.models import Verb
from programs.models.persistence import brief_transaction


class Command(OperatorCommand):
    help = (
        "Open an errored or stopped program again, where it ended or from a step; with other data, "
        "if that is given. Exit status: 0 done, 1 refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run_id", type=a_run_id, metavar="RUN_ID")
        parser.add_argument(
            "--from-step",
            type=count,
            metavar="N",
            help="counted from 1, as the console and showprogram do; default: where it ended",
        )
        add_data(parser)
        add_signature(parser)

    def act(
        self,
        *,
        run_id: str,
        from_step: int | None,
        data: str | None,
        job_data: str | None,
        by: str,
        reason: str,
        **options: Any,
    ) -> None:
        program = find(run_id)
        steps = len(jobs_of(program))
        if from_step is not None and from_step > steps:
            raise InvalidProgram("from_step", f"must be 1 to {steps}, not {from_step}")
        edits = read_data(data, job_data, program)
        changes = {part: own for part, own in edits.items() if own != getattr(program, part)}
        signature: dict[str, Any] = {"by": by, "reason": reason}
        with brief_transaction(program.alias):  # both, or neither
            if changes and operations.is_allowed(Verb.RETRY, program):
                operations.edit_data(program, **changes, **signature, epoch=program.epoch)
            step = None if from_step is None else from_step - 1
            program = operations.retry_program(program, step, **signature)
        self.say(f"{stands(program)}, at step {program.step + 1}")
