"""`manage.py skipstep`: go on behind the current step of a program."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from programs import operations
from programs.conf import settings
from programs.management.arguments import add_signature
from programs.management.arguments import run_id as a_run_id
from programs.management.command import OperatorCommand
from programs.management.steering import stands
from programs.models.persistence import brief_transaction


class Command(OperatorCommand):
    help = (
        "Go on behind the current step of a program, as if it had succeeded. "
        "Exit status: 0 done, 1 refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run_id", type=a_run_id, metavar="RUN_ID")
        add_signature(parser, needs_reason=True)

    def act(self, *, run_id: str, by: str, reason: str, **options: Any) -> None:
        with brief_transaction(settings.DATABASE):
            program = operations.skip_step(run_id, reason=reason, by=by)
        self.say(stands(program))
