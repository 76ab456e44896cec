"""The steps of a program, as its page shows them: each with its standing and its attempts."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.text import slugify

from programs.admin.text import duration, legible, moment, names_of
from programs.admin.timeline import StepTime, timeline_of
from programs.inspection.steps import skipped_steps, standing
from programs.models import Attempt, Ending, Program, Verb

ATTEMPTS_SHOWN = 50  # the newest; each may hold a traceback and a log of 64 KiB


@dataclass(frozen=True)
class ShownAttempt:
    """One attempt, its texts legible."""

    number: int
    outcome: str
    succeeded: bool
    started_at: str
    took: str
    worker: str
    error: str
    traceback: str
    log: str

    @classmethod
    def of(cls, attempt: Attempt) -> ShownAttempt:
        error_class, message = legible(attempt.error_class), legible(attempt.message)
        started_at = attempt.started_at
        return cls(
            number=attempt.number,
            outcome=str(attempt.get_outcome_display()),
            succeeded=attempt.outcome == Ending.SUCCEEDED,
            started_at=moment(started_at),
            took=duration(attempt.ended_at - started_at) if started_at else "",
            worker=legible(attempt.worker),
            error=f"{error_class}: {message}" if error_class and message else message,
            traceback=legible(attempt.traceback),
            log=legible(attempt.log),
        )


@dataclass(frozen=True)
class ShownStep:
    """One step, its newest attempt first."""

    number: int  # from 1, as people count
    job: str
    standing: str
    kind: str  # the class that gives the standing its colours
    is_current: bool
    time: StepTime | None  # None: it has not begun
    attempts: list[ShownAttempt]


def outlook(verb: Verb, program: Program) -> str:
    """Tell which jobs will run, stay out or be skipped, once this is done to the program.

    A retry tells it for each step that one may choose.
    """
    jobs = program.jobs if isinstance(program.jobs, list) else []
    current, behind = names_of(jobs[program.step : program.step + 1]), jobs[program.step + 1 :]
    rest = names_of(behind)
    is_held = program.worker is not None
    if verb is Verb.STOP:
        left_out = f"{rest} will not run" if behind else "it is the last job"
        if is_held:
            return f"{current} runs now and ends at its next checkpoint; {left_out}."
        return f"{names_of(jobs[program.step :])} will not run."
    if verb is Verb.PAUSE:
        first = f"{current} ends first; {rest or 'nothing'}" if is_held else f"{current}, {rest}"
        return f"{first.rstrip(', ')} will wait until the program is resumed."
    if verb is Verb.RESUME:
        return f"{names_of(jobs[program.step :])} will run."
    if verb is Verb.SKIP:
        next_ones = f"{rest} will run" if behind else "the program is finished"
        return f"{current} (step {program.step + 1}) will not run; {next_ones}."
    return ""


def steps_of(program: Program) -> tuple[list[ShownStep], bool]:
    """Return the steps of a program, and whether it has older attempts than those shown."""
    newest = list(program.attempts.order_by("-id")[: ATTEMPTS_SHOWN + 1])
    attempts: dict[int, list[ShownAttempt]] = {}
    for attempt in newest[:ATTEMPTS_SHOWN]:
        attempts.setdefault(attempt.step, []).append(ShownAttempt.of(attempt))
    are_all = len(newest) <= ATTEMPTS_SHOWN
    times = timeline_of(program, newest[ATTEMPTS_SHOWN - 1 :: -1], are_all=are_all)
    skipped = skipped_steps(program)
    shown = []
    for index, name in enumerate(program.jobs if isinstance(program.jobs, list) else []):
        stands = "skipped" if index in skipped else standing(program, index)
        shown.append(
            ShownStep(
                number=index + 1,
                job=legible(name),
                standing=stands,
                kind=slugify(stands),
                is_current=index == program.step,
                time=times.get(index),
                attempts=attempts.get(index, []),
            )
        )
    return shown, not are_all
