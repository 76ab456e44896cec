"""`manage.py definitions`: list what programs can be started from."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from programs.conf import settings
from programs.definition import AnyDefinition, definitions
from programs.legibility import in_one_line
from programs.management.command import OperatorCommand
from programs.management.report import json_line
from programs.models.persistence import brief_transaction
from programs.specification import unknown_jobs

FIELDS = ("name", "description", "jobs", "queue", "is_in_code", "is_shadowed")


class Command(OperatorCommand):
    help = "List definitions, by name: those in code and those of operators. Exit status: 0."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def act(self, *, json: bool, **options: Any) -> None:
        with brief_transaction(settings.DATABASE):
            found = definitions()
            names = {name for definition in found for name in definition.jobs}
            unknown = set(unknown_jobs(names, settings.DATABASE))
        for definition in found:
            missing = sorted(unknown & set(definition.jobs))
            self.say(_line(definition, missing) if json is False else _json(definition, missing))


def _json(definition: AnyDefinition, missing: list[str]) -> str:
    facts = {name: getattr(definition, name) for name in FIELDS}
    return json_line({**facts, "missing_jobs": missing})


def _line(definition: AnyDefinition, missing: list[str]) -> str:
    where = "in code" if definition.is_in_code else "of operators"
    told = in_one_line(definition.description.partition("\n")[0])
    if definition.is_shadowed:
        told = "hidden: one in code has the same name"
    elif missing:
        told = f"does not start: nobody knows its job {in_one_line(missing[0])}"
    cells = [
        in_one_line(definition.name).ljust(24),
        where.ljust(12),
        f"{len(definition.jobs)} jobs".ljust(9),
        in_one_line(definition.queue).ljust(12),
        told,
    ]
    return "  ".join(cells).rstrip()
