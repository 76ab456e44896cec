"""The Django app."""

from contextlib import suppress
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class ProgramsConfig(AppConfig):
    name = "programs"
    verbose_name = "Program Executor"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from programs import checks, registry  # noqa: F401 (checks register themselves)

        if not tasks_are_ours():
            registry.discover()
            return
        from programs.tasks.job import know_all

        know_all(registry.discover(("jobs", "tasks")))


def tasks_are_ours() -> bool:
    """Tell whether a backend of `TASKS` runs programs: only then are tasks looked for."""
    # Django's own default is passed over: to import its backend takes time at every start.
    own: Any = settings  # whose types know no is_overridden
    given = own.TASKS if own.is_overridden("TASKS") else None
    for backend in given.values() if isinstance(given, dict) else ():
        with suppress(Exception):  # the framework's own check says what is wrong, or ours
            if getattr(import_string(backend["BACKEND"]), "runs_programs", False):
                return True
    return False
