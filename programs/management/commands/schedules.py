"""`manage.py schedules`: list what starts programs by the clock."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from programs.conf import settings
from programs.inspection.visibility import SCHEDULE_FIELDS
from programs.legibility import in_one_line
from programs.management.command import OperatorCommand
from programs.management.report import json_line, moment
from programs.models import Schedule
from programs.models.persistence import brief_transaction
from programs.scheduling.telling import coming_ticks, explained

PAGE = 500  # schedules that are asked for at once


class Command(OperatorCommand):
    help = "List schedules, with when they tick next. Exit status: 0, also where there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--definition", metavar="NAME", help="those of one definition")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def act(self, *, definition: str | None, json: bool, **options: Any) -> None:
        rows = Schedule.objects.all() if definition is None else Schedule.objects.of(definition)
        last = 0
        while True:
            with brief_transaction(settings.DATABASE):
                found = list(rows.filter(pk__gt=last).order_by("pk")[:PAGE])
            for schedule in found:
                self.say(_json(schedule) if json else _line(schedule))
            if len(found) < PAGE:
                return
            last = found[-1].pk


def _json(schedule: Schedule) -> str:
    facts = {name: getattr(schedule, name) for name in SCHEDULE_FIELDS}
    return json_line({**facts, "explained": explained(schedule), "next": coming_ticks(schedule)})


def _line(schedule: Schedule) -> str:
    following = "paused" if schedule.is_paused else moment(schedule.next_at)
    cells = [
        str(schedule.pk).rjust(6),
        in_one_line(schedule.definition).ljust(24),
        following.ljust(19),
        in_one_line(explained(schedule)),
    ]
    return "  ".join(cells).rstrip()
