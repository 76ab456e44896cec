"""`manage.py showprogram`: all that is known of one program, or what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from programs.conf import settings
from programs.management.arguments import run_id as a_run_id
from programs.management.command import ENDINGS, OperatorCommand, find, tell_ending
from programs.management.following import follow
from programs.management.report import all_facts, description, json_line
from programs.models.persistence import brief_transaction


class Command(OperatorCommand):
    help = (
        "Show one program: its data with secrets masked, its steps, its attempts with what their "
        "jobs logged (-v 2: with tracebacks), and what operators did. "
        f"With --follow: {ENDINGS}."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run_id", type=a_run_id, metavar="RUN_ID")
        parser.add_argument("--json", action="store_true", help="as a JSON object in one line")
        parser.add_argument(
            "--follow",
            action="store_true",
            help="show what happens, job by job, until it has ended; with --json: then show it",
        )
        parser.add_argument("--reveal", action="store_true", help="do not mask secrets")

    def act(
        self, *, run_id: str, json: bool, follow: bool, reveal: bool, verbosity: int, **options: Any
    ) -> None:
        if follow:
            self._follow(run_id, quietly=json, tracebacks=verbosity > 1)
        with brief_transaction(settings.DATABASE):
            program = find(run_id)
            told: Iterable[str] = ()
            if json:
                told = [json_line(all_facts(program, reveal=reveal))]
            elif not follow:
                told = list(description(program, reveal=reveal, tracebacks=verbosity > 1))
        for line in told:
            self.say(line)
        if follow:
            tell_ending(program)

    def _follow(self, run_id: str, *, quietly: bool, tracebacks: bool) -> None:
        program = find(run_id)
        if quietly:
            program.wait()
        else:
            follow(program, self.say, tracebacks=tracebacks)
