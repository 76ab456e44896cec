"""What the tests of the console share: its pages, and programs in every state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from programs.execution import carry
from programs.lease import Lease
from programs.models import Ending, Operation, Program, State, Verb
from programs.submission import create_program

LIST = "/admin/programs/program/"
CREATE = f"{LIST}add/"

PERMISSIONS = {
    Verb.STOP: "stop_program",
    Verb.PAUSE: "pause_program",
    Verb.RESUME: "pause_program",
    Verb.RETRY: "retry_program",
    Verb.SKIP: "skip_program_step",
    Verb.EDIT: "edit_program_data",
}

# A state in which the verb can be done, and what its page is sent.
DEEDS: dict[Verb, tuple[State, dict[str, str]]] = {
    Verb.STOP: (State.WAITING, {}),
    Verb.PAUSE: (State.WAITING, {}),
    Verb.RESUME: (State.PAUSED, {}),
    Verb.RETRY: (State.ERRORED, {"from_step": "0"}),
    Verb.SKIP: (State.ERRORED, {}),
    Verb.EDIT: (State.PAUSED, {"program_data": '{"year": 2025}', "job_data": "{}"}),
}


def page_of(program: Program) -> str:
    return f"{LIST}{program.pk}/change/"


def page_for(verb: Verb, program: Program) -> str:
    return f"{LIST}{program.pk}/{verb.value}/"


def texts(response: Any) -> list[str]:
    """Return the messages of the page."""
    return [str(message) for message in response.context["messages"]]


def claim(program: Program) -> Program:
    rows = Program.objects.due("default").filter(pk=program.pk)
    claimed = rows.claim(f"w/0.{program.pk}", 60)
    assert claimed is not None
    return claimed


def run(program: Program) -> None:
    carry(claim(program), Lease(60), lambda: False)


def failing(text: str = "it broke") -> dict[str, Any]:
    """Return program data with which `behave` fails."""
    return {"how": "fail", "text": text}


def program_in(state: State) -> Program:
    """Return a program of two jobs in this state."""
    later = datetime.now(UTC) + timedelta(hours=1) if state is State.SCHEDULED else None
    data = failing() if state is State.ERRORED else {}
    program = create_program(["behave", "noop"], data, run_at=later)
    if state in (State.FINISHED, State.ERRORED):
        run(program)
    elif state in (State.RUNNING, State.STOPPING):
        program = claim(program)
    program.refresh_from_db()
    if state in (State.STOPPING, State.STOPPED):
        program.stop()
    elif state is State.PAUSED:
        program.pause()
    program.refresh_from_db()
    assert program.state is state
    return program


def is_untouched(program: Program) -> bool:
    """Tell whether nobody has done anything to the program since it was read."""
    current = Program.objects.get(pk=program.pk)
    return current.updated_at == program.updated_at and not Operation.objects.exists()


def add_attempt(program: Program, **fields: Any) -> None:
    """Add a failed attempt of the first step, with these fields."""
    given = {"number": 1, "epoch": 1, "worker": "w/0.1", "outcome": Ending.ERRORED, **fields}
    program.attempts.create(step=0, job="noop", ended_at=datetime.now(UTC), **given)
