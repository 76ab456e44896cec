"""Running a program in the test's own thread, as a slot of a worker would."""

import json
from typing import Any

from programs.execution import carry
from programs.lease import Lease
from programs.models import Attempt, Program
from tests.waiting import eventually


def run(program: Program) -> Program:
    """Claim and carry the program, through its retries, until it has ended; return it as it is."""
    eventually(lambda: _turn(program))
    return Program.objects.get(run_id=program.run_id)


def _turn(program: Program) -> bool:
    """Take the program as far as one claim goes, if it is due; tell whether it has ended."""
    claimed = Program.objects.due("default").filter(run_id=program.run_id).claim("test/0.0", 60)
    if claimed is not None:
        carry(claimed, Lease(60), lambda: False)
    return not Program.objects.open().filter(run_id=program.run_id).exists()


def outcomes(program: Program) -> list[tuple[str, str]]:
    """Return (job, outcome) of each attempt, in order."""
    attempts = Attempt.objects.filter(program=program).order_by("id")
    return [(attempt.job, attempt.outcome) for attempt in attempts]


def size(value: Any) -> int:
    """Return how many bytes a value takes as JSON."""
    return len(json.dumps(value).encode())
