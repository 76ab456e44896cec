"""`manage.py createprogram`: create a program, and wait for its end where that is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from programs import specification, submission
from programs.conf import settings
from programs.management.arguments import read_data
from programs.management.command import ENDINGS
from programs.management.creation import CreationCommand
from programs.models.columns import DEFAULT_QUEUE
from programs.models.persistence import brief_transaction


class Command(CreationCommand):
    help = f"Create a program of these jobs, and print its run id. With --wait: {ENDINGS}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("jobs", nargs="+", metavar="JOB", help="in the order of their running")
        self.add_creation(parser, queue=DEFAULT_QUEUE, behind="the jobs")

    def act(
        self,
        *,
        jobs: list[str],
        data: str | None,
        job_data: str | None,
        queue: str,
        run_at: datetime | None,
        idempotency_key: str | None,
        by: str,
        wait: float | None,
        **options: Any,
    ) -> None:
        specification.refuse_internal(jobs)
        given = read_data(data, job_data)
        with brief_transaction(settings.DATABASE):
            program = submission.create_program(
                jobs,
                **given,
                queue=queue,
                run_at=run_at,
                idempotency_key=idempotency_key,
                created_by=by or None,
            )
        self.tell(program, wait)
