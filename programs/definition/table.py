"""Definitions in the table: what operators save, change and delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from programs import registry, specification, typed
from programs.conf import settings
from programs.data import JsonObject
from programs.definition.code import registered_definitions
from programs.definition.recipe import (
    AnyDefinition,
    checked_description,
    checked_name,
    checked_parts,
)
from programs.errors import InvalidDefinition, OperationRefused
from programs.models import Definition, Operation, Program, Schedule, Verb
from programs.models.clock import Utc
from programs.models.columns import DEFAULT_QUEUE
from programs.signature import Signature
from programs.typed import FieldError


@dataclass(frozen=True, kw_only=True)
class StoredDefinition(AnyDefinition):
    """A definition that an operator made: one row."""

    row: Definition

    @classmethod
    def of(cls, row: Definition, *, is_shadowed: bool = False) -> StoredDefinition:
        """Return what a row says; rows may be others' work."""
        job_data = row.job_data if isinstance(row.job_data, dict) else {}
        return cls(
            name=row.name,
            jobs=job_names(row),
            program_data=row.program_data if isinstance(row.program_data, dict) else {},
            job_data={name: own for name, own in job_data.items() if isinstance(own, dict)},
            queue=row.queue,
            description=row.description or "",  # Oracle keeps no empty text
            row=row,
            is_shadowed=is_shadowed,
        )


def job_names(row: Definition) -> list[str]:
    """Return the names of a row's jobs; rows may be others' work."""
    return [str(name) for name in row.jobs] if isinstance(row.jobs, list) else []


def save_definition(
    name: str,
    jobs: Sequence[str],
    *,
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    queue: str = DEFAULT_QUEUE,
    description: str = "",
    by: str | None = None,
    reason: str = "",
    using: str | None = None,
) -> Definition:
    """Make a definition and return its row; its data may lack what a start will give.

    Raises `InvalidDefinition`, which names the fields, also for a name that is taken.
    """
    using = using or settings.DATABASE
    signature = Signature.of(by, reason)
    name = checked_name(name)
    parts = _checked(jobs, program_data, job_data, queue, using)
    row = Definition(name=name, description=checked_description(description), **_columns(parts))
    row.created_by = signature.by
    if (taken := registered_definitions().get(name)) is not None:
        raise InvalidDefinition("name", f"{name!r} is taken by a definition in {taken.place}")
    try:
        with transaction.atomic(using=using):
            row.save(using=using, force_insert=True)
            _record(row, Verb.ADD_DEFINITION, signature, {"jobs": row.jobs}, using)
    except IntegrityError as error:
        raise InvalidDefinition("name", f"{name!r} is taken by another definition") from error
    row.refresh_from_db(using=using)
    return row


def change_definition(
    row: Definition,
    *,
    jobs: Sequence[str] | None = None,
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    queue: str | None = None,
    description: str | None = None,
    by: str | None = None,
    reason: str = "",
) -> Definition:
    """Change what is given, and return the row as it is afterwards; its name stays.

    No program that exists changes, and all that start from now on follow it. Raises
    `InvalidDefinition`, and `OperationRefused` when it is gone.
    """
    using = row._state.db or settings.DATABASE
    signature = Signature.of(by, reason)
    rows = Definition.objects.using(using).filter(pk=row.pk)
    with transaction.atomic(using=using):
        # By a write, which locks on every database: what is not given is what stands there now.
        if not rows.update(updated_at=Utc()):
            raise OperationRefused(f"definition {row.name} is gone: it cannot be changed")
        same = rows.get()
        parts = _checked(
            same.jobs if jobs is None else jobs,
            same.program_data if program_data is None else program_data,
            same.job_data if job_data is None else job_data,
            same.queue if queue is None else queue,
            using,
        )
        told = same.description if description is None else checked_description(description)
        columns = {**_columns(parts), "description": told}
        changed = {name: new for name, new in columns.items() if getattr(same, name) != new}
        if changed:
            rows.update(**changed)
            # Not the data itself: who may see operations need not see secrets.
            detail = {"changed": sorted(changed), "jobs": parts.jobs}
            _record(row, Verb.CHANGE_DEFINITION, signature, detail, using)
    row.refresh_from_db(using=using)
    return row


def delete_definition(row: Definition, by: str | None = None, reason: str = "") -> None:
    """Delete it; the programs that were started from it stay, and keep its name.

    Raises `OperationRefused` while it has schedules, and when it is gone.
    """
    using = row._state.db or settings.DATABASE
    signature = Signature.of(by, reason)
    count = Schedule.objects.using(using).of(row.name).count()
    if count and row.name not in registered_definitions():  # else they are that one's
        schedules = "1 schedule" if count == 1 else f"{count} schedules"
        raise OperationRefused(
            f"definition {row.name} has {schedules}: delete them first, then the definition"
        )
    with transaction.atomic(using=using):
        deleted, _ = Definition.objects.using(using).filter(pk=row.pk).delete()
        if not deleted:
            raise OperationRefused(f"definition {row.name} is gone already")
        _record(row, Verb.DELETE_DEFINITION, signature, {"jobs": row.jobs}, using)


def _checked(jobs: Any, program_data: Any, job_data: Any, queue: Any, using: str) -> Program:
    """Return an unsaved program of these parts, or raise `InvalidDefinition`.

    What a serializer of the jobs says is heard only about what is given: the rest may come later.
    """
    parts = checked_parts(jobs, program_data, job_data, queue)
    unknown = specification.unknown_jobs(parts.jobs, using)
    for index, name in enumerate(parts.jobs):
        if registry.is_internal([name]):
            raise InvalidDefinition(f"jobs[{index}]", f"is the engine's own job {name!r}")
        if name in unknown:
            raise InvalidDefinition(f"jobs[{index}]", str(registry.unknown(name)))
    errors: list[tuple[str, str]] = []
    for each in typed.program_data_classes(parts.jobs):
        found = typed.errors_of(each, parts.program_data)
        errors += _of_what_is_given("program_data", found, parts.program_data)
    for name, each in typed.job_data_classes(parts.jobs).items():
        own = parts.job_data.get(name, {})
        errors += _of_what_is_given(f"job_data.{name}", typed.errors_of(each, own), own)
    if errors:
        raise InvalidDefinition(*errors[0], errors=list(dict.fromkeys(errors)))
    return parts


def _of_what_is_given(
    field: str, errors: Sequence[FieldError], value: Any
) -> list[tuple[str, str]]:
    return [
        (f"{field}.{error.field}", error.message)
        for error in errors
        if error.path and _is_given(value, error.path)
    ]


def _is_given(value: Any, path: Sequence[str | int]) -> bool:
    try:
        for step in path:
            value = value[step]
    except (LookupError, TypeError):
        return False
    return True


def _columns(parts: Program) -> dict[str, Any]:
    names = ("jobs", "program_data", "job_data", "queue")
    return {name: getattr(parts, name) for name in names}


def _record(
    row: Definition, verb: Verb, signature: Signature, detail: JsonObject, using: str
) -> None:
    Operation.objects.using(using).create(
        subject=row.name, verb=verb, by=signature.by, reason=signature.reason, detail=detail
    )
