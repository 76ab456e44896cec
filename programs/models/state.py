"""The states of a program, each derived from its columns and stored nowhere."""

from __future__ import annotations

from django.db.models import Q, TextChoices

from programs.models.clock import Utc


class State(TextChoices):
    """What a program is doing."""

    SCHEDULED = "scheduled", "scheduled"  #: nobody may claim it before its time: start or retry
    WAITING = "waiting", "waiting"  #: due: the next free slot claims it
    RUNNING = "running", "running"  #: claimed by a slot
    STOPPING = "stopping", "stopping"  #: claimed, and asked to stop
    PAUSED = "paused", "paused"  #: parked until resumed; a job that still runs ends first
    FINISHED = "finished", "finished"  #: every job succeeded
    ERRORED = "errored", "errored"  #: a job failed, or was lost too often; the rest was not run
    STOPPED = "stopped", "stopped"  #: an operator ended it


ENDED = (State.FINISHED, State.ERRORED, State.STOPPED)

OPEN = Q(finished_at__isnull=True, errored_at__isnull=True, stopped_at__isnull=True)
CLAIMED = Q(worker__isnull=False)


def where(state: State) -> Q:
    """Return the condition on the columns that makes a program be in `state`."""
    if state in ENDED:
        return Q(**{f"{state.value}_at__isnull": False})
    if state is State.PAUSED:
        return OPEN & Q(paused_at__isnull=False, stop_requested_at__isnull=True)
    unpaused = OPEN & Q(paused_at__isnull=True)
    return {
        State.STOPPING: OPEN & Q(stop_requested_at__isnull=False),
        State.RUNNING: unpaused & CLAIMED & Q(stop_requested_at__isnull=True),
        State.WAITING: unpaused & ~CLAIMED & Q(due_at__lte=Utc()),
        State.SCHEDULED: unpaused & ~CLAIMED & Q(due_at__gt=Utc()),
    }[state]
