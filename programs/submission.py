"""Creating programs: checked at the border, stored in the caller's transaction, then hinted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Never

from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction

from programs import data, registry, signals, typed
from programs.conf import settings
from programs.data import JsonObject
from programs.errors import IdempotencyConflict, InvalidData, InvalidProgram
from programs.models import Program, Worker
from programs.models.clock import Utc, database_now, storable
from programs.models.columns import DEFAULT_QUEUE, NAME_LENGTH
from programs.models.definition import NAME_LENGTH as DEFINITION_LENGTH
from programs.transport.publisher import publish

QUEUE_NAME_LENGTH = 100  # characters
TEXT_LENGTH = 255  # characters of names, keys and the like
BATCH = 500  # rows of one INSERT

FIELDS = {
    "jobs",
    "program_data",
    "job_data",
    "queue",
    "run_at",
    "idempotency_key",
    "created_by",
}


def create_program(
    jobs: Sequence[str],
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    *,
    queue: str = DEFAULT_QUEUE,
    run_at: datetime | None = None,
    idempotency_key: str | None = None,
    created_by: str | None = None,
    data_class: type[Any] | None = None,
    definition: str | None = None,
    using: str | None = None,
    **unknown: Never,
) -> Program:
    """Create a program and return it; it runs once the surrounding transaction has committed.

    `jobs`: names of registered jobs, in the order in which they run. `program_data`: what all of
    them see. `job_data`: the data of single jobs, keyed by job name. `run_at`: not before this
    moment (with a time zone). `idempotency_key`: unique for ever; the same key with the same
    content returns the first program. `data_class`: a serializer of the program data, beside those
    that the jobs have. `definition`: the name of what it is started from; it is kept, and not
    looked up. `using`: the database alias, by default `DATABASE`.

    Needs no broker and never waits for one. Raises `InvalidProgram`, which names the fields, and
    `IdempotencyConflict`.
    """
    using = using or settings.DATABASE
    _refuse_unknown_fields(unknown)
    program = _checked(
        using,
        jobs=jobs,
        program_data=program_data,
        job_data=job_data,
        queue=queue,
        run_at=run_at,
        idempotency_key=idempotency_key,
        created_by=created_by,
        definition=definition,
    )
    _refuse_unknown_jobs([program], using)
    if program.idempotency_key is not None:
        return _create_once(program, using, data_class)
    _fit(program, data_class)
    program.save(using=using, force_insert=True)
    _announce([program], using)
    return program


async def acreate_program(
    jobs: Sequence[str],
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    *,
    queue: str = DEFAULT_QUEUE,
    run_at: datetime | None = None,
    idempotency_key: str | None = None,
    created_by: str | None = None,
    using: str | None = None,
    **unknown: Never,
) -> Program:
    """`create_program` for async code."""
    return await sync_to_async(create_program)(
        jobs,
        program_data,
        job_data,
        queue=queue,
        run_at=run_at,
        idempotency_key=idempotency_key,
        created_by=created_by,
        using=using,
        **unknown,
    )


def create_programs(
    specifications: Iterable[Mapping[str, Any]], *, using: str | None = None
) -> list[Program]:
    """Create many programs in few statements, all or none, and return them in order.

    Each specification holds the arguments of `create_program` by name; of idempotency keys, none
    may exist yet. Raises `InvalidProgram` with the index of the specification in its message.
    """
    using = using or settings.DATABASE
    programs: list[Program] = []
    for index, specification in enumerate(specifications):
        try:
            _refuse_unknown_fields(specification.keys() - FIELDS)
            programs.append(_fit(_checked(using, **{"jobs": [], **specification})))
        except InvalidProgram as error:
            raise error.inside(f"[{index}]") from error
    _refuse_unknown_jobs(programs, using)
    keys = [program.idempotency_key for program in programs if program.idempotency_key]
    if len(set(keys)) < len(keys):
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise IdempotencyConflict(f"idempotency_key: {twice!r} is given twice: nothing was created")
    try:
        with transaction.atomic(using=using):
            _stamp(programs, database_now(using))
            created = Program.objects.using(using).bulk_create(programs, batch_size=BATCH)
    except IntegrityError as error:
        if not keys:
            raise
        raise IdempotencyConflict(
            "one of the idempotency keys exists already: nothing was created"
        ) from error
    _announce(created, using)
    return created


def _stamp(programs: Sequence[Program], moment: datetime) -> None:
    """Put the database's time where each row would have an expression for it: twice as quick."""
    for program in programs:
        program.created_at = program.updated_at = moment
        program.due_at = program.run_at or moment


# At the border ------------------------------------------------------------------------------


def refuse_internal(jobs: Any) -> None:
    """Refuse jobs that are the engine's own: console and API call this, Python code need not."""
    for index, name in enumerate(jobs if isinstance(jobs, (list, tuple)) else ()):
        job = registry.find(name) if isinstance(name, str) else None
        if job is not None and job.internal:
            told = f"is the engine's own job {name!r}: leave it out"
            raise InvalidProgram(f"jobs[{index}]", told)


def unsaved_program(
    jobs: Any, program_data: Any = None, job_data: Any = None, *, queue: Any = DEFAULT_QUEUE
) -> Program:
    """Return the program that these arguments make, checked for their form alone, and not saved.

    For recipes of programs. Raises `InvalidProgram`, which names the field.
    """
    return _checked(
        settings.DATABASE, jobs=jobs, program_data=program_data, job_data=job_data, queue=queue
    )


def _refuse_unknown_fields(names: Iterable[str]) -> None:
    for name in sorted(names):
        if name in ("jobsData", "jobs_data", "jobData"):
            raise InvalidProgram("job_data", f"is the name of this field, not {name!r}")
        raise InvalidProgram(name, f"is no field of a program; there are {sorted(FIELDS)}")


def _checked(
    using: str,
    *,
    jobs: Any,
    program_data: Any = None,
    job_data: Any = None,
    queue: Any = DEFAULT_QUEUE,
    run_at: Any = None,
    idempotency_key: Any = None,
    created_by: Any = None,
    definition: Any = None,
) -> Program:
    """Return an unsaved program of these arguments, or raise `InvalidProgram`."""
    names = _job_names(jobs)
    moment = _moment(run_at, using)
    program = Program(
        jobs=names,
        program_data=_object("program_data", {} if program_data is None else program_data),
        job_data=_job_data({} if job_data is None else job_data, names),
        queue=_text("queue", queue, QUEUE_NAME_LENGTH),
        run_at=moment,
        due_at=moment or Utc(),
        idempotency_key=_optional_text("idempotency_key", idempotency_key),
        created_by=_optional_text("created_by", created_by),
        definition=_optional_text("definition", definition, DEFINITION_LENGTH),
    )
    if program.idempotency_key is not None:
        program.content_hash = _content_hash(program)
    return program


def _fit(program: Program, data_class: type[Any] | None = None) -> Program:
    """Hold the data against what the jobs say of it, and fill in their defaults.

    Behind the digest of what was asked for, which later defaults must not change.
    """
    program.program_data, program.job_data = typed.checked_data(
        program.jobs, program.program_data, program.job_data, data_class=data_class
    )
    return program


def _job_names(jobs: Any) -> list[str]:
    if isinstance(jobs, (str, bytes)) or not isinstance(jobs, Sequence):
        raise InvalidProgram("jobs", f"must be a list of job names, not {type(jobs).__name__}")
    if not jobs:
        raise InvalidProgram("jobs", "is empty: name at least one job")
    if len(jobs) > settings.JOBS_LIMIT:
        raise InvalidProgram(
            "jobs", f"has {len(jobs)} entries; at most {settings.JOBS_LIMIT} (JOBS_LIMIT)"
        )
    return [_text(f"jobs[{index}]", name, NAME_LENGTH) for index, name in enumerate(jobs)]


def _job_data(value: Any, names: Sequence[str]) -> JsonObject:
    job_data = _object("job_data", value)
    for name, own in job_data.items():
        if name not in names:
            raise InvalidProgram("job_data", f"has data for {name!r}, which is none of the jobs")
        if not isinstance(own, dict):
            raise InvalidProgram(f"job_data.{name}", "must be a JSON object (a dict)")
    return job_data


def _object(field: str, value: Any) -> JsonObject:
    try:
        return data.stored(value)
    except InvalidData as error:
        raise InvalidProgram(field, str(error)) from error


def _text(field: str, value: Any, limit: int) -> str:
    if not isinstance(value, str):
        raise InvalidProgram(field, f"must be a text, not {type(value).__name__}")
    if not value.strip() or len(value) > limit:
        raise InvalidProgram(field, f"must have 1 to {limit} characters, not {len(value.strip())}")
    if "\0" in value or not value.isprintable():
        raise InvalidProgram(field, "holds characters that cannot be printed")
    return value


def _optional_text(field: str, value: Any, limit: int = TEXT_LENGTH) -> str | None:
    return None if value is None else _text(field, value, limit)


def _moment(run_at: Any, using: str) -> datetime | None:
    if run_at is None:
        return None
    if not isinstance(run_at, datetime):
        raise InvalidProgram("run_at", f"must be a datetime, not {type(run_at).__name__}")
    if run_at.utcoffset() is None:
        raise InvalidProgram("run_at", "has no time zone: give it one (datetime.now(UTC), say)")
    try:
        return storable(run_at.astimezone(UTC), using)
    except OverflowError as error:
        raise InvalidProgram("run_at", "is outside the years that can be stored") from error


def _refuse_unknown_jobs(programs: Sequence[Program], using: str) -> None:
    unknown = unknown_jobs({name for program in programs for name in program.jobs}, using)
    if unknown:
        raise InvalidProgram("jobs", str(registry.unknown(unknown[0])))


def unknown_jobs(names: Iterable[str], using: str) -> list[str]:
    """Return those job names, sorted, that neither this process nor any live worker knows.

    A process without any job of its own, which creates programs for workers elsewhere, can only
    tell while such a worker is live. With `UNKNOWN_JOBS` "skip" none counts as unknown.
    """
    if settings.UNKNOWN_JOBS == "skip":
        return []
    registered = registry.registered()
    unknown = set(names) - registered.keys()
    if not unknown:
        return []
    elsewhere = Worker.objects.using(using).live().known_jobs()
    has_own = any(not job.internal for job in registered.values())
    return sorted(unknown - elsewhere) if has_own or elsewhere else []


# Idempotency --------------------------------------------------------------------------------


def _create_once(program: Program, using: str, data_class: type[Any] | None) -> Program:
    """Save a program with an idempotency key, or return the one that has the key already."""
    first = _first_with_key(program, using)
    if first is not None:
        return first  # though the same data might no longer fit
    _fit(program, data_class)
    try:
        with transaction.atomic(using=using):
            program.save(using=using, force_insert=True)
    except IntegrityError:
        first = _first_with_key(program, using)  # another creation was quicker
        if first is None:
            raise
        return first
    _announce([program], using)
    return program


def _first_with_key(program: Program, using: str) -> Program | None:
    rows = Program.objects.using(using).filter(idempotency_key=program.idempotency_key)
    first = rows.first()
    if first is not None and first.content_hash != program.content_hash:
        raise IdempotencyConflict(
            f"idempotency_key: {program.idempotency_key!r} belongs to program {first.run_id}, "
            "which was created with other content"
        )
    return first


def _content_hash(program: Program) -> str:
    """Return a digest of what was asked for; the row itself changes while the program runs."""
    content = [
        program.jobs,
        program.program_data,
        program.job_data,
        program.queue,
        program.run_at and program.run_at.isoformat(),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# After the commit ---------------------------------------------------------------------------


def _announce(programs: Sequence[Program], using: str) -> None:
    for program in programs:
        program.was_created = True
        program.due_at = program.run_at or program.created_at  # in the place of an expression
    # No `partial`: one that fails has no name by which Django would log it, and raises therefore.
    transaction.on_commit(lambda: _created(programs), using=using, robust=True)


def _created(programs: Sequence[Program]) -> None:
    for program in programs:
        if program.run_at is None:
            assert program.queue is not None
            publish(program.run_id, program.queue)
        signals.program_created.send_robust(sender=Program, program=program)
