"""Fault points, patched into workers under test. None of this stands in shipped code.

A point is armed by a file of its name in the folder `SABOTAGE`. The process that passes it takes
the file away, notes the time and its process id in `<point>.fired`, and kills itself, and before
that its supervisor where the file says `worker`.

A process that was started with `CLOCK_OFF=seconds` has a clock that is that much ahead.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import time_machine
from django.apps import AppConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from programs.lease import lease_clock

FOLDER = Path(os.environ.get("SABOTAGE", "/nonexistent"))

# The nine points, each with its two sides.
POINTS = (
    "claim",  # the statement that claims
    "job_start",  # the job is made and called
    "side_effect",  # between the side effect's start and its end
    "job_end",  # the side effect has ended, the job returns
    "outcome",  # the statement that writes the outcome
    "renewal",  # the news that the lease was renewed
    "ack",  # the frame that settles hints
    "release",  # the statement that gives the program back
    "drain",  # the order to end
)
SIDES = ("before", "after")


def pass_by(point: str, side: str) -> None:
    """Die here if this point is armed."""
    armed = FOLDER / f"{point}-{side}"
    try:
        victim = armed.read_text()
        armed.rename(armed.with_suffix(".firing"))
    except FileNotFoundError:
        return
    fired = armed.with_suffix(".writing")
    fired.write_text(f"{lease_clock():.6f} {os.getpid()} {os.getppid()}")
    fired.rename(armed.with_suffix(".fired"))
    if victim == "worker" and os.getppid() != 1:
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def around(point: str, owner: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
    """Make both sides of a call fault points, for those calls of which `when` is true."""
    original = getattr(owner, name)

    @wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if not when(*args):
            return original(*args, **kwargs)
        pass_by(point, "before")
        result = original(*args, **kwargs)
        pass_by(point, "after")
        return result

    setattr(owner, name, watched)


def mislead_clock(seconds: float) -> None:
    """Let this process be wrong about the time of day; the clocks that only go on stay right."""
    time_machine.travel(time.time() + seconds, tick=True).start()


def sign(connection: BaseDatabaseWrapper, **sent: object) -> None:
    """Let a slot's session bear the slot's name, so that the witness knows who writes."""
    name = threading.current_thread().name
    if connection.vendor == "postgresql" and "/" in name:
        with connection.cursor() as cursor:
            cursor.execute("SET application_name = %s", [name])


class Sabotage(AppConfig):
    name = "tests.faults.sabotage"
    label = "sabotage"

    def ready(self) -> None:
        connection_created.connect(sign, dispatch_uid="sabotage")
        if "CLOCK_OFF" in os.environ:
            mislead_clock(float(os.environ["CLOCK_OFF"]))
        if "SABOTAGE" in os.environ:
            self.make_points()

    def make_points(self) -> None:
        """Patch the fault points into this process."""
        from programs.models.program import ProgramQuerySet
        from programs.models.transitions import RELEASED, Transitions
        from programs.transport.consumer import ConsumerSession
        from programs.worker.board import Board
        from programs.worker.slots import Crew
        from tests.jobs import Behaviour

        around("claim", ProgramQuerySet, "claim_named")
        around("claim", ProgramQuerySet, "claim")
        around("job_start", Behaviour, "note", lambda job, data, event, message: event == "start")
        around("job_end", Behaviour, "note", lambda job, data, event, message: event == "end")
        for how in ("sleep", "retry"):
            around("side_effect", Behaviour, how)

        def releases(program: Any, attempt: Any, changes: Any, *given: Any) -> bool:
            return attempt is not None and changes.keys() >= RELEASED.keys() and is_open(changes)

        def is_open(changes: Any) -> bool:
            return not changes.keys() & {"finished_at", "errored_at", "stopped_at"}

        def is_outcome(program: Any, attempt: Any, *given: Any) -> bool:
            return attempt is not None and not releases(program, attempt, *given)

        around("outcome", Transitions, "_write", is_outcome)
        around("release", Transitions, "_write", releases)
        around("renewal", Board, "apply", lambda board, notice: notice.renewed)
        around("ack", ConsumerSession, "_answer", lambda session: bool(session._settled))
        around("drain", Crew, "drain")
