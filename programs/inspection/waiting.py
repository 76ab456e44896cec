"""Why a program waits, or what it is at, in one sentence."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

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


def why(program: Program, *, translated: bool = False) -> Reason | None:
    """Return what an open program waits for, as it was read; None for one that has ended.

    `translated`: into the language of a request's reader. Else it is told in English, which is what
    the API and the command line speak.
    """
    with nullcontext() if translated else override(None):
        return _why(program)


def _why(program: Program) -> Reason | None:
    state = program.state
    if state in ENDED:
        return None
    if program.worker is not None:
        return _held(program, state)
    if state is State.STOPPING:
        return Reason(_("asked to stop; the next worker that looks at it ends it"))
    if state is State.PAUSED:
        text = _("paused{when} until it is resumed").format(when=_by(program, Verb.PAUSE))
        return Reason(text, needs_somebody=True)
    if program.is_nodes:
        return _nodes(program)
    if program.due_at is None or program.queue is None:
        text = _(
            "inserted by another program, which may be running it; a hint on a queue adopts it"
        )
        return Reason(text, needs_somebody=True)
    if paused := _queue_pause(program):
        text = _("{paused}: nothing of it runs until it is resumed").format(paused=paused)
        return Reason(text, needs_somebody=True)
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
        return Reason(_("sent to Node, which executes queue {queue}").format(queue=program.queue))
    if program.state is State.SCHEDULED and program.run_at is not None:
        text = _("sent to Node at {moment}").format(moment=_clock_time(program.due_at))
        return Reason(text, program.due_at)
    text = _("to be sent to Node, which executes queue {queue}: RabbitMQ has not taken it yet")
    return Reason(text.format(queue=program.queue))


def _held(program: Program, state: State) -> Reason:
    """A slot has claimed it: its job runs, or its worker is gone."""
    assert program.due_at is not None
    left = _seconds_until(program, program.due_at)
    if left <= 0:
        text = _("{worker} has not been heard of: its lease ran out {span} ago").format(
            worker=program.worker, span=span(-left)
        )
        missing = _missing(program) or _queue_pause(program)
        then = missing or _("another worker takes it over")
        return Reason(f"{text}; {then}", None, bool(missing))
    running = ""
    if program.step_started_at is not None:
        since = span(-_seconds_until(program, program.step_started_at))
        running = _("job {job} has run for {span}").format(job=program.job, span=since)
    lease = _("{worker} holds it, its lease ends in {span} unless renewed").format(
        worker=program.worker, span=span(left)
    )
    if state is State.STOPPING:
        asked = _("asked to stop{when}; {running}: it ends at its next checkpoint; {lease}")
        when = _by(program, Verb.STOP)
        return Reason(asked.format(when=when, running=running, lease=lease))
    if state is State.PAUSED:
        text = _("paused{when}; {running} and ends first; {lease}")
        when = _by(program, Verb.PAUSE)
        return Reason(text.format(when=when, running=running, lease=lease))
    if paused := _queue_pause(program):
        text = _("{paused}; {running} and ends first; {lease}")
        return Reason(text.format(paused=paused, running=running, lease=lease))
    return Reason(f"{running}; {lease}")


def _scheduled(program: Program, due_at: datetime) -> Reason:
    """Its time has not come."""
    ahead = span(_seconds_until(program, due_at))
    when = _("{moment} (in {span})").format(moment=_clock_time(due_at), span=ahead)
    last = program.attempts.filter(step=program.step).last()
    if last is not None and last.outcome == Ending.UNKNOWN:
        missing = _missing(program)
        there = missing or _("a worker that knows job {job} is here now").format(job=program.job)
        text = _("{reason}; looked for again at {when}").format(reason=there, when=when)
        return Reason(text, due_at, bool(missing))
    if program.step_retry_count:
        job = registry.find(program.job)
        number = program.step_retry_count
        if job is not None and job.max_retries:
            text = _("retry {number} of {limit} at {when}")
            return Reason(text.format(number=number, limit=job.max_retries, when=when), due_at)
        return Reason(_("retry {number} at {when}").format(number=number, when=when), due_at)
    return Reason(_("scheduled for {when}").format(when=when), due_at)


def _due(program: Program, due_at: datetime, queue: str) -> Reason:
    """Anyone may claim it: is there anyone, and what comes first?"""
    missing = _missing(program)
    since = span(-_seconds_until(program, due_at))
    if missing:
        text = _("{reason}; due for {span}").format(reason=missing, span=since)
        return Reason(text, needs_somebody=True)
    if program.losses:
        text = ngettext(
            "its worker was lost once at this step: one such program at a time runs in a process; "
            "due for {span}",
            "its worker was lost {count} times at this step: one such program at a time runs in a "
            "process; due for {span}",
            program.losses,
        )
        return Reason(text.format(count=program.losses, span=since))
    before = Program.objects.using(program.alias).ripe(queue).unclaimed().exclude(pk=program.pk)
    ahead = before.filter(due_at__lt=due_at).order_by()[:AHEAD_AT_MOST].count()
    if ahead:
        many = ahead == AHEAD_AT_MOST
        line = _("{count} or more before it") if many else _("{count} before it")
    else:
        line = _("it is next")
    text = _("due for {span}, in queue {queue} {line}: the next free slot takes it")
    return Reason(text.format(span=since, queue=queue, line=line.format(count=ahead)))


def _missing(program: Program) -> str:
    """Tell which worker is missing for the program to go on; empty where none is."""
    workers = list(Worker.objects.using(program.alias).claiming())
    serving = [worker for worker in workers if program.queue in worker.queues]
    if not serving:
        return _("no live worker serves queue {queue}").format(queue=program.queue)
    if not any(program.job in worker.jobs for worker in serving):
        text = _("no live worker of queue {queue} knows job {job}")
        return text.format(queue=program.queue, job=program.job)
    return ""


def _queue_pause(program: Program) -> str:
    """Tell that the program's queue is paused, since when and by whom; empty where it is not."""
    queue = Queue.objects.using(program.alias).paused().filter(name=program.queue).first()
    if queue is None or queue.paused_at is None:
        return ""
    ago = span(-_seconds_until(program, queue.paused_at))
    last = queue.last_operation()
    by = last.by if last is not None else None
    told = _("queue {queue} is paused ({when})")
    return told.format(queue=queue.name, when=_ago(ago, by))


def _by(program: Program, verb: Verb) -> str:
    operation = program.operations.filter(verb=verb).last()
    if operation is None:
        return ""
    ago = span(-_seconds_until(program, operation.created_at))
    return f" {_ago(ago, operation.by)}"


def _ago(length: str, by: str | None) -> str:
    told = _("{span} ago by {name}") if by else _("{span} ago")
    return told.format(span=length, name=by)


def _seconds_until(program: Program, when: datetime) -> float:
    return (when - now(program.alias)).total_seconds()


def _clock_time(when: datetime) -> str:
    try:
        local = timezone.localtime(when) if timezone.is_aware(when) else when
    except OverflowError:  # the last of all moments, say, for "never"
        local = when
    same_day = local.date() == datetime.now(local.tzinfo).date()
    return f"{local:%H:%M:%S}" if same_day else f"{local:%Y-%m-%d %H:%M:%S}"
