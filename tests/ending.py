"""Running a program to its end, through its retries, in the test's own thread."""

from programs.models import Attempt, Program
from tests.running import carry, claim, fresh
from tests.waiting import eventually


def run_to_end(program: Program) -> Program:
    """Claim and carry the program until it has ended; return it as it is then."""
    eventually(lambda: _has_ended_after_a_turn(program))
    return fresh(program)


def _has_ended_after_a_turn(program: Program) -> bool:
    claimed = claim(program)
    if claimed is not None:
        carry(claimed)
    return not Program.objects.open().filter(pk=program.pk).exists()


def outcomes(program: Program) -> list[tuple[str, str]]:
    """Return (job, outcome) of each attempt, in order."""
    attempts = Attempt.objects.filter(program=program).order_by("id")
    return [(attempt.job, attempt.outcome) for attempt in attempts]
