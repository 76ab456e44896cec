"""Adopting what Node put into our own table, and of which no message has come, or is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from programs import specification
from programs.conf import settings
from programs.management.importing import KEPT
from programs.management.original_table import BATCH
from programs.models import Program
from programs.models.clock import Utc


class Adoption:
    """One look at the rows that Node inserted, and what became of each.

    They are here already, with all that has ended. Of the open ones nobody but the caller knows
    whether Node is about to run them.
    """

    def __init__(self, queue: str, *, take_open: bool, dry_run: bool) -> None:
        self._queue = queue
        self._take_open = take_open
        self._dry_run = dry_run
        self.tally: Counter[str] = Counter()
        self.reasons: list[str] = []
        self.unknown: Counter[str] = Counter()

    def run(self) -> Iterator[None]:
        """Go over all of them; yields after each batch."""
        nodes = Program.objects.adoptable().only("jobs", "step").order_by("pk")
        behind = nodes
        while found := list(behind[:BATCH]):
            known = [program.pk for program in found if self._take_open and self._is_known(program)]
            if not self._take_open:
                self.tally["open, left"] += len(found)
            elif self._dry_run:
                self.tally["open, carried on"] += len(known)
            else:
                same = Program.objects.adoptable().filter(pk__in=known)
                adopted = same.update(queue=self._queue, due_at=Utc(), updated_at=Utc())
                self.tally["open, carried on"] += adopted
            yield
            behind = nodes.filter(pk__gt=found[-1].pk)

    def _is_known(self, program: Program) -> bool:
        """Tell whether its jobs are known. Jobs that are no names end it, once it is run."""
        jobs = program.jobs if isinstance(program.jobs, list) else []
        names = {name for name in jobs[program.step :] if isinstance(name, str)}
        missing = specification.unknown_jobs(names, settings.DATABASE)
        self.tally["open, jobs unknown"] += bool(missing)
        self.unknown.update(missing if len(self.unknown) < KEPT else [])
        return not missing
