"""The steps of a program, as its page shows them: each with its standing and its attempts."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.text import slugify
from django.utils.translation import gettext as _

from programs.admin.text import duration, legible, moment, names_of
from programs.admin.timeline import StepTime, timeline_of
from programs.admin.words import said
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
            outcome=said(attempt.get_outcome_display()),
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
    told = _told(verb, is_held=program.worker is not None, is_last=not behind)
    whole = f"{current}, {rest}".rstrip(", ")
    return told.format(
        job=current,
        rest=rest,
        jobs=names_of(jobs[program.step :]),
        both=whole,
        number=program.step + 1,
    )


def _told(verb: Verb, *, is_held: bool, is_last: bool) -> str:
    if verb is Verb.STOP and is_held:
        if is_last:
            return _("{job} runs now and ends at its next checkpoint; it is the last job.")
        return _("{job} runs now and ends at its next checkpoint; {rest} will not run.")
    if verb is Verb.STOP:
        return _("{jobs} will not run.")
    if verb is Verb.PAUSE and is_held:
        if is_last:
            return _("{job} ends first; nothing will wait until the program is resumed.")
        return _("{job} ends first; {rest} will wait until the program is resumed.")
    if verb is Verb.PAUSE:
        return _("{both} will wait until the program is resumed.")
    if verb is Verb.RESUME:
        return _("{jobs} will run.")
    if verb is Verb.SKIP and is_last:
        return _("{job} (step {number}) will not run; the program is finished.")
    if verb is Verb.SKIP:
        return _("{job} (step {number}) will not run; {rest} will run.")
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
                standing=said(stands),
                kind=slugify(stands),
                is_current=index == program.step,
                time=times.get(index),
                attempts=attempts.get(index, []),
            )
        )
    return shown, not are_all
