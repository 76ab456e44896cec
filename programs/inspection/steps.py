"""How each step of a program stands: done, skipped, current, or to come."""

from __future__ import annotations

from programs.models import Program, Verb
from programs.models.state import ENDED

REMEMBERED = 1000  # operations on one program: scripts may retry it without end


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
    steering = program.operations.filter(verb__in=(Verb.SKIP, Verb.RETRY))
    for operation in reversed(steering.order_by("-id")[:REMEMBERED]):
        if operation.verb == Verb.SKIP:
            skipped.add(operation.detail["step"])
        elif operation.detail["from_step"] is not None:
            skipped = {step for step in skipped if step < operation.detail["from_step"]}
    return skipped
