"""Definitions in code: registered where the jobs are, and found with them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from programs import registry
from programs.data import JsonObject
from programs.definition.recipe import (
    AnyDefinition,
    checked_description,
    checked_name,
    checked_parts,
)
from programs.errors import InvalidDefinition
from programs.models.columns import DEFAULT_QUEUE

_definitions: dict[str, DefinitionInCode] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class DefinitionInCode(AnyDefinition):
    """A definition that stands in code; operators see it, and change it there."""

    place: str = ""  # "module:line" of its registration

    is_in_code: ClassVar[bool] = True


def register_definition(
    name: str,
    jobs: Sequence[str],
    *,
    program_data: JsonObject | None = None,
    job_data: Mapping[str, JsonObject] | None = None,
    queue: str = DEFAULT_QUEUE,
    description: str = "",
    data_class: type[Any] | None = None,
) -> DefinitionInCode:
    """Register a definition; to be called in a module of jobs, which is imported at the start.

    `jobs`: names, in their order; the jobs need not be registered yet. `program_data`, `job_data`:
    what a program has where nothing else is given. `data_class`: a serializer of the program data.

    Raises `InvalidDefinition`, which names the field, also for a name that is taken.
    """
    parts = checked_parts(jobs, program_data, job_data, queue)
    if not registry.may_check_data(data_class):
        raise InvalidDefinition("data_class", f"must be a serializer class, not {data_class!r}")
    caller = sys._getframe(1)  # a module that is imported again registers the same one
    definition = DefinitionInCode(
        name=checked_name(name),
        jobs=parts.jobs,
        program_data=parts.program_data,
        job_data=parts.job_data,
        queue=queue,
        description=checked_description(description),
        data_class=data_class,
        place=f"{caller.f_globals.get('__name__', '?')}:{caller.f_lineno}",
    )
    with _lock:
        taken = _definitions.get(name)
        if taken is not None and taken.place != definition.place:
            raise InvalidDefinition(
                "name",
                f"{name!r} is taken: {taken.place} and {definition.place} both register it; names "
                "are unique: rename one",
            )
        _definitions[name] = definition
    return definition


def registered_definitions() -> dict[str, DefinitionInCode]:
    """Return the definitions in code by name, sorted."""
    with _lock:
        return dict(sorted(_definitions.items()))
