"""Small jobs that behave as they are told, for trying things out.

What they are told stands in their own job data or, for all of them, in the program data:

    create_program(["sleep", "fail"], {"seconds": 5, "message": "no more paper"})
"""

from __future__ import annotations

import logging
from time import monotonic, sleep
from typing import TYPE_CHECKING

from programs.errors import IgnorableError, RetryableError
from programs.job import Job, JobData
from programs.registry import register

if TYPE_CHECKING:
    from programs.message import Message

logger = logging.getLogger(__name__)

NAP = 0.1  # seconds between two looks at whether to stop


class Behaviour(Job):
    """A job that is told how to behave."""

    def text(self, job_data: JobData, key: str, default: str) -> str:
        value = job_data.get().get(key, self.program_data.get(key, default))
        if not isinstance(value, str):
            raise TypeError(f"{key} must be a text, not {value!r}: correct the data, then retry")
        return value

    def number(self, job_data: JobData, key: str, default: float) -> float:
        value = job_data.get().get(key, self.program_data.get(key, default))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise TypeError(f"{key} must be a number, not {value!r}: correct the data, then retry")
        return value


@register
class Succeed(Behaviour):
    """Succeeds, and counts in `runs` how often."""

    name = "succeed"

    def execute(self, message: Message, job_data: JobData) -> None:
        runs = int(self.number(job_data, "runs", 0)) + 1
        job_data.merge({"runs": runs})
        logger.info("succeeded, time %d", runs)


@register
class Fail(Behaviour):
    """Fails with `message`."""

    name = "fail"

    def execute(self, message: Message, job_data: JobData) -> None:
        raise RuntimeError(self.text(job_data, "message", "this job always fails"))


@register
class Ignore(Behaviour):
    """Fails with `message`, in a way that nobody needs to be told about."""

    name = "ignore"

    def execute(self, message: Message, job_data: JobData) -> None:
        raise IgnorableError(self.text(job_data, "message", "this failure does not matter"))


@register
class RetryNTimes(Behaviour):
    """Asks `times` times to be tried again, `delay` seconds later each, and succeeds then."""

    name = "retry_n_times"
    max_retries = None  # as often as it is told

    def execute(self, message: Message, job_data: JobData) -> None:
        times = int(self.number(job_data, "times", 2))
        delay = self.number(job_data, "delay", 0.5)
        if message.attempt <= times:
            raise RetryableError(f"try {message.attempt} of {times} in vain", retry_after=delay)
        logger.info("succeeded at try %d", message.attempt)


@register
class Sleep(Behaviour):
    """Sleeps for `seconds`, and ends sooner when it is asked to stop."""

    name = "sleep"

    def execute(self, message: Message, job_data: JobData) -> None:
        seconds = self.number(job_data, "seconds", 1)
        logger.info("sleeping for %g s", seconds)
        ends_at = monotonic() + seconds
        while (remaining := ends_at - monotonic()) > 0:
            sleep(min(remaining, NAP))
            if job_data.stop_requested:
                job_data.checkpoint()
