"""Why a program waits, or what it is at, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.utils import timezone

from programs import registry
from programs.models import Ending, Program, Queue, State, Verb, Worker
from programs.models.clock import now
from programs.models.state import ENDED

UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
AHEAD_AT_MOST = 1000  # programs that are counted before one in its queue


@dataclass(frozen=True)
class Reason:
    """Why a program is not running on, or what it is at."""

    text: str  # one sentence, without a full stop
    until: datetime | None = None  # when that will have changed, where it is known
    needs_somebody: bool = False  # nothing happens until a person, or another worker, comes


def why(program: Program) -> Reason | None:
    """Return what an open program waits for, as it was read; None for one that has ended."""
    state = program.state
    if state in ENDED:
        return None
    if program.worker is not None:
        return _held(program, state)
    if state is State.STOPPING:
        return Reason("asked to stop; the next worker that looks at it ends it")
    if state is State.PAUSED:
        return Reason(f"paused{_by(program, Verb.PAUSE)} until it is resumed", needs_somebody=True)
    if program.is_nodes:
        return _nodes(program)
    if program.due_at is None or program.queue is None:
        text = "inserted by another program, which may be running it; a hint on a queue adopts it"
        return Reason(text, needs_somebody=True)
    if paused := _queue_pause(program):
        return Reason(f"{paused}: nothing of it runs until it is resumed", needs_somebody=True)
    if state is State.SCHEDULED:
        return _scheduled(program, program.due_at)
    return _due(program, program.due_at, program.queue)


def span(seconds: float) -> str:
    """Return a length of time as people say it, to the second.

    >>> span(41.6), span(75), span(7300), span(200000)
    ('42 s', '1 min 15 s', '2 h 1 min', '2 d 7 h')
    """
    whole = max(0, round(seconds))
    for (unit, size), (smaller, small) in pairwise(UNITS):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // small} {smaller}"
    return f"{whole} s"


# The kinds of waiting ------------------------------------------------------------------------


def _nodes(program: Program) -> Reason:
    """The original executes it."""
    if program.due_at is None:
        return Reason(f"sent to Node, which executes queue {program.queue}")
    if program.state is State.SCHEDULED and program.run_at is not None:
        return Reason(f"sent to Node at {_clock_time(program.due_at)}", program.due_at)
    text = (
        f"to be sent to Node, which executes queue {program.queue}: RabbitMQ has not taken it yet"
    )
    return Reason(text)


def _held(program: Program, state: State) -> Reason:
    """A slot has claimed it: its job runs, or its worker is gone."""
    assert program.due_at is not None
    left = _seconds_until(program, program.due_at)
    if left <= 0:
        text = f"{program.worker} has not been heard of: its lease ran out {span(-left)} ago"
        missing = _missing(program) or _queue_pause(program)
        return Reason(f"{text}; {missing or 'another worker takes it over'}", None, bool(missing))
    running = ""
    if program.step_started_at is not None:
        since = span(-_seconds_until(program, program.step_started_at))
        running = f"job {program.job} has run for {since}"
    lease = f"{program.worker} holds it, its lease ends in {span(left)} unless renewed"
    if state is State.STOPPING:
        asked = f"asked to stop{_by(program, Verb.STOP)}"
        return Reason(f"{asked}; {running}: it ends at its next checkpoint; {lease}")
    if state is State.PAUSED:
        return Reason(f"paused{_by(program, Verb.PAUSE)}; {running} and ends first; {lease}")
    if paused := _queue_pause(program):
        return Reason(f"{paused}; {running} and ends first; {lease}")
    return Reason(f"{running}; {lease}")


def _scheduled(program: Program, due_at: datetime) -> Reason:
    """Its time has not come."""
    when = f"{_clock_time(due_at)} (in {span(_seconds_until(program, due_at))})"
    last = program.attempts.filter(step=program.step).last()
    if last is not None and last.outcome == Ending.UNKNOWN:
        missing = _missing(program)
        text = missing or f"a worker that knows job {program.job} is here now"
        return Reason(f"{text}; looked for again at {when}", due_at, bool(missing))
    if program.step_retry_count:
        job = registry.find(program.job)
        limit = f" of {job.max_retries}" if job is not None and job.max_retries else ""
        return Reason(f"retry {program.step_retry_count}{limit} at {when}", due_at)
    return Reason(f"scheduled for {when}", due_at)


def _due(program: Program, due_at: datetime, queue: str) -> Reason:
    """Anyone may claim it: is there anyone, and what comes first?"""
    missing = _missing(program)
    since = span(-_seconds_until(program, due_at))
    if missing:
        return Reason(f"{missing}; due for {since}", needs_somebody=True)
    if program.losses:
        times = "once" if program.losses == 1 else f"{program.losses} times"
        return Reason(
            f"its worker was lost {times} at this step: one such program at a time runs in a "
            f"process; due for {since}"
        )
    before = Program.objects.using(program.alias).ripe(queue).unclaimed().exclude(pk=program.pk)
    ahead = before.filter(due_at__lt=due_at).order_by()[:AHEAD_AT_MOST].count()
    more = " or more" if ahead == AHEAD_AT_MOST else ""
    line = f"{ahead}{more} before it" if ahead else "it is next"
    return Reason(f"due for {since}, in queue {queue} {line}: the next free slot takes it")


def _missing(program: Program) -> str:
    """Tell which worker is missing for the program to go on; empty where none is."""
    workers = list(Worker.objects.using(program.alias).claiming())
    serving = [worker for worker in workers if program.queue in worker.queues]
    if not serving:
        return f"no live worker serves queue {program.queue}"
    if not any(program.job in worker.jobs for worker in serving):
        return f"no live worker of queue {program.queue} knows job {program.job}"
    return ""


def _queue_pause(program: Program) -> str:
    """Tell that the program's queue is paused, since when and by whom; empty where it is not."""
    queue = Queue.objects.using(program.alias).paused().filter(name=program.queue).first()
    if queue is None or queue.paused_at is None:
        return ""
    ago = span(-_seconds_until(program, queue.paused_at))
    last = queue.last_operation()
    who = f" by {last.by}" if last is not None and last.by else ""
    return f"queue {queue.name} is paused ({ago} ago{who})"


def _by(program: Program, verb: Verb) -> str:
    operation = program.operations.filter(verb=verb).last()
    if operation is None:
        return ""
    ago = span(-_seconds_until(program, operation.created_at))
    return f" {ago} ago" + (f" by {operation.by}" if operation.by else "")


def _seconds_until(program: Program, when: datetime) -> float:
    return (when - now(program.alias)).total_seconds()


def _clock_time(when: datetime) -> str:
    try:
        local = timezone.localtime(when) if timezone.is_aware(when) else when
    except OverflowError:  # the last of all moments, say, for "never"
        local = when
    same_day = local.date() == datetime.now(local.tzinfo).date()
    return f"{local:%H:%M:%S}" if same_day else f"{local:%Y-%m-%d %H:%M:%S}"
