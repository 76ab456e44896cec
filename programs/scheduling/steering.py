"""What operators do to schedules: console, API and command line share these functions.

Each takes `by` (who) and `reason` (why), and writes what was done in the same transaction. Each
raises `InvalidSchedule`, which names the field, and `OperationRefused` where it cannot be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from programs.conf import settings
from programs.data import JsonObject
from programs.errors import OperationRefused
from programs.models import CatchUp, Operation, Overlap, Program, Schedule, Tick, TickOutcome, Verb
from programs.models.clock import Utc, database_now, instant, storable
from programs.models.schedule import ScheduleQuerySet
from programs.scheduling.checking import checked
from programs.scheduling.ticking import run_now
from programs.scheduling.timetable import Timetable
from programs.signature import Signature


def create_schedule(
    definition: str,
    *,
    cron: str | None = None,
    interval: int | None = None,
    time_zone: str = "UTC",
    description: str = "",
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    catch_up: str = CatchUp.LAST,
    catch_up_limit: int = 10,
    overlap: str = Overlap.SKIP,
    by: str | None = None,
    reason: str = "",
    using: str | None = None,
) -> Schedule:
    """Make a schedule of the definition of this name, and return it.

    Either `cron`, five fields as they stand on the clocks of `time_zone`, or `interval`, in
    seconds, counted from now. `program_data` and `job_data` are merged over the definition's.
    """
    using = using or settings.DATABASE
    signature = Signature.of(by, reason)
    columns = checked(
        {
            "definition": definition,
            "cron": cron,
            "interval": interval,
            "time_zone": time_zone,
            "description": description,
            "program_data": {} if program_data is None else program_data,
            "job_data": {} if job_data is None else job_data,
            "catch_up": catch_up,
            "catch_up_limit": catch_up_limit,
            "overlap": overlap,
        },
        using,
    )
    schedule = Schedule(**columns, created_by=signature.by)
    with transaction.atomic(using=using):
        schedule.next_at = _next_at(schedule, using)
        schedule.save(using=using, force_insert=True)
        _record(schedule, Verb.CREATE_SCHEDULE, signature, {"when": _when(schedule)})
    schedule.refresh_from_db(using=using)
    return schedule


def change_schedule(
    schedule: Schedule, *, by: str | None = None, reason: str = "", **changes: Any
) -> Schedule:
    """Change what is given, by the names that `create_schedule` has, and return the schedule.

    A cron expression takes the place of an interval, and the other way round. Where the moments
    change, the next tick is counted from now.
    """
    using = schedule.alias
    signature = Signature.of(by, reason)
    with transaction.atomic(using=using):
        same = _locked(schedule)
        before = {name: getattr(same, name) for name in COLUMNS}
        given = dict(changes)
        for one, other in (("cron", "interval"), ("interval", "cron")):
            if given.get(one) is not None and other not in given:
                given[other] = None
        columns = checked({**before, **given}, using)
        changed = {name: new for name, new in columns.items() if before[name] != new}
        if changed:
            for name, new in changed.items():
                setattr(same, name, new)
            if changed.keys() & {"cron", "interval", "time_zone"} and not same.is_paused:
                changed["next_at"] = _next_at(same, using)
            _row(same).update(**changed, updated_at=Utc())
            # Not the data itself: who may see operations need not see secrets.
            detail = {"changed": sorted(changed.keys() - {"next_at"}), "when": _when(same)}
            _record(same, Verb.CHANGE_SCHEDULE, signature, detail)
    schedule.refresh_from_db(using=using)
    return schedule


def delete_schedule(schedule: Schedule, *, by: str | None = None, reason: str = "") -> None:
    """Delete it and the history of its ticks; the programs that it has started stay."""
    signature = Signature.of(by, reason)
    with transaction.atomic(using=schedule.alias):
        same = _locked(schedule)
        _record(same, Verb.DELETE_SCHEDULE, signature, {"when": _when(same)})
        _row(same).delete()


def pause_schedule(schedule: Schedule, *, by: str | None = None, reason: str = "") -> Schedule:
    """Let it tick no more; a tick that waits for an earlier program is skipped."""
    using = schedule.alias
    signature = Signature.of(by, reason)
    with transaction.atomic(using=using):
        same = _locked(schedule)
        if same.is_paused:
            raise OperationRefused(f"{same} is paused: it cannot be paused again")
        _row(same).update(paused_at=Utc(), next_at=None, queued_at=None, updated_at=Utc())
        waiting = Tick.objects.using(using).filter(schedule=same, outcome=TickOutcome.QUEUED)
        waiting.update(outcome=TickOutcome.SKIPPED, message="the schedule was paused")
        _record(same, Verb.PAUSE_SCHEDULE, signature)
    schedule.refresh_from_db(using=using)
    return schedule


def resume_schedule(schedule: Schedule, *, by: str | None = None, reason: str = "") -> Schedule:
    """Let it tick again from now on; what the pause left out is not caught up."""
    using = schedule.alias
    signature = Signature.of(by, reason)
    with transaction.atomic(using=using):
        same = _locked(schedule)
        if not same.is_paused:
            raise OperationRefused(f"{same} is not paused: it cannot be resumed")
        next_at = _next_at(same, using)
        _row(same).update(paused_at=None, next_at=next_at, updated_at=Utc())
        _record(same, Verb.RESUME_SCHEDULE, signature)
    schedule.refresh_from_db(using=using)
    return schedule


def run_schedule(schedule: Schedule, *, by: str | None = None, reason: str = "") -> Program:
    """Start a program of it now, and return it: also while it is paused, and beside open ones.

    Its moments stay as they are. Raises `UnknownDefinition` and `InvalidProgram` besides.
    """
    using = schedule.alias
    signature = Signature.of(by, reason)
    with transaction.atomic(using=using):
        same = _locked(schedule)
        program = run_now(same, _now(using), signature.by)
        _record(same, Verb.RUN_SCHEDULE, signature, {"run_id": program.run_id})
    return program


def next_ticks(schedule: Schedule, count: int = 5) -> list[datetime]:
    """Return when it ticks next, as aware moments; none while it is paused.

    Raises `InvalidSchedule` where this process cannot tell.
    """
    if schedule.next_at is None:
        return []
    first = instant(schedule.next_at, schedule.alias)
    timetable = Timetable(schedule.cron, schedule.interval, schedule.time_zone)
    return [first, *timetable.next(count - 1, first)]


COLUMNS = (
    "definition",
    "cron",
    "interval",
    "time_zone",
    "description",
    "program_data",
    "job_data",
    "catch_up",
    "catch_up_limit",
    "overlap",
)


def _row(schedule: Schedule) -> ScheduleQuerySet:
    return Schedule.objects.using(schedule.alias).filter(pk=schedule.pk)


def _locked(schedule: Schedule) -> Schedule:
    """Return the schedule as it is, and keep others from changing it in this transaction.

    By a write, which locks on every database; `FOR UPDATE` does not.
    """
    if not _row(schedule).update(updated_at=Utc()):
        raise OperationRefused(f"{schedule} is gone: somebody has deleted it")
    return _row(schedule).get()


def _now(using: str) -> datetime:
    return instant(database_now(using), using)


def _next_at(schedule: Schedule, using: str) -> datetime | None:
    # Checked once more: the row that is resumed may be others' work.
    timetable = Timetable.checked(schedule.cron, schedule.interval, schedule.time_zone)
    following = timetable.after(_now(using))
    return None if following is None else storable(following, using)


def _when(schedule: Schedule) -> str:
    if schedule.interval is not None:
        return f"every {schedule.interval} s"
    return f"{schedule.cron} ({schedule.time_zone})"


def _record(
    schedule: Schedule, verb: Verb, signature: Signature, detail: JsonObject | None = None
) -> None:
    Operation.objects.using(schedule.alias).create(
        subject=str(schedule.pk),
        verb=verb,
        by=signature.by,
        reason=signature.reason,
        detail={"definition": schedule.definition, **(detail or {})},
    )
