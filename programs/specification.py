"""What a program is asked to be: checked field by field, before anything is stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from programs import data, dialect, registry, typed
from programs.conf import settings
from programs.data import JsonObject
from programs.errors import InvalidData, InvalidProgram
from programs.models import Program, Worker
from programs.models.clock import storable
from programs.models.columns import DEFAULT_QUEUE, NAME_LENGTH
from programs.models.definition import NAME_LENGTH as DEFINITION_LENGTH

QUEUE_NAME_LENGTH = 100  # characters
TEXT_LENGTH = 255  # characters of names, keys and the like

FIELDS = {
    "jobs",
    "program_data",
    "job_data",
    "queue",
    "run_at",
    "idempotency_key",
    "created_by",
}


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
    return checked(
        settings.DATABASE, jobs=jobs, program_data=program_data, job_data=job_data, queue=queue
    )


def refuse_unknown_fields(names: Iterable[str]) -> None:
    for name in sorted(names):
        if name in ("jobsData", "jobs_data", "jobData"):
            raise InvalidProgram("job_data", f"is the name of this field, not {name!r}")
        raise InvalidProgram(name, f"is no field of a program; there are {sorted(FIELDS)}")


def checked(
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
        idempotency_key=_optional_text("idempotency_key", idempotency_key),
        created_by=_optional_text("created_by", created_by),
        definition=_optional_text("definition", definition, DEFINITION_LENGTH),
    )
    if program.is_nodes:
        _refuse_what_node_cannot_execute(program)
    if program.idempotency_key is not None:
        program.content_hash = _content_hash(program)
    return program


def _refuse_what_node_cannot_execute(program: Program) -> None:
    if settings.AMQP_URL is None:
        told = f"{program.queue!r} is executed by Node, and there is no broker: set AMQP_URL"
        raise InvalidProgram("queue", told)
    refuse_unsafe_numbers("program_data", program.program_data)
    refuse_unsafe_numbers("job_data", program.job_data)


def refuse_unsafe_numbers(field: str, value: Any) -> None:
    """Refuse data with a whole number that Node would round."""
    if place := dialect.unsafe_number(value, field):
        told = f"is beyond ±{dialect.SAFE_INTEGER}, which Node cannot hold: give it as a text"
        raise InvalidProgram(place, told)


def fit(program: Program, data_class: type[Any] | None = None) -> Program:
    """Hold the data against what the jobs say of it, and fill in their defaults.

    Behind the digest of what was asked for, which later defaults must not change. Of the jobs that
    Node executes nothing is known here.
    """
    if program.is_nodes:
        return program
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


def refuse_unknown_jobs(programs: Sequence[Program], using: str) -> None:
    here = [program for program in programs if not program.is_nodes]
    unknown = unknown_jobs({name for program in here for name in program.jobs}, using)
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
