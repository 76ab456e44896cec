"""`manage.py importprograms`: take programs over from the table of Program Executor JS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connections

from programs import dialect
from programs.conf import settings
from programs.legibility import in_one_line
from programs.management.adopting import Adoption
from programs.management.arguments import name
from programs.management.command import WRONG, OperatorCommand
from programs.management.importing import Import
from programs.management.original_table import table
from programs.models import Program
from programs.models.columns import DEFAULT_QUEUE

IMPORTED = ("finished", "errored", "open, carried on")
LEFT_OUT = ("open, jobs unknown", "left out")
KINDS = (*IMPORTED, "here already", "open, left", *LEFT_OUT)


class Command(OperatorCommand):
    help = (
        "Copy programs from the table of Program Executor JS, run ids and all; what is here "
        "already is left alone. Those that are open stay Node's unless --open is given. Exit "
        "status: 0, or 1 where some cannot be imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from-table", default="programs", metavar="TABLE", help="default: programs"
        )
        parser.add_argument(
            "--from-database",
            metavar="ALIAS",
            help="the alias in DATABASES that holds it. Default: that of our own tables",
        )
        parser.add_argument(
            "--queue",
            type=name,
            default=DEFAULT_QUEUE,
            metavar="NAME",
            help=f"the queue of the programs here. Default: {DEFAULT_QUEUE}",
        )
        parser.add_argument(
            "--open",
            action="store_true",
            help="carry on the open ones here, at their step; first end Node's workers",
        )
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")

    def act(
        self,
        *,
        from_table: str,
        from_database: str | None,
        queue: str,
        dry_run: bool,
        **options: Any,
    ) -> None:
        alias = from_database or settings.DATABASE
        if alias not in connections:
            there = ", ".join(connections)
            raise CommandError(f"--from-database: there is no alias {alias!r}; there are {there}")
        if dialect.node_executes(queue):
            raise CommandError(f"--queue: {queue!r} is executed by Node: name one of Python's")
        work: Import | Adoption
        if alias == settings.DATABASE and from_table == Program._meta.db_table:
            self.note(f"{from_table!r} is our own table: what Node put there itself is looked at")
            work = Adoption(queue, take_open=options["open"], dry_run=dry_run)
        else:
            source = table(alias, from_table)
            work = Import(source, alias, queue, take_open=options["open"], dry_run=dry_run)
        for _ in work.run():
            self.show_progress(f"{work.tally.total():,} rows")
        if self.is_watched:
            self.note("")
        self._tell(work, dry_run=dry_run)

    def _tell(self, work: Import | Adoption, *, dry_run: bool) -> None:
        tally = work.tally
        for kind in KINDS:
            self.say(f"{kind}: {tally[kind]:,}")
        total = sum(tally[kind] for kind in IMPORTED)
        self.say(f"{total:,} programs {'would be ' if dry_run else ''}imported")
        if tally["open, left"]:
            self.note("open ones are left to Node: end its workers, then carry them on by --open")
        for reason in work.reasons:
            self.note(in_one_line(reason))
        if (more := tally["left out"] - len(work.reasons)) > 0:
            self.note(f"and {more:,} more are left out")
        for job, count in work.unknown.most_common():
            told = f"job {job!r} is not known here, and {count:,} open programs need it"
            self.note(in_one_line(told))
        if left := sum(tally[kind] for kind in LEFT_OUT):
            raise CommandError(f"{left:,} programs are not imported: see above", returncode=WRONG)
