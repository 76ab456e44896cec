"""For the tests of projects that use Program Executor: programs run in the test's own thread.

No worker is needed, and no broker is contacted. What a worker would do is done by the same code,
so that retries, stops and errors end as they do in production.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from programs import dialect, registry, submission
from programs.conf import settings
from programs.execution import carry
from programs.lease import Lease
from programs.models import Program, Queue
from programs.models.clock import Utc
from programs.models.program import ProgramQuerySet
from programs.models.transitions import Standing
from programs.operations import programs as operations

LEASE = 3600.0  # seconds: nobody renews it, and a debugger may stop the job
TURNS = 1_000  # of one program
PROGRAMS = 10_000  # at one occasion

logger = logging.getLogger(__name__)

_slots = count(1)


class ProgramNeverEnds(AssertionError):
    """A program was tried so often that it seems to have no end."""


class Inline:
    """What `run_inline` gives: it runs what is due, each program to its end."""

    def __init__(self) -> None:
        self._is_running = False
        self._error: ProgramNeverEnds | None = None

    def run(self) -> None:
        """Run all that is due, as after a `resume_program` or once a `run_at` has come.

        Retries are not waited for. Raises `ProgramNeverEnds`.
        """
        self._run()
        self._raise()

    def _run(self) -> None:
        """Run it, and keep the error: commit hooks, which call this, must not raise."""
        if self._is_running or self._error is not None:
            return  # a job has created a program: the loop below finds it
        self._is_running = True
        try:
            for _ in range(PROGRAMS):
                program = _due().first()
                if program is None:
                    return
                _run_to_end(program)
            raise ProgramNeverEnds(f"{PROGRAMS} programs were run, and there are more: {program}")
        except ProgramNeverEnds as error:
            self._error = error
        finally:
            self._is_running = False

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error


@contextmanager
def run_inline() -> Iterator[Inline]:
    """Run the programs that are created inside at once, in this thread, to their end.

    At once: as soon as the transaction that they are created in is committed. In a `TestCase` that
    of the test itself does not count, and commit hooks run inside as if there were none. What is
    due at the end of the `with` is run then. Raises `ProgramNeverEnds` there, at the latest.
    """
    inline = Inline()
    with ExitStack() as stack:
        stack.enter_context(_hints_go_to(inline._run))
        connection = connections[settings.DATABASE]
        if connection.in_atomic_block:
            stack.enter_context(_commit_hooks_run(connection))
        try:
            yield inline
        except BaseException:
            inline._raise()  # from the test's own failure, which it may explain
            raise
        inline.run()


def run_due_programs() -> list[Program]:
    """Give each program that is due one turn, and return them as they then are.

    A turn lasts until the program ends, or until its job is to be tried again later. One whose
    row a job has deleted is not among them.
    """
    with _hints_go_to(lambda: None):
        due = list(_due())
        for program in due:
            _take_turn(program)
    return [program for program in due if _is_reread(program)]


# As a slot does it ---------------------------------------------------------------------------


def _due() -> ProgramQuerySet:
    """Return what a worker of all queues might claim, oldest first."""
    waiting = Program.objects.open().unclaimed().filter(queue__isnull=False, due_at__lte=Utc())
    waiting = waiting.exclude(queue__in=dialect.node_queues())
    return waiting.exclude(queue__in=Queue.objects.paused().names()).order_by("due_at", "pk")


def _take_turn(program: Program) -> Standing | None:
    """Claim the program and carry it as far as the claim goes; None: it was not to be had."""
    same = Program.objects.open().unclaimed().filter(pk=program.pk)
    claimed = same.claim(f"inline/{next(_slots)}", LEASE)
    return None if claimed is None else carry(claimed, Lease(LEASE), lambda: False)


def _run_to_end(program: Program) -> None:
    for _ in range(TURNS):
        standing = _take_turn(program)
        if not _is_reread(program) or standing not in (Standing.RELEASED, Standing.YIELDED):
            return
        if registry.find(program.job) is None:
            return  # it waits for a worker that knows the job
        Program.objects.filter(pk=program.pk).unclaimed().update(due_at=Utc())
    last = f": {program.error_message}" if program.error_message else ""
    raise ProgramNeverEnds(
        f"program {program} has not ended after {TURNS} turns: job {program.job!r} "
        f"(step {program.step + 1}) is tried again and again{last}"
    )


def _is_reread(program: Program) -> bool:
    """Read the program as it is now; tell whether it is there: a job may have deleted it."""
    try:
        program.refresh_from_db()
    except Program.DoesNotExist:
        return False
    return True


# The moment to run ---------------------------------------------------------------------------


@contextmanager
def _hints_go_to(heard: Callable[[], None]) -> Iterator[None]:
    """Let hints be heard here, and the broker not be told."""

    def publish(run_id: str, queue: str) -> None:
        heard()

    with patch.object(submission, "publish", publish), patch.object(operations, "publish", publish):
        yield


@contextmanager
def _commit_hooks_run(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Run commit hooks whenever no transaction is open but those that are open now."""
    depth, earlier = len(connection.savepoint_ids), len(connection.run_on_commit)
    on_commit, savepoint_commit = connection.on_commit, connection.savepoint_commit

    def run_hooks() -> None:
        while len(connection.savepoint_ids) == depth and not connection.needs_rollback:
            if len(connection.run_on_commit) <= earlier:
                return
            registered: Any = connection.run_on_commit.pop(earlier)
            _, hook, is_robust = registered
            try:
                hook()
            except Exception:
                if not is_robust:
                    raise
                logger.exception("a commit hook failed", extra={"action": "hook_failed"})

    def hook_added(hook: Any, robust: bool = False) -> None:
        on_commit(hook, robust)
        run_hooks()

    def savepoint_committed(savepoint: str) -> None:
        savepoint_commit(savepoint)
        run_hooks()

    with (
        patch.object(connection, "on_commit", hook_added),
        patch.object(connection, "savepoint_commit", savepoint_committed),
    ):
        yield
