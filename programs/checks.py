"""System checks: a wrong setting or a broken job fails `manage.py check`, with the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings as django_settings
from django.core import checks
from django.db import connections

from programs import registry
from programs.conf import settings

ID = "programs."


@checks.register
def settings_are_valid(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E001 no dictionary, E002 unknown key, E003 wrong value, E004 no such database."""
    given = getattr(django_settings, "PROGRAM_EXECUTOR", {})
    if not isinstance(given, dict):
        hint = 'For example: PROGRAM_EXECUTOR = {"AMQP_URL": None}'
        return [checks.Error("PROGRAM_EXECUTOR is no dictionary.", hint=hint, id=f"{ID}E001")]
    declared = {setting.name: setting for setting in settings}
    found: list[checks.CheckMessage] = []
    for name in sorted(given.keys() - declared, key=str):
        hint = f"There are {', '.join(declared)}."
        message = f"PROGRAM_EXECUTOR has the unknown key {name!r}."
        found.append(checks.Error(message, hint=hint, id=f"{ID}E002"))
    for name, setting in declared.items():
        if name in given and not setting.accepts(given[name]):
            message = f"PROGRAM_EXECUTOR[{name!r}] must be {setting.wanted}."
            found.append(checks.Error(message, hint=setting.meaning, id=f"{ID}E003"))
    if not found and settings.DATABASE not in connections:
        message = f"PROGRAM_EXECUTOR['DATABASE'] is {settings.DATABASE!r}, no alias of DATABASES."
        hint = f"There are {', '.join(connections)}."
        found.append(checks.Error(message, hint=hint, id=f"{ID}E004"))
    return found


@checks.register
def jobs_can_be_imported(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E010: a module of jobs fails to import."""
    return [
        checks.Error(
            f"The jobs in {failure.module} cannot be imported: {failure.error}",
            hint=f"Mend {failure.place}.",
            obj=failure.module,
            id=f"{ID}E010",
        )
        for failure in registry.import_failures()
    ]


@checks.register
def broker_is_configured(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """W001: no broker outside of development."""
    if settings.AMQP_URL or django_settings.DEBUG:
        return []
    return [
        checks.Warning(
            "No broker is configured: workers find due programs by looking into the database.",
            hint="Set PROGRAM_EXECUTOR['AMQP_URL'], or silence programs.W001 if that is meant.",
            id=f"{ID}W001",
        )
    ]


@checks.register(checks.Tags.database)
def sqlite_waits_for_locks(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W002: SQLite with options under which threads meet "database is locked"."""
    if settings.DATABASE not in (databases or ()):
        return []
    connection = connections[settings.DATABASE]
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor != "sqlite" or options.get("transaction_mode") == "IMMEDIATE":
        return []
    return [
        checks.Warning(
            "SQLite's options let writers fail instead of waiting for each other.",
            hint='Set OPTIONS of the database to {"transaction_mode": "IMMEDIATE", "timeout": 20, '
            '"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"}.',
            id=f"{ID}W002",
        )
    ]
