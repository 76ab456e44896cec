"""Programs told to a terminal, line by line, and to scripts, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from programs.inspection import why
from programs.inspection.steps import skipped_steps, standing
from programs.inspection.visibility import (
    ATTEMPT_FIELDS,
    PROGRAM_FIELDS,
    shown,
    shown_job_data,
)
from programs.legibility import in_one_line, legible
from programs.models import Attempt, Ending, Operation, Program, State

ATTEMPTS_SHOWN = 50  # the newest; each may hold a traceback and a log of 64 KiB
OPERATIONS_SHOWN = 100  # likewise

OPERATION_FIELDS = ("verb", "by", "reason", "created_at")


# For scripts ---------------------------------------------------------------------------------


def json_line(value: object) -> str:
    """Return `value` as JSON in one line."""
    return legible(json.dumps(value, cls=DjangoJSONEncoder))


def facts(program: Program) -> dict[str, Any]:
    """Return what a list tells of a program: all but its data."""
    return _fields(program, PROGRAM_FIELDS)


def all_facts(program: Program, *, reveal: bool) -> dict[str, Any]:
    """Return a program with its data, its newest attempts, and what operators did to it."""
    return {
        **facts(program),
        "program_data": shown(program.program_data, reveal=reveal),
        "job_data": shown_job_data(program.job_data, reveal=reveal),
        "attempts": [_fields(attempt, ATTEMPT_FIELDS) for attempt in newest_attempts(program)],
        "operations": [_fields(done, OPERATION_FIELDS) for done in newest_operations(program)],
    }


def _fields(row: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def newest_attempts(program: Program) -> list[Attempt]:
    """Return the newest attempts, in their order."""
    return list(program.attempts.order_by("-id")[:ATTEMPTS_SHOWN])[::-1]


def newest_operations(program: Program) -> list[Operation]:
    """Return what operators did last, in its order."""
    return list(program.operations.order_by("-id")[:OPERATIONS_SHOWN])[::-1]


# For people ----------------------------------------------------------------------------------


def moment(value: datetime | None) -> str:
    """Return a moment to the second, in the current time zone; None is a dash."""
    if value is None:
        return "-"
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return f"{local:%Y-%m-%d %H:%M:%S}"


def jobs_of(program: Program) -> list[Any]:
    """Return the names of the jobs; rows may be others' work, and hold anything."""
    return program.jobs if isinstance(program.jobs, list) else []


def progress(program: Program) -> str:
    """Return where the program is: step and number of steps."""
    return f"{program.step + 1}/{len(jobs_of(program))}"


def error_of(program: Program) -> str | None:
    """Return what is wrong with a program; a failure that a retry has mended is history."""
    return None if program.state is State.FINISHED else program.error_message


def row(program: Program, column: str) -> str:
    """Return a program as one line of a list; `column` is the moment that it is ordered by."""
    cells = [
        in_one_line(program.run_id).ljust(24),
        program.state.label.ljust(9),
        progress(program).ljust(7),
        moment(getattr(program, column)),
        in_one_line(program.queue or "-").ljust(12),
        in_one_line(program.job or "-").ljust(20),
        in_one_line(error_of(program)),
    ]
    return "  ".join(cells).rstrip()


def description(program: Program, *, reveal: bool, tracebacks: bool) -> Iterator[str]:
    """Yield the lines that tell all of a program."""
    yield f"program {in_one_line(program.run_id)} is {program.state.label}"
    reason = why(program)
    by = f" by {in_one_line(program.created_by)}" if program.created_by else ""
    told = {
        "why": reason and reason.text,
        "error": error_of(program),
        "from": program.definition,
        "queue": program.queue,
        "created": f"{moment(program.created_at)}{by}",
        "key": program.idempotency_key,
        "run at": program.run_at and moment(program.run_at),
        "started": program.started_at and moment(program.started_at),
        "worker": program.worker,
        "data": json.dumps(shown(program.program_data, reveal=reveal), ensure_ascii=False),
        "job data": json.dumps(shown_job_data(program.job_data, reveal=reveal), ensure_ascii=False),
    }
    for name, value in told.items():
        if value:
            yield f"  {name.ljust(9)} {in_one_line(value)}"
    attempts = newest_attempts(program)
    skipped = skipped_steps(program)
    for step, name in enumerate(jobs_of(program)):
        stands = "skipped" if step in skipped else standing(program, step)
        yield f"step {step + 1} {in_one_line(name)}: {stands}"
        for attempt in attempts:
            if attempt.step == step:
                yield from attempt_lines(attempt, tracebacks=tracebacks)
    if len(attempts) == ATTEMPTS_SHOWN:
        yield f"(the newest {ATTEMPTS_SHOWN} attempts are shown)"
    for done in newest_operations(program):
        who = f" by {in_one_line(done.by)}" if done.by else ""
        reason_given = f": {in_one_line(done.reason)}" if done.reason else ""
        yield f"{moment(done.created_at)} {done.get_verb_display()}{who}{reason_given}"


def attempt_lines(attempt: Attempt, *, tracebacks: bool) -> Iterator[str]:
    """Yield what an attempt ended in, its error, and what its job logged."""
    took = ""
    if attempt.started_at is not None:
        span = max((attempt.ended_at - attempt.started_at).total_seconds(), 0.0)
        took = f" in {span:.2f} s"
    error = ": ".join(filter(None, (attempt.error_class, attempt.message)))
    failed = f": {in_one_line(error)}" if error and attempt.outcome != Ending.SUCCEEDED else ""
    outcome = attempt.get_outcome_display()
    yield f"  attempt {attempt.number} {outcome}{took}, {moment(attempt.ended_at)}{failed}"
    for text in (attempt.log, attempt.traceback if tracebacks else None):
        if text:
            yield from (f"    | {in_one_line(line)}" for line in text.rstrip("\n").split("\n"))
