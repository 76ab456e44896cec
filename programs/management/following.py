"""Following a program from outside: what becomes of it, job by job, until it has ended."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep, strftime

from programs.errors import ProgramNotFound
from programs.inspection import why
from programs.legibility import in_one_line
from programs.management.report import ATTEMPTS_SHOWN, attempt_lines, jobs_of
from programs.models import Program, State
from programs.models.state import ENDED

PAUSE = 0.5  # seconds between two looks
FIELDS = [
    field.attname
    for field in Program._meta.concrete_fields
    if field.attname not in ("program_data", "job_data")  # which may be large
]


def follow(
    program: Program,
    tell: Callable[[str], None],
    *,
    timeout: float | None = None,
    tracebacks: bool = False,
) -> bool:
    """Tell what happens to the program, a line at a time; return whether it has ended.

    `timeout`: in seconds; None: for as long as it takes. The instance is as it then is, but for
    its data.
    """
    give_up_at = None if timeout is None else monotonic() + timeout
    older = program.attempts.order_by("-id").values_list("pk", flat=True)
    last = next(iter(older[ATTEMPTS_SHOWN : ATTEMPTS_SHOWN + 1]), 0)
    told = ""
    while True:
        _reread(program)
        attempts = list(program.attempts.filter(pk__gt=last).order_by("pk")[:ATTEMPTS_SHOWN])
        for attempt in attempts:
            last = attempt.pk
            tell(f"step {attempt.step + 1} {in_one_line(attempt.job)}")
            for line in attempt_lines(attempt, tracebacks=tracebacks):
                tell(line)
        if attempts:
            continue  # it has moved on meanwhile
        now = _standing(program)
        if now != told:
            told = now
            tell(f"{strftime('%H:%M:%S')} {now}{_reason(program)}")
        if program.state in ENDED:
            return True
        if give_up_at is not None and monotonic() >= give_up_at:
            return False
        left = PAUSE if give_up_at is None else give_up_at - monotonic()
        sleep(max(0.0, min(PAUSE, left)))


def _reread(program: Program) -> None:
    try:
        program.refresh_from_db(fields=FIELDS)
    except Program.DoesNotExist as error:
        raise ProgramNotFound(f"program {program} is gone: somebody has deleted it") from error


def _standing(program: Program) -> str:
    label, number = program.state.label, len(jobs_of(program))
    if program.state is State.FINISHED:
        return str(label)
    retry = f", retry {program.step_retry_count}" if program.step_retry_count else ""
    return f"{label}, step {program.step + 1} of {number}: {in_one_line(program.job)}{retry}"


def _reason(program: Program) -> str:
    """Tell why it does not run, where it does not."""
    reason = None if program.state is State.RUNNING else why(program)
    return f" ({in_one_line(reason.text)})" if reason is not None else ""
