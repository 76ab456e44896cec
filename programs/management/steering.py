"""What the commands share that do one thing to some programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from programs.conf import settings
from programs.errors import OperationRefused, ProgramNotFound
from programs.legibility import legible
from programs.management.arguments import add_signature, run_id
from programs.management.command import OperatorCommand
from programs.models import Program
from programs.models.persistence import brief_transaction


class SteeringCommand(OperatorCommand):
    """Does `deed` to each of the programs that are named; one that is refused hinders no other."""

    status: ClassVar = "Exit status: 0 done, 1 refused for one of them, at least."
    deed: ClassVar[Callable[..., Program]]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run_ids", nargs="+", type=run_id, metavar="RUN_ID")
        add_signature(parser)

    def act(self, *, run_ids: list[str], by: str, reason: str, **options: Any) -> None:
        refusals = []
        for each in dict.fromkeys(run_ids):
            try:
                with brief_transaction(settings.DATABASE):
                    program = type(self).deed(each, by=by, reason=reason)
            except (OperationRefused, ProgramNotFound) as refusal:
                refusals.append(legible(refusal))
            else:
                self.say(stands(program))
        if refusals:
            raise CommandError("\n".join(refusals))


def stands(program: Program) -> str:
    """Tell how a program is once something was done to it."""
    return legible(f"program {program} is {program.state.label} now")
