"""The jobs that this process knows, by name, and how they are found."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import threading
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from django.apps import apps

from programs.conf import settings
from programs.errors import InvalidJob, JobNotRegistered
from programs.job import Job
from programs.models.columns import NAME_LENGTH

BUILT_IN = ("programs.bulk", "programs.webhooks")  # the engine's own jobs: every worker knows them

# Parts of the paths of files that a job's module goes through while it is imported: the import
# system's, the engine's, those of the framework of tasks, and what a dataclass generates.
PASSED_THROUGH = (
    "importlib",
    "<string>",
    os.path.join(os.path.dirname(__file__), ""),
    os.path.join(os.sep, "django", "tasks", ""),
    os.path.join(os.sep, "django_tasks", ""),
)

JobT = TypeVar("JobT", bound=type[Job])


@dataclass(frozen=True)
class ImportFailure:
    """A module of jobs that could not be imported."""

    module: str
    error: str  # the exception, in one line
    place: str  # "file:line" of the innermost frame


_jobs: dict[str, type[Job]] = {}
_failures: dict[str, ImportFailure] = {}
_lock = threading.RLock()


def register(job: JobT) -> JobT:
    """Register a job class under its `name`; to be used as a decorator.

    Raises `InvalidJob` when the class has no usable name, no `execute` of its own, a name that
    another class has taken, or a class for its data that cannot check any.
    """
    name = getattr(job, "name", None)
    if not (inspect.isclass(job) and issubclass(job, Job)):
        raise InvalidJob(f"{job!r} is no subclass of programs.job.Job")
    if not isinstance(name, str) or not name.strip() or len(name) > NAME_LENGTH or "\0" in name:
        raise InvalidJob(
            f"{job.__qualname__}.name must be a text of 1 to {NAME_LENGTH} characters, not {name!r}"
        )
    if job.execute is Job.execute:
        raise InvalidJob(f"{job.__qualname__} (job {name!r}) has no execute method")
    for attribute in ("data_class", "program_data_class"):
        if not may_check_data(getattr(job, attribute)):
            raise InvalidJob(
                f"{job.__qualname__}.{attribute} must be a serializer class of Django REST "
                f"framework, not {getattr(job, attribute)!r}"
            )
    with _lock:
        taken = _jobs.get(name)
        if taken is not None and _place(taken) != _place(job):
            raise InvalidJob(
                f"two jobs are named {name!r}: {_place(taken)} and {_place(job)}; "
                "names are unique: rename one"
            )
        _jobs[name] = job
    return job


def may_check_data(data_class: Any) -> bool:
    """Tell whether this is a serializer class, or None; the app works without REST framework."""
    face = ("is_valid", "to_internal_value", "to_representation")
    is_serializer = inspect.isclass(data_class) and all(hasattr(data_class, name) for name in face)
    return data_class is None or is_serializer


def find(name: str) -> type[Job] | None:
    """Return the job class of this name, or None where it is not known here."""
    return _jobs.get(name)


def is_internal(jobs: Any) -> bool:
    """Tell whether a job of the engine's own is among these; rows may be others' work."""
    names = jobs if isinstance(jobs, list) else []
    known = (find(name) for name in names if isinstance(name, str))
    return any(job is not None and job.internal for job in known)


def unknown(name: str) -> JobNotRegistered:
    """Return the error that says that no job of this name is known, and why that may be."""
    broken = "".join(f"; {failure.module} failed to import" for failure in import_failures())
    return JobNotRegistered(f"no job named {name!r} is registered here{broken}")


def registered() -> dict[str, type[Job]]:
    """Return all registered job classes by name, sorted."""
    with _lock:
        return dict(sorted(_jobs.items()))


def import_failures() -> tuple[ImportFailure, ...]:
    """Return the modules of jobs that could not be imported; `manage.py check` shows them."""
    return tuple(_failures.values())


def discover(names: Sequence[str] = ("jobs",)) -> list[ModuleType]:
    """Import the modules or packages of these `names` of every installed app, and `JOB_MODULES`
    and `BUILT_IN`; return what was imported.

    Every submodule of a package is imported. A module that fails is remembered and the rest is
    imported all the same: a broken job must not take the whole site down.
    """
    apps_own = [
        f"{app.name}.{name}"
        for app in apps.get_app_configs()
        for name in names
        if app.name != "programs" and _exists(f"{app.name}.{name}")
    ]
    found: list[ModuleType] = []
    for module in (*apps_own, *settings.JOB_MODULES, *BUILT_IN):
        found += _import_all(module)
    return found


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _import_all(name: str) -> Iterator[ModuleType]:
    module = _import(name)
    if module is not None:
        yield module
    for path in getattr(module, "__path__", ()):
        for found in pkgutil.iter_modules([path], prefix=f"{name}."):
            yield from _import_all(found.name)


def _import(name: str) -> ModuleType | None:
    _failures.pop(name, None)
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 (a module may raise anything; checks tell)
        frames = traceback.extract_tb(error.__traceback__)
        # The user's own line, and not the one of `register` or `@task` that refuses it.
        outside = [
            frame for frame in frames if not any(part in frame.filename for part in PASSED_THROUGH)
        ]
        innermost = (outside or frames)[-1]
        place = f"{innermost.filename}:{innermost.lineno}"
        if isinstance(error, SyntaxError) and error.filename:
            place = f"{error.filename}:{error.lineno}"
        _failures[name] = ImportFailure(name, f"{type(error).__name__}: {error}", place)
        return None


def _place(job: type[Job]) -> str:
    return f"{job.__module__}.{job.__qualname__}"
