"""What the `execute` of a job is told about the step that it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    """One attempt of one step, as its job sees it."""

    run_id: str  #: of the program
    step: int  #: 0-based
    job: str  #: this step's job name
    jobs: tuple[str, ...]  #: the names of the jobs that remain, this one first
    program_data: dict[str, Any]  #: a copy: what a job changes in it, no other job sees
    attempt: int  #: 1 for the first try of this step

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this step: hand it to systems that can tell repeats."""
        return f"{self.run_id}:{self.step}"
