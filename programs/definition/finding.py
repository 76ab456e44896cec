"""Finding definitions by name, in code first, and starting programs of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from programs import specification, submission, typed
from programs.conf import settings
from programs.data import JsonObject
from programs.definition.code import registered_definitions
from programs.definition.recipe import NAME, AnyDefinition
from programs.definition.table import StoredDefinition
from programs.errors import InvalidProgram, UnknownDefinition
from programs.models import Definition, Program


def find_definition(name: Any, using: str | None = None) -> AnyDefinition | None:
    """Return the definition of this name, that in code before that in the table; None: none."""
    if not isinstance(name, str) or not NAME.fullmatch(name):  # databases refuse some characters
        return None
    in_code = registered_definitions().get(name)
    if in_code is not None:
        return in_code
    rows = Definition.objects.using(using or settings.DATABASE).filter(name=name)
    # Some databases compare without regard to case.
    return next((StoredDefinition.of(row) for row in rows if row.name == name), None)


def known_definitions(using: str | None = None) -> list[AnyDefinition]:
    """Return all definitions by name; a row that one in code hides says so (`is_shadowed`)."""
    in_code = registered_definitions()
    stored = [
        StoredDefinition.of(row, is_shadowed=row.name in in_code)
        for row in Definition.objects.using(using or settings.DATABASE)
    ]
    found: list[AnyDefinition] = [*in_code.values(), *stored]
    return sorted(found, key=lambda each: (each.name, not each.is_in_code))


def _startable(
    name: str,
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    *,
    queue: str | None = None,
    using: str | None = None,
) -> dict[str, Any]:
    """Return the arguments of `create_program` that start this definition, all checked but data.

    Raises `UnknownDefinition` and `InvalidProgram`.
    """
    using = using or settings.DATABASE
    definition = find_definition(name, using)
    if definition is None:
        raise UnknownDefinition(f"there is no definition {name!r}, in code or made by an operator")
    if missing := definition.missing_jobs(using):
        raise InvalidProgram(
            "jobs",
            f"definition {definition.name!r} names the job {missing[0]!r}, which neither this "
            "process nor any live worker knows: register it again, or change the definition",
        )
    merged, merged_job_data = definition.merged(program_data, job_data)
    return {
        "jobs": definition.jobs,
        "program_data": merged,
        "job_data": merged_job_data,
        "queue": definition.queue if queue is None else queue,
        "data_class": definition.data_class,
        "definition": definition.name,
    }


def start_program(
    name: str,
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    *,
    queue: str | None = None,
    run_at: datetime | None = None,
    idempotency_key: str | None = None,
    created_by: str | None = None,
    using: str | None = None,
) -> Program:
    """Create a program of the definition `name` and return it, as `create_program` does.

    `program_data` and `job_data` are merged over the definition's, key by key, job data within
    each job. Raises `UnknownDefinition`, `InvalidProgram` (with the field `jobs` where a job of
    the definition has vanished) and `IdempotencyConflict`.
    """
    return submission.create_program(
        **_startable(name, program_data, job_data, queue=queue, using=using),
        run_at=run_at,
        idempotency_key=idempotency_key,
        created_by=created_by,
        using=using,
    )


def check_start(name: str, program_data: Any, job_data: Any, *, using: str | None = None) -> None:
    """Raise what `start_program` would raise for this data, and start nothing."""
    arguments = _startable(name, program_data, job_data, using=using)
    parts = [arguments[part] for part in ("jobs", "program_data", "job_data")]
    program = specification.unsaved_program(*parts, queue=arguments["queue"])
    typed.checked_data(
        program.jobs, program.program_data, program.job_data, data_class=arguments["data_class"]
    )
