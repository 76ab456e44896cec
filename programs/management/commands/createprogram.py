"""`manage.py createprogram`: create a program, and wait for its end where that is asked for."""

from __future__ import annotations

from datetime import datetime
from math import inf
from typing import Any

from django.core.management.base import CommandParser

from programs import submission
from programs.conf import settings
from programs.management.arguments import add_by, add_data, moment, read_data, seconds
from programs.management.command import ENDINGS, OperatorCommand, tell_ending
from programs.management.following import follow
from programs.models.columns import DEFAULT_QUEUE
from programs.models.persistence import brief_transaction


class Command(OperatorCommand):
    help = f"Create a program of these jobs, and print its run id. With --wait: {ENDINGS}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("jobs", nargs="+", metavar="JOB", help="in the order of their running")
        add_data(parser)
        parser.add_argument("--queue", default=DEFAULT_QUEUE, help=f"default: {DEFAULT_QUEUE}")
        parser.add_argument(
            "--run-at", type=moment, metavar="MOMENT", help="not before, as 2030-01-31T12:00:00Z"
        )
        parser.add_argument(
            "--idempotency-key",
            metavar="KEY",
            help="the same key and content again: the first program's run id, and no second one",
        )
        add_by(parser)
        parser.add_argument(
            "--wait",
            nargs="?",
            type=seconds,
            const=inf,
            metavar="SECONDS",
            help="until it has ended, for SECONDS at most; to be given behind the jobs",
        )

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
        submission.refuse_internal(jobs)
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
        self.say(program.run_id)
        if not program.was_created:
            self.note(f"program {program} was there already, with this key and content")
        if wait is None:
            return
        if self.is_watched:
            follow(program, self.note, timeout=wait)
        else:
            program.wait(wait)
        tell_ending(program)
