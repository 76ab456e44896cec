"""Every error of Program Executor, in one tree.

The docstring of an error is its default message. Jobs raise `RetryableError` and
`IgnorableError`, or set the flags `retryable` and `ignorable` on an exception of their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Self, TypeVar

ErrorT = TypeVar("ErrorT", bound=BaseException)


class ProgramExecutorError(Exception):
    """Program Executor met an error."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(type(self)) or type(self).__name__)


# What a job raises -------------------------------------------------------------------------


class RetryableError(ProgramExecutorError):
    """The job failed for now and is tried again after a delay.

    `retry_after`: seconds until the next try; None leaves it to the job's own backoff.
    """

    retryable = True

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(message or "The job failed for now and is tried again after a delay.")
        self.retry_after = retry_after

    @staticmethod
    def decorate(error: ErrorT, *, retry_after: float | None = None) -> ErrorT:
        """Mark any exception as retryable and return it, to be raised by the caller."""
        error.retryable = True  # type: ignore[attr-defined]
        if retry_after is not None:
            error.retry_after = retry_after  # type: ignore[attr-defined]
        return error


class IgnorableError(ProgramExecutorError):
    """The job failed in a way that nobody needs to be told about."""

    ignorable = True

    @staticmethod
    def decorate(error: ErrorT) -> ErrorT:
        """Mark any exception as ignorable and return it, to be raised by the caller."""
        error.ignorable = True  # type: ignore[attr-defined]
        return error


# What a checkpoint raises ------------------------------------------------------------------


class ExecutionTimeExceeded(ProgramExecutorError):
    """The job used up its execution time; it carries on later from its job data."""


class StopRequested(ProgramExecutorError):
    """An operator asked this program to stop."""


class LeaseLost(ProgramExecutorError):
    """This slot no longer holds the program: another one may have taken it over."""


# How a step can fail without the job's own doing --------------------------------------------


class OpenTransaction(ProgramExecutorError):
    """The job left a database transaction open; it was rolled back."""


class WorkerLost(ProgramExecutorError):
    """The worker was lost too often at one step: the job seems to kill its process."""


class JobNotRegistered(ProgramExecutorError):
    """No job of this name is registered in this worker."""


# Submission and operations ------------------------------------------------------------------


class InvalidInput(ProgramExecutorError, ValueError):
    """What was given cannot be taken.

    `field`: the argument that is wrong, by the name that the function gives it; `reason`: why.
    `errors`: all that is wrong, as pairs of the two, of which those are the first.
    """

    TOLD = 3  # errors that the message names

    def __init__(self, field: str, message: str, *, errors: Sequence[tuple[str, str]] = ()) -> None:
        self.field = field
        self.reason = message
        self.errors = tuple(errors) or ((field, message),)
        told = "; ".join(f"{name}: {reason}" for name, reason in self.errors[: self.TOLD])
        rest = len(self.errors) - self.TOLD
        super().__init__(f"{told}; and {rest} more" if rest > 0 else told)

    def inside(self, place: str) -> Self:
        """Return the same error with its fields inside of `place`: `programs[3].jobs`."""
        errors = [
            (f"{place}{'' if field.startswith('[') else '.'}{field}", reason)
            for field, reason in self.errors
        ]
        return type(self)(*errors[0], errors=errors)


class InvalidProgram(InvalidInput):
    """The program cannot be created as asked."""


class InvalidData(ProgramExecutorError, ValueError):
    """The data is not a JSON object that can be stored."""


class IdempotencyConflict(ProgramExecutorError):
    """A program with this idempotency key but other content exists already."""


class ProgramNotFound(ProgramExecutorError, LookupError):
    """There is no program with this run id."""


class BrokenProgram(ProgramExecutorError):
    """The row does not hold what it needs to be run."""


class OperationRefused(ProgramExecutorError):
    """The program is in no state in which this can be done."""


# Definitions and schedules --------------------------------------------------------------------


class InvalidDefinition(InvalidInput):
    """The definition cannot be made so."""


class InvalidSchedule(InvalidInput):
    """The schedule cannot be made so."""


class UnknownDefinition(ProgramExecutorError, LookupError):
    """There is no definition of this name."""


# Jobs and their registry --------------------------------------------------------------------


class InvalidJob(ProgramExecutorError, TypeError):
    """The class cannot be registered as a job."""


# Transport ----------------------------------------------------------------------------------


class InvalidHint(ProgramExecutorError, ValueError):
    """The message is no hint: it is logged, acknowledged and dropped."""


class BrokerUnavailable(ProgramExecutorError):
    """The broker cannot be reached; work goes on through the database."""


class BrokerMisconfigured(ProgramExecutorError):
    """The broker refuses this configuration; work goes on through the database."""


# Webhooks -----------------------------------------------------------------------------------


class MetricsMissing(ProgramExecutorError):
    """Metrics need prometheus-client: pip install 'django-program-executor[metrics]'."""


class InvalidUrl(ProgramExecutorError, ValueError):
    """The URL cannot be called."""


class AddressRefused(ProgramExecutorError):
    """The host has no address that webhooks may call."""


class CallFailed(ProgramExecutorError):
    """The call brought no answer."""
