"""`manage.py programs`: list programs, the newest first, with the filters of the console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser

from programs.conf import settings
from programs.inspection import Selection
from programs.management.arguments import count
from programs.management.command import OperatorCommand
from programs.management.report import facts, json_line, moment, row
from programs.models import Program, State
from programs.models.persistence import brief_transaction

PAGE = 100  # programs that are asked for at once


class Command(OperatorCommand):
    help = "List programs, the newest first. Exit status: 0, also where there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--state", choices=State.values)
        parser.add_argument("--q", metavar="TEXT", help="in error, creator, run id or job names")
        parser.add_argument("--queue")
        parser.add_argument("--job", help="the name of one of its jobs")
        parser.add_argument("--definition", help="the name of what it was started from")
        parser.add_argument("--worker", help="the name of the worker that holds it now")
        parser.add_argument(
            "--since",
            metavar="MOMENT",
            help="when it was created, or came into --state: 2026-11-24 or 2026-11-24T14:30",
        )
        parser.add_argument("--until", metavar="MOMENT", help="likewise; a day is meant whole")
        parser.add_argument("--limit", type=count, default=20, metavar="N", help="default: 20")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def act(self, *, limit: int, json: bool, **options: Any) -> None:
        selection = Selection.parse(options)
        for program in self._found(selection, limit):
            self.say(json_line(facts(program)) if json else row(program, selection.moment))

    def _found(self, selection: Selection, limit: int) -> Iterator[Program]:
        older, left = "", limit
        while left:
            with brief_transaction(settings.DATABASE):
                page = selection.page(min(left, PAGE), older)
            yield from page.programs
            left -= len(page.programs)
            older = page.older
            if not older:
                return
            if page.searched_back_to is not None and left and self.is_watched:
                self.note(f"searched back to {moment(page.searched_back_to)}, going on …")
        self.note(f"there may be more than these {limit}: see --limit")
