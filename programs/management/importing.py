"""Taking programs over from the table of Program Executor JS.

What has ended is copied. What is open is carried on here only where that is asked for, and then it
is taken from Node in its own way: it throws away what has errored. A copy that is due at no time is
made first, then the original is marked, then the copy is made due. Whatever dies in between, the
next import goes on from there, and at no time can both execute it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

from django.db import IntegrityError, transaction

from programs import specification
from programs.conf import settings
from programs.errors import OperationRefused
from programs.management.original_table import Row, Unfit, as_program, batches, is_open
from programs.models import Program
from programs.models.clock import Utc
from programs.models.program import ProgramQuerySet

BY = "importprograms"
# What stands in the original's row, so that no later import takes it for its error.
MARK = "carried on by Program Executor for Django"
KEPT = 20  # reasons, and names of unknown jobs, that are told


class Import:
    """One run of the import, and what became of each row."""

    def __init__(
        self, source: type[Row], alias: str, queue: str, *, take_open: bool, dry_run: bool
    ) -> None:
        self._source = source
        self._alias = alias
        self._queue = queue
        self._take_open = take_open
        self._dry_run = dry_run
        self._using = settings.DATABASE
        self.tally: Counter[str] = Counter()
        self.reasons: list[str] = []  # the first of those why rows were left out
        self.unknown: Counter[str] = Counter()  # names of jobs, and how many programs wait for them

    def run(self) -> Iterator[None]:
        """Go over all rows; yields after each batch."""
        for rows in batches(self._source, self._alias):
            # In one database all of a batch is done, or nothing.
            is_same = self._alias == self._using and not self._dry_run
            with transaction.atomic(using=self._using) if is_same else nullcontext():
                self._take(rows)
            yield

    def _take(self, rows: Sequence[Row]) -> None:
        fitting = self._fitting(rows)
        here = set(self._here(fitting).values_list("run_id", flat=True))
        begun = set(self._begun(fitting).values_list("run_id", flat=True))
        ended: list[Program] = []
        carried: list[Row] = []
        for run_id, (row, program) in fitting.items():
            if _is_marked(row):
                if run_id in begun:
                    carried.append(row)
                else:
                    self.tally["here already"] += 1
            elif run_id in here and run_id not in begun:
                self.tally["here already"] += 1
            elif not is_open(row):
                ended.append(program)
            elif not self._take_open:
                self.tally["open, left"] += 1
            elif self._is_known(program):
                carried.append(row)
        for program in ended:
            self.tally["finished" if program.finished_at is not None else "errored"] += 1
        self.tally["open, carried on"] += len(carried)
        if self._dry_run:
            return
        waiting = [fitting[str(row.run_id)][1] for row in carried]
        self._create([each for each in (*ended, *waiting) if each.run_id not in begun])
        self._end([each for each in ended if each.run_id in begun])
        self._carry_on(carried)

    def _fitting(self, rows: Sequence[Row]) -> dict[str, tuple[Row, Program]]:
        """Return those that can be stored here, by their run ids; the others are noted."""
        found: dict[str, tuple[Row, Program]] = {}
        for row in rows:
            try:
                program = as_program(row, self._queue, self._using)
                if program.run_id in found:
                    raise Unfit("another row has this run_id")
            except Unfit as error:
                self._leave_out(row, str(error))
            else:
                program.created_by = BY
                found[program.run_id] = (row, program)
        return found

    def _leave_out(self, row: Row, reason: str) -> None:
        self.tally["left out"] += 1
        if len(self.reasons) < KEPT:
            self.reasons.append(f"row {row.pk}, run id {str(row.run_id)[:255]}: {reason}")

    def _is_known(self, program: Program) -> bool:
        """Tell whether its remaining jobs are known; else it stays where it is."""
        missing = specification.unknown_jobs(program.jobs[program.step :], self._using)
        self.tally["open, jobs unknown"] += bool(missing)
        for name in missing:
            if name in self.unknown or len(self.unknown) < KEPT:
                self.unknown[name] += 1
        return not missing

    # Writing -----------------------------------------------------------------------------------

    def _here(self, run_ids: Sequence[str] | dict[str, tuple[Row, Program]]) -> ProgramQuerySet:
        return Program.objects.using(self._using).filter(run_id__in=list(run_ids)).order_by()

    def _begun(self, run_ids: Sequence[str] | dict[str, tuple[Row, Program]]) -> ProgramQuerySet:
        """Those that an import copied and has not made due yet."""
        untouched = self._here(run_ids).open().unclaimed().filter(due_at=None, paused_at=None)
        return untouched.filter(created_by=BY, epoch=0)

    def _create(self, programs: Sequence[Program]) -> None:
        try:
            with transaction.atomic(using=self._using):
                Program.objects.using(self._using).bulk_create(programs)
        except IntegrityError as error:
            told = "another import has copied the same rows meanwhile: let it end, and run it again"
            raise OperationRefused(told) from error

    def _end(self, programs: Sequence[Program]) -> None:
        """End copies that were begun while Node still ran them: it has ended them since."""
        for program in programs:
            self._begun([program.run_id]).update(
                step=program.step,
                job_data=program.job_data,
                finished_at=program.finished_at,
                errored_at=program.errored_at,
                error_message=program.error_message,
            )

    def _carry_on(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        same = self._source._default_manager.using(self._alias).filter(
            pk__in=[row.pk for row in rows]
        )
        still_open = same.filter(finished_at__isnull=True, errored_at__isnull=True)
        still_open.update(errored_at=Utc(), error_message=MARK)
        # Read anew: Node may have gone on until the mark was set, or have ended it before.
        for row in same:
            program = as_program(row, self._queue, self._using)
            if _is_marked(row):
                self._begun([program.run_id]).update(
                    step=program.step,
                    step_retry_count=program.step_retry_count,
                    job_data=program.job_data,
                    due_at=Utc(),
                )
            else:
                self._end([program])


def _is_marked(row: Row) -> bool:
    return row.errored_at is not None and row.error_message == MARK
