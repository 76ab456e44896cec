"""`manage.py startprogram`: start a program from a definition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from programs.conf import settings
from programs.definition import start_program
from programs.errors import InvalidProgram
from programs.inspection.masks import stray_masks
from programs.management.arguments import STRAY_MASK, assignment, read_data
from programs.management.command import ENDINGS, OPTIONS
from programs.management.creation import CreationCommand
from programs.models.persistence import brief_transaction


class Command(CreationCommand):
    help = (
        "Start a program from a definition, with other data where that is given, and print its "
        f"run id. With --wait: {ENDINGS}."
    )
    named = {**OPTIONS, "jobs": "NAME"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="of the definition")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            type=assignment,
            metavar="KEY=VALUE",
            help="of what all jobs see, over --data; VALUE is JSON or a text. As often as you like",
        )
        self.add_creation(parser, queue=None, behind="the name")

    def act(
        self,
        *,
        name: str,
        set: Sequence[tuple[str, Any]],
        data: str | None,
        job_data: str | None,
        queue: str | None,
        run_at: datetime | None,
        idempotency_key: str | None,
        by: str,
        wait: float | None,
        **options: Any,
    ) -> None:
        given = read_data(data, job_data)
        if set:
            given["program_data"] = _with(given.get("program_data", {}), dict(set))
        with brief_transaction(settings.DATABASE):
            program = start_program(
                name,
                **given,
                queue=queue,
                run_at=run_at,
                idempotency_key=idempotency_key,
                created_by=by or None,
            )
        self.tell(program, wait)


def _with(program_data: Any, assigned: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(program_data, dict):
        raise InvalidProgram("program_data", "must be a JSON object, for --set to be put into it")
    if stray := stray_masks("program_data", assigned, {}):
        raise InvalidProgram("set", STRAY_MASK.format(stray[0]))
    return {**program_data, **assigned}
