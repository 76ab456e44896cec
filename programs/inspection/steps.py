"""How each step of a program stands: done, skipped, current, or to come."""

from __future__ import annotations

from programs.models import Program, Verb
from programs.models.state import ENDED


def standing(program: Program, step: int) -> str:
    """Return how a step stands that no operator has skipped."""
    if step < program.step:
        return "done"
    if step == program.step:
        return str(program.state.label)
    return "not run" if program.state in ENDED else "to come"


def skipped_steps(program: Program) -> set[int]:
    """Return the steps that an operator skipped and that no later retry took up again."""
    skipped: set[int] = set()
    for operation in program.operations.filter(verb__in=(Verb.SKIP, Verb.RETRY)):
        if operation.verb == Verb.SKIP:
            skipped.add(operation.detail["step"])
        elif operation.detail["from_step"] is not None:
            skipped = {step for step in skipped if step < operation.detail["from_step"]}
    return skipped
