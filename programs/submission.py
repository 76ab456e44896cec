"""Creating programs: checked at the border, stored in the caller's transaction, then hinted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Never

from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction

from programs import signals, specification, tracing
from programs.conf import settings
from programs.data import JsonObject
from programs.errors import IdempotencyConflict, InvalidProgram
from programs.models import Program, creating
from programs.models.columns import DEFAULT_QUEUE
from programs.relay import publish


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
    specification.refuse_unknown_fields(unknown)
    program = specification.checked(
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
    specification.refuse_unknown_jobs([program], using)
    if program.idempotency_key is not None:
        return _create_once(program, using, data_class)
    specification.fit(program, data_class)
    with tracing.creation([program]):
        creating.store(program, using)
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
    data_class: type[Any] | None = None,
    definition: str | None = None,
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
        data_class=data_class,
        definition=definition,
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
    for index, given in enumerate(specifications):
        try:
            specification.refuse_unknown_fields(given.keys() - specification.FIELDS)
            program = specification.checked(using, **{"jobs": [], **given})
            programs.append(specification.fit(program))
        except InvalidProgram as error:
            raise error.inside(f"[{index}]") from error
    specification.refuse_unknown_jobs(programs, using)
    keys = [program.idempotency_key for program in programs if program.idempotency_key]
    if len(set(keys)) < len(keys):
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise IdempotencyConflict(f"idempotency_key: {twice!r} is given twice: nothing was created")
    try:
        with tracing.creation(programs), transaction.atomic(using=using):
            creating.store_all(programs, using)
    except IntegrityError as error:
        if not keys:
            raise
        raise IdempotencyConflict(
            "one of the idempotency keys exists already: nothing was created"
        ) from error
    _announce(programs, using)
    return programs


# Idempotency --------------------------------------------------------------------------------


def _create_once(program: Program, using: str, data_class: type[Any] | None) -> Program:
    """Save a program with an idempotency key, or return the one that has the key already."""
    first = _first_with_key(program, using)
    if first is not None:
        return first  # though the same data might no longer fit
    specification.fit(program, data_class)
    try:
        with tracing.creation([program]), transaction.atomic(using=using):
            creating.store(program, using)
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


# After the commit ---------------------------------------------------------------------------


def _announce(programs: Sequence[Program], using: str) -> None:
    for program in programs:
        program.was_created = True
        stamp: object = program.created_at
        if not isinstance(stamp, datetime):  # MySQL returns nothing to Django 5.2
            program.refresh_from_db(fields=["created_at", "updated_at"])
        program.due_at = program.run_at or program.created_at  # in the place of an expression
    # No `partial`: one that fails has no name by which Django would log it, and raises therefore.
    transaction.on_commit(lambda: _created(programs), using=using, robust=True)


def _created(programs: Sequence[Program]) -> None:
    for program in programs:
        with tracing.within(program):
            if program.run_at is None:
                assert program.queue is not None
                publish(program.run_id, program.queue)
            signals.program_created.send_robust(sender=Program, program=program)
