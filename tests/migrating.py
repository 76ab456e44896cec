"""The migrations, and the models of each release that had them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from django.apps.registry import Apps
from django.db.migrations import (
    AddField,
    AddIndex,
    AlterField,
    AlterModelOptions,
    CreateModel,
    Migration,
    RemoveIndex,
    RunPython,
)
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Field

HARMLESS = (CreateModel, AddIndex, RemoveIndex, AlterModelOptions)

_loader = MigrationLoader(None)
RELEASES: list[str] = [
    name for app, name in _loader.graph.forwards_plan(_loader.graph.leaf_nodes("programs")[0])
]


@cache  # each call would make other classes
def models_of(release: str) -> Apps:
    """Return the models as the code had them that came with this migration."""
    apps: Apps = _loader.project_state(("programs", release)).apps
    return apps


def state_before(release: str) -> ProjectState:
    return _loader.project_state(("programs", release), at_end=False)


def migration(release: str) -> Migration:
    found: Migration = _loader.get_migration("programs", release)
    return found


def harms(before: ProjectState, operations: list[Operation]) -> Iterator[str]:
    """Yield the operations that code of the state `before` would not survive."""
    made = {operation.name.lower() for operation in operations if type(operation) is CreateModel}
    for operation in operations:
        of = str(getattr(operation, "model_name", None) or getattr(operation, "name", "")).lower()
        if of in made or isinstance(operation, HARMLESS):
            continue  # older code knows nothing of a new table
        if type(operation) is AddField:
            field = operation.field
            if (field.null or field.has_db_default()) and not field.unique:
                continue  # older code leaves the column out of its INSERTs
        if type(operation) is RunPython and operation.hints.get("sets_defaults"):
            continue  # older code leaves out no value that now has one
        if type(operation) is AlterField:
            known = before.models["programs", of].fields[operation.name]
            if _is_wider(known, operation.field):
                continue
        yield operation.describe()


def _is_wider(known: Field, field: Field) -> bool:
    """Tell whether all that `known` takes, `field` takes as well."""
    return (
        type(field) is type(known)
        and field.null >= known.null
        and field.unique <= known.unique
        and (field.max_length or 0) >= (known.max_length or 0)
        and field.has_db_default() >= known.has_db_default()
    )
