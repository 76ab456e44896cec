"""One operation, done to many programs by a program of the engine's own.

`start` creates it. What became of each program is a `BulkOutcome`, written in the transaction of
the deed: an operation that goes on after a crash, or that two slots carry out for a moment, does
nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import reduce
from operator import or_
from types import NoneType
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from programs import operations, registry
from programs.conf import settings
from programs.data import JsonObject
from programs.errors import (
    InvalidProgram,
    OperationRefused,
    ProgramNotFound,
    RetryableError,
    StopRequested,
)
from programs.inspection import Count, Selection
from programs.job import Job, JobData
from programs.message import Message
from programs.models import BulkOutcome, Program, Queue, State, Verb, Worker
from programs.models.bulk import BulkOutcomeQuerySet
from programs.models.columns import DEFAULT_QUEUE
from programs.models.persistence import TRANSIENT_ERRORS, is_outage
from programs.models.state import where
from programs.registry import register
from programs.submission import create_program

NAMED_AT_MOST = 1000  # programs that are meant one by one
RUN_ID_LENGTH = 255  # characters
BATCH = 100  # programs between two checkpoints
SPAN = 50_000  # primary keys that one statement looks through for those that match

DEEDS: dict[Verb, Callable[..., Program]] = {
    Verb.STOP: operations.stop_program,
    Verb.PAUSE: operations.pause_program,
    Verb.RESUME: operations.resume_program,
    Verb.RETRY: operations.retry_program,
}
SETS_GOING = frozenset({Verb.RESUME, Verb.RETRY, Verb.SKIP})


@dataclass(frozen=True)
class Order:
    """What an operator wants done to which programs: the ones named, or all that match."""

    verb: Verb
    selection: Selection | None = None  # all that match, in a state in which the verb can be done
    run_ids: tuple[str, ...] = ()  # or these, whatever state they are in
    up_to: int = 0  # the highest primary key of those that match: newer ones are not meant
    by: str | None = None
    reason: str = ""
    total: int | None = None  # how many there are; None where they were too many to be counted

    def encode(self) -> JsonObject:
        """Return the program data that `decode` reads."""
        return {
            "verb": self.verb.value,
            "selection": None if self.selection is None else self.selection.encode(),
            "run_ids": None if self.selection is not None else list(self.run_ids),
            "up_to": self.up_to,
            "by": self.by,
            "reason": self.reason,
            "total": self.total,
        }

    @classmethod
    def decode(cls, given: Any) -> Order:
        """Read program data; raise `InvalidProgram` that names what is wrong."""
        if not isinstance(given, dict):  # rows may be others' work
            raise InvalidProgram("program_data", "must be a JSON object (a dict)")
        verb = given.get("verb")
        if not isinstance(verb, str) or verb not in DEEDS:
            raise InvalidProgram("verb", f"must be one of {', '.join(DEEDS)}")
        selection, run_ids = given.get("selection"), given.get("run_ids")
        if (selection is None) == (run_ids is None):
            raise InvalidProgram("run_ids", "or a selection must be given, and not both")
        if not isinstance(selection, (dict, NoneType)):
            raise InvalidProgram("selection", "must be a JSON object (a dict)")
        return cls(
            verb=Verb(verb),
            selection=None if selection is None else Selection.parse(selection),
            run_ids=() if run_ids is None else checked(run_ids),
            up_to=given.get("up_to") or 0,
            by=given.get("by"),
            reason=given.get("reason") or "",
            total=given.get("total"),
        )

    def batches(self, bulk: Program, last: int) -> Iterator[tuple[int, list[tuple[str, bool]]]]:
        """Yield run ids, each with whether it is the engine's own, and the key they reach to.

        `bulk`: who asks, and is not meant. `last`: the key that was reached before.
        """
        programs = Program.objects.all()
        if self.selection is None:
            for start in range(0, len(self.run_ids), BATCH):
                named = self.run_ids[start : start + BATCH]
                found = programs.filter(run_id__in=named).values_list("run_id", "jobs")
                internal = {run_id for run_id, jobs in found if registry.is_internal(jobs)}
                yield last, [(run_id, run_id in internal) for run_id in named]
            return
        meant = self.selection.every().filter(possible(self.verb)).exclude(pk=bulk.pk)
        keys = programs.filter(pk__lte=self.up_to).order_by("pk").values_list("pk", flat=True)
        while (first := keys.filter(pk__gt=last).first()) is not None:
            end = min(first + SPAN - 1, self.up_to)
            rows = meant.filter(pk__gte=first, pk__lte=end).values_list("pk", "run_id", "jobs")
            batch = list(rows[:BATCH])
            last = batch[-1][0] if len(batch) == BATCH else end
            yield last, [(run_id, registry.is_internal(jobs)) for _, run_id, jobs in batch]


@register
class BulkOperation(Job):
    """Does to many programs what an operator asked for, one after the other."""

    name = "programs.bulk"
    internal = True

    def execute(self, message: Message, job_data: JobData) -> None:
        order = Order.decode(message.program_data)
        try:
            self._carry_out(order, Program.objects.get(run_id=message.run_id), job_data)
        except TRANSIENT_ERRORS as error:
            if is_outage(error):
                RetryableError.decorate(error)
            raise

    def _carry_out(self, order: Order, bulk: Program, job_data: JobData) -> None:
        tally = _tally(bulk, order)
        job_data.checkpoint(tally)
        for last, batch in order.batches(bulk, job_data.get().get("last", 0)):
            run_ids = [run_id for run_id, _ in batch]
            treated = set(
                outcomes_of(bulk).filter(run_id__in=run_ids).values_list("run_id", flat=True)
            )
            for run_id, is_ours in batch:
                if job_data.stop_requested:
                    job_data.checkpoint(tally)
                    raise StopRequested
                if run_id not in treated:
                    outcome = _treat(run_id, order, bulk, is_ours=is_ours)
                    tally["done" if outcome.refusal is None else "refused"] += 1
            job_data.checkpoint({**tally, "last": last})
        job_data.checkpoint(_tally(bulk, order))


def start(
    verb: Verb,
    *,
    selection: Selection | None = None,
    run_ids: Sequence[str] | None = None,
    by: str | None,
    reason: str = "",
    up_to: int | None = None,
    total: int | None = None,
    idempotency_key: str | None = None,
) -> Program:
    """Create the program that does `verb` to all that match, or to the programs of `run_ids`.

    `up_to`: the highest primary key that is meant, by default that of now. `total`: how many there
    are, where that is known. Raises what `create_program` raises.
    """
    newest = Program.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    named = None if run_ids is None else checked(run_ids)
    order = {
        "verb": verb,
        "selection": None if selection is None else selection.encode(),
        "run_ids": None if named is None else list(named),
        "up_to": newest if up_to is None else min(up_to, newest),
        "by": by,
        "reason": reason,
        "total": total if named is None else len(named),
    }
    with transaction.atomic(using=settings.DATABASE):
        program = create_program(
            [BulkOperation.name],
            Order.decode(order).encode(),
            queue=_served_queue(),
            created_by=by,
            idempotency_key=idempotency_key,
        )
        if program.was_created:
            _put_first(program)
    return program


def checked(run_ids: Sequence[Any]) -> tuple[str, ...]:
    """Return these run ids, each once; raise `InvalidProgram` for what can be none."""
    if not isinstance(run_ids, (list, tuple)) or not 1 <= len(run_ids) <= NAMED_AT_MOST:
        raise InvalidProgram("run_ids", f"must be a list of 1 to {NAMED_AT_MOST} run ids")
    for run_id in run_ids:
        is_storable = isinstance(run_id, str) and run_id.isprintable()
        if not is_storable or not 1 <= len(run_id) <= RUN_ID_LENGTH:
            raise InvalidProgram("run_ids", f"holds {run_id!r:.60}, which is no run id")
    return tuple(dict.fromkeys(run_ids))


def possible(verb: Verb) -> Q:
    """Return the condition that a program is in a state in which `verb` can be done."""
    return reduce(or_, map(where, possible_states(verb)))


def possible_states(verb: Verb) -> list[State]:
    """Return the states in which `verb` can be done."""
    return [state for state in State if state in operations.ALLOWED[verb]]


def count(verb: Verb, selection: Selection) -> Count:
    """Count those that match and that `verb` can be done to, as far as a page may."""
    states = possible_states(verb)
    if selection.state is not None:
        return selection.count() if selection.state in states else Count(0, True)
    if not selection.is_indexed or selection.since or selection.until:
        return selection.count(among=possible(verb))
    counts = [replace(selection, state=state).count() for state in states]
    return Count(sum(each.number for each in counts), all(each.is_exact for each in counts))


def deed_behind(verb: Verb, program: Program) -> Verb | None:
    """Return what a bulk operation does to others once `verb` sets it going; None for all else.

    Whoever sets it going needs the permission of that, too: it is done in its starter's name.
    """
    if verb not in SETS_GOING or not isinstance(program.jobs, list):
        return None
    given = program.program_data if BulkOperation.name in program.jobs else None
    deed = given.get("verb") if isinstance(given, dict) else None
    return Verb(deed) if isinstance(deed, str) and deed in DEEDS else None


def outcomes_of(bulk: Program) -> BulkOutcomeQuerySet:
    """Return what became of the programs that `bulk` has gone over."""
    outcomes: BulkOutcomeQuerySet = BulkOutcome.objects.using(bulk.alias).filter(bulk=bulk)
    return outcomes


# The deed -----------------------------------------------------------------------------------


def _treat(run_id: str, order: Order, bulk: Program, *, is_ours: bool) -> BulkOutcome:
    """Do it to one program, and keep what became of it; what is kept already is not done again."""
    outcomes = BulkOutcome.objects.using(bulk.alias)
    try:
        with transaction.atomic(using=bulk.alias):
            # First: it locks out another slot that may be at the same program.
            outcome = outcomes.create(bulk=bulk, run_id=run_id)
            try:
                if is_ours:
                    raise OperationRefused(
                        f"program {run_id} is the engine's own: treat it on its own page"
                    )
                DEEDS[order.verb](run_id, by=order.by, reason=order.reason)
            except (OperationRefused, ProgramNotFound) as refusal:
                outcome.refusal = str(refusal)
                outcome.save(update_fields=["refusal"])
            return outcome
    except IntegrityError:
        return outcomes.get(bulk=bulk, run_id=run_id)


def _tally(bulk: Program, order: Order) -> dict[str, Any]:
    outcomes = outcomes_of(bulk)
    done, refused = outcomes.done().count(), outcomes.refused().count()
    return {"done": done, "refused": refused, "total": order.total}


# The start ----------------------------------------------------------------------------------


def _served_queue() -> str:
    """Return a queue whose programs are run now, the default one if it is such."""
    serving = [worker for worker in Worker.objects.claiming() if BulkOperation.name in worker.jobs]
    served = {queue for worker in serving for queue in worker.queues}
    running = served - Queue.objects.paused().names()
    return DEFAULT_QUEUE if DEFAULT_QUEUE in running or not running else min(running)


def _put_first(program: Program) -> None:
    """Put a program before all that are due in its queue: it may be there to stop them."""
    assert program.queue is not None
    rows = Program.objects.using(program.alias)
    before = rows.ripe(program.queue).unclaimed().exclude(pk=program.pk)
    oldest = before.values_list("due_at", flat=True).first()
    if oldest is not None:
        try:
            first = oldest - timedelta(milliseconds=1)
        except OverflowError:  # somebody wrote the first of all moments: nothing is before it
            first = oldest
        rows.filter(pk=program.pk, due_at__gt=first).update(due_at=first)
