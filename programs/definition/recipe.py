"""What a definition holds, wherever it stands, and what is made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from programs import specification
from programs.conf import settings
from programs.data import JsonObject, clean
from programs.errors import InvalidDefinition, InvalidInput
from programs.models import Program
from programs.models.columns import DEFAULT_QUEUE
from programs.models.definition import NAME_LENGTH

DESCRIPTION_LENGTH = 10_000  # characters
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{NAME_LENGTH - 1}}}")


@dataclass(frozen=True)
class AnyDefinition:
    """A named recipe for programs."""

    name: str
    jobs: list[str]
    program_data: JsonObject = field(default_factory=dict)
    job_data: dict[str, JsonObject] = field(default_factory=dict)
    queue: str = DEFAULT_QUEUE
    description: str = ""
    data_class: type[Any] | None = None  # a serializer of the program data

    is_shadowed: bool = False  # one in code has the same name, and is found in its place

    is_in_code: ClassVar[bool] = False

    def missing_jobs(self, using: str | None = None) -> list[str]:
        """Return those of its jobs that neither this process nor any live worker knows."""
        return specification.unknown_jobs(self.jobs, using or settings.DATABASE)

    def merged(
        self, program_data: Any = None, job_data: Any = None
    ) -> tuple[JsonObject, dict[str, JsonObject]]:
        """Return the data of a program: what is given over its own, key by key.

        Of job data, key by key in each job's own. Raises `InvalidProgram`.
        """
        given = specification.unsaved_program(
            # Data for no job of this is refused here.
            self.jobs,
            {} if program_data is None else program_data,
            {} if job_data is None else job_data,
        )
        whole = {**self.program_data, **given.program_data}
        names = dict.fromkeys([*self.job_data, *given.job_data])
        return whole, {
            name: {**self.job_data.get(name, {}), **given.job_data.get(name, {})} for name in names
        }


def checked_name(name: Any) -> str:
    """Return the name of a definition, or raise `InvalidDefinition`."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidDefinition(
            "name",
            f"must have 1 to {NAME_LENGTH} letters, digits, dots, dashes and underscores, a letter "
            "or digit first",
        )
    return name


def checked_parts(jobs: Any, program_data: Any, job_data: Any, queue: Any) -> Program:
    """Return an unsaved program of these, or raise `InvalidDefinition`."""
    try:
        return specification.unsaved_program(jobs, program_data, job_data, queue=queue)
    except InvalidInput as error:
        raise as_invalid_definition(error) from error


def as_invalid_definition(error: InvalidInput) -> InvalidDefinition:
    """Return what is wrong with a program as what is wrong with its definition."""
    return InvalidDefinition(error.field, error.reason, errors=error.errors)


def checked_description(description: Any) -> str:
    """Return a description, or raise `InvalidDefinition`."""
    if not isinstance(description, str):
        raise InvalidDefinition("description", f"must be a text, not {type(description).__name__}")
    if len(description) > DESCRIPTION_LENGTH:
        told = f"has {len(description)} characters; at most {DESCRIPTION_LENGTH}"
        raise InvalidDefinition("description", told)
    return clean(description.strip(), DESCRIPTION_LENGTH)
