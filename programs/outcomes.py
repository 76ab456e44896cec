"""What a step can end in, as values.

Running a job only computes an outcome (`outcomes.of_error`, `Succeeded`); one place, `write`,
turns it into the verb of the program that stores it.
"""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass
from typing import Any

from programs.conf import settings
from programs.data import clean
from programs.errors import ExecutionTimeExceeded, JobNotRegistered, LeaseLost, StopRequested
from programs.job import Job
from programs.models.attempt import Ending, Record
from programs.models.program import Program
from programs.models.transitions import Standing


@dataclass(frozen=True)
class Failure:
    """What is kept of an exception: bounded, and fit for every database."""

    error: BaseException
    error_class: str
    message: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Describe any exception, also one whose `__str__` raises, or is 10 MB long."""
        kind = type(error)
        name = (
            kind.__qualname__
            if kind.__module__ == "builtins"
            else f"{kind.__module__}.{kind.__qualname__}"
        )
        try:
            message = str(error)
        except BaseException:  # noqa: BLE001 (the job's own __str__ may raise anything)
            message = "<the error's own text could not be made>"
        lines = traceback.format_exception(kind, error, error.__traceback__)
        limit = settings.LOG_LIMIT
        return cls(
            error, clean(name, 255), clean(message or name, limit), clean("".join(lines), limit)
        )


@dataclass(frozen=True)
class Succeeded:
    """The job returned."""

    ending: Ending = Ending.SUCCEEDED
    failure: Failure | None = None

    def write(self, program: Program, attempt: Record) -> Standing:
        return program.finish(attempt) if program.is_last_step else program.advance(attempt)


@dataclass(frozen=True)
class RetryAt:
    """A retryable error, with retries left: the same step again in `delay` seconds."""

    failure: Failure
    delay: float
    ending: Ending = Ending.RETRIED

    def write(self, program: Program, attempt: Record) -> Standing:
        return program.retry_later(attempt, self.failure.message, self.delay)


@dataclass(frozen=True)
class Errored:
    """An unexpected error, or an ignorable one: the program ends, the rest is not run."""

    failure: Failure
    ending: Ending = Ending.ERRORED

    def write(self, program: Program, attempt: Record) -> Standing:
        return program.fail(attempt, self.failure.message)


@dataclass(frozen=True)
class Yielded:
    """The job gave way at a checkpoint: for others, or (STOPPED) because it was asked to end."""

    ending: Ending = Ending.YIELDED
    failure: Failure | None = None

    def write(self, program: Program, attempt: Record) -> Standing:
        return program.give_back(attempt)


@dataclass(frozen=True)
class Postponed:
    """No job of this name is known here: a worker that knows it shall find the step again."""

    failure: Failure
    delay: float
    ending: Ending = Ending.UNKNOWN

    def write(self, program: Program, attempt: Record) -> Standing:
        return program.postpone(attempt, self.failure.message, self.delay)


@dataclass(frozen=True)
class Lost:
    """The job was told that the claim is not ours any more: the fence refuses what it wrote."""

    failure: Failure
    ending: Ending = Ending.ABANDONED

    def write(self, program: Program, attempt: Record) -> Standing:
        return program.give_back(attempt)


Outcome = Succeeded | RetryAt | Errored | Yielded | Postponed | Lost

LONGEST_RETRY_AFTER = 30 * 24 * 3600.0  # seconds


def of_error(error: BaseException, job: type[Job], retries: int, *, asked_to_stop: bool) -> Outcome:
    """Return the outcome of a job that raised `error` with `retries` counted so far.

    Flags on the exception decide, whatever its class; of several, retryable comes first, then an
    exceeded execution time, then ignorable (the original's order).
    """
    failure = Failure.of(error)
    if isinstance(error, LeaseLost):
        return Lost(failure)
    if _flag(error, "retryable") is True:
        if job.max_retries is None or retries < job.max_retries:
            return RetryAt(failure, retry_delay(job, retries, _flag(error, "retry_after")))
        message = f"gave up after {retries} retries: {failure.message}"
        return Errored(Failure(error, failure.error_class, message, failure.traceback))
    if isinstance(error, ExecutionTimeExceeded):
        return Yielded()
    if isinstance(error, StopRequested) and asked_to_stop:
        return Yielded(Ending.STOPPED)
    if _flag(error, "ignorable") is True:
        return Errored(failure, Ending.IGNORED)
    return Errored(failure)


def of_unknown_job(error: JobNotRegistered, tries: int, *, too_long: bool) -> Outcome:
    """Return the outcome of a step whose job is not registered here.

    `tries`: how often a worker met it so far. `too_long`: `UNKNOWN_JOB_LIMIT` is used up.
    """
    if settings.UNKNOWN_JOBS == "skip":
        return Succeeded(Ending.SKIPPED, Failure.of(error))
    if too_long:
        limit = settings.UNKNOWN_JOB_LIMIT
        return Errored(Failure.of(JobNotRegistered(f"{error}: gave up after {limit:.0f} s")))
    waiting = JobNotRegistered(f"{error}: waiting for a worker that knows it")
    return Postponed(Failure.of(waiting), delay=min(0.5 * 2 ** min(tries, 5), 10.0))


def retry_delay(job: type[Job], retries: int, retry_after: Any = None) -> float:
    """Return the seconds to wait before the next try: what the error asks for, or the backoff.

    The backoff grows by `retry_backoff` with each retry, up to `RETRY_DELAY_LIMIT`; a quarter of
    jitter either way keeps programs that failed together from coming back together.
    """
    if isinstance(retry_after, (int, float)) and retry_after >= 0:
        return min(float(retry_after), LONGEST_RETRY_AFTER)
    backoff = job.retry_delay * job.retry_backoff ** min(retries, 64)
    return min(backoff, settings.RETRY_DELAY_LIMIT) * random.uniform(0.75, 1.25)


def _flag(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except BaseException:  # noqa: BLE001 (a job's exception may define anything)
        return None
