"""What a program should be like, and the job that its steps run."""

from __future__ import annotations

from dataclasses import dataclass, field

from programs.errors import ExecutionTimeExceeded, IgnorableError, RetryableError
from programs.job import Job, JobData
from programs.message import Message
from programs.models import Ending, Program, State
from programs.models.transitions import Standing

HOUR = 3600.0
RETRIES = 2  # of the job below

ENDINGS = {
    "succeed": (None, Ending.SUCCEEDED),
    "fail": (RuntimeError, Ending.ERRORED),
    "ignore": (IgnorableError, Ending.IGNORED),
    "retry": (RetryableError, Ending.RETRIED),
    "give way": (ExecutionTimeExceeded, Ending.YIELDED),
}


class Scripted(Job):
    """Ends as the machine has written into `script`."""

    name = "scripted"
    max_retries = RETRIES
    retry_delay = HOUR
    script = "succeed"

    def execute(self, message: Message, job_data: JobData) -> None:
        error, _ = ENDINGS[self.script]
        if error is not None:
            raise error(self.script)


@dataclass
class Claim:
    """What a slot believes to hold; `row` is its own copy, which may be stale."""

    slot: str
    row: Program


@dataclass
class Model:
    """What the program should be like."""

    steps: int
    step: int = 0
    retries: int = 0
    losses: int = 0
    ended: State | None = None
    stopping: bool = False
    paused: bool = False
    scheduled: bool = False  # its time has not come, or will not have once it is resumed
    thrown_away: bool = True  # whether an end by hand has been noticed; True without one
    holder: Claim | None = None
    expired: bool = False  # the holder's lease has run out
    n: int = 0  # in the job data
    attempts: list[tuple[int, Ending]] = field(default_factory=list)

    @property
    def state(self) -> State:
        if self.ended is not None:
            return self.ended
        if self.stopping:
            return State.STOPPING
        if self.paused:
            return State.PAUSED
        if self.holder is not None:
            return State.RUNNING
        return State.SCHEDULED if self.scheduled else State.WAITING

    @property
    def parked(self) -> bool:
        """Nobody shall find it: ended and noticed, or paused and let go."""
        return self.holder is None and (
            (self.ended is not None and self.thrown_away) or (self.ended is None and self.paused)
        )

    @property
    def claimable(self) -> bool:
        return self.holder is None and self.ended is None and not self.paused and not self.scheduled

    def end(self, state: State) -> None:
        """An outcome is the last word, unless somebody had it by hand before."""
        self.ended, self.thrown_away = self.ended or state, True
        self.holder, self.expired, self.scheduled = None, False, False

    def release(self, *, scheduled: bool = False) -> Standing:
        """The holder lets go; a stop or a pause that came meanwhile decides what follows."""
        self.holder, self.expired, self.scheduled = None, False, scheduled
        if self.ended is not None:
            self.thrown_away = True
            return Standing.DISCARDED
        if self.stopping:
            self.end(State.STOPPED)
            return Standing.STOPPED
        if self.paused:
            return Standing.PAUSED
        return Standing.RELEASED if scheduled else Standing.YIELDED

    def reopen(self, step: int) -> None:
        self.step, self.retries, self.losses = step, 0, 0
        self.ended, self.stopping, self.scheduled, self.thrown_away = None, False, False, True
