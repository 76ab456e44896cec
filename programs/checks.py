"""System checks: a wrong setting or a broken job fails `manage.py check`, with the fix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core import checks
from django.core.management import find_commands, get_commands
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.utils.module_loading import import_string

from programs import dialect, registry
from programs.conf import settings
from programs.errors import BrokerMisconfigured, BrokerUnavailable
from programs.models import Program
from programs.transport import probe

ID = "programs."

# Of the table of programs: the columns that it has had since its first migration, and by which any
# release knows it. One that waits for a later migration is no stranger.
KNOWN_BY = ("run_id", "jobs", "job_data", "step", "queue", "due_at", "epoch", "worker")


# By which the table of Program Executor JS is known.
ORIGINALS = {"run_id", "jobs", "step"}

FREE_NAME = "Give PROGRAM_EXECUTOR['TABLE_NAME'] a name that is free."
MOVE_ASIDE = (
    "It is Program Executor JS's. Rename it, migrate, and take its programs over by `manage.py "
    "importprograms --from-table NEW_NAME`; or give PROGRAM_EXECUTOR['TABLE_NAME'] another name."
)


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
def routers_lead_to_the_database(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E005: the project's routers keep the tables out of `DATABASE`, or lead elsewhere."""
    alias = settings.DATABASE
    if alias not in connections:  # E004 says so
        return []
    written, made = router.db_for_write(Program), router.allow_migrate_model(alias, Program)
    # Where no router has a say, Django answers "default". We ask for DATABASE by its name then.
    if made and written in (alias, "default"):
        return []
    fault = "leads to" if made else "keeps the tables out of"
    where = repr(written) if made else repr(alias)
    return [
        checks.Error(
            f"PROGRAM_EXECUTOR['DATABASE'] is {alias!r}, but a router {fault} {where}.",
            hint="Name one alias in both, DATABASE and the router, for the app `programs`.",
            id=f"{ID}E005",
        )
    ]


@checks.register(checks.Tags.database)
def table_is_ours(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E006: `TABLE_NAME` is somebody else's table, E007: it was changed after `migrate`.

    `migrate` itself asks, before it makes or changes anything.
    """
    if settings.DATABASE not in (databases or ()):
        return []
    connection = connections[settings.DATABASE]
    introspection, named = connection.introspection, Program._meta.db_table
    with connection.cursor() as cursor:
        table = introspection.identifier_converter(named)
        if table not in introspection.table_names(cursor):
            return _table_is_lost(connection)
        there = {column.name for column in introspection.get_table_description(cursor, table)}
    missing = [name for name in KNOWN_BY if name not in there]
    if not missing:
        return []
    is_originals = there >= ORIGINALS
    return [
        checks.Error(
            f"The table {named!r} in the database {settings.DATABASE!r} is not of this app: "
            f"it has no column {', '.join(missing)}.",
            hint=MOVE_ASIDE if is_originals else FREE_NAME,
            id=f"{ID}E006",
        )
    ]


def _table_is_lost(connection: BaseDatabaseWrapper) -> list[checks.CheckMessage]:
    if not any(app == "programs" for app, _ in MigrationRecorder(connection).applied_migrations()):
        return []  # migrate will make it
    return [
        checks.Error(
            f"The database {settings.DATABASE!r} is migrated, but has no table "
            f"{Program._meta.db_table!r}.",
            hint="Let PROGRAM_EXECUTOR['TABLE_NAME'] be what it was, or rename the tables with it.",
            id=f"{ID}E007",
        )
    ]


@checks.register
def queues_are_sound(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E008: `QUEUES` says something about a queue that cannot be."""
    return [checks.Error(told, hint=hint, id=f"{ID}E008") for told, hint in dialect.faults()]


@checks.register(deploy=True)
def queues_of_the_original_fit(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E009: a queue is not on the broker as the original makes it, W004: that cannot be asked.

    With `--deploy` alone: it goes over the network.
    """
    if queues_are_sound(app_configs):
        return []
    try:
        found = probe.misfits(dialect.original_queues())
    except BrokerMisconfigured as error:
        found = [error]
    except BrokerUnavailable as error:
        told = f"The queues of the original could not be looked at: {error}"
        hint = "See that the broker runs, and that AMQP_URL leads to it."
        return [checks.Warning(told, hint=hint, id=f"{ID}W004")]
    return [checks.Error(str(error), id=f"{ID}E009") for error in found]


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
def tasks_can_be_run(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """E011: `TASKS` names our backend, which cannot be imported."""
    given = getattr(django_settings, "TASKS", None)
    found: list[checks.CheckMessage] = []
    for alias, backend in given.items() if isinstance(given, dict) else ():
        path = backend.get("BACKEND") if isinstance(backend, dict) else None
        if not isinstance(path, str) or not path.startswith("programs.tasks"):
            continue
        try:
            import_string(path)
        except ImportError as error:
            message = f"TASKS[{alias!r}] cannot be used: {error}"
            hint = "The backend's name is 'programs.tasks.ProgramsBackend'."
            found.append(checks.Error(message, hint=hint, id=f"{ID}E011"))
    return found


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


@checks.register
def commands_are_ours(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """W003: a command of another app comes before one of ours: `runworker` of channels, say."""
    ours = find_commands(str(Path(__file__).parent / "management"))
    return [
        checks.Warning(
            f"`manage.py {name}` is a command of {app}, and not of programs.",
            hint=f"List 'programs' before {app!r} in INSTALLED_APPS, or silence programs.W003.",
            id=f"{ID}W003",
        )
        for name in ours
        if (app := get_commands()[name]) != "programs"
    ]


FOR_MYSQL = """
SHOW VARIABLES WHERE variable_name IN
('transaction_isolation', 'tx_isolation', 'character_set_database', 'collation_database')
"""


@checks.register(checks.Tags.database)
def mysql_is_fit(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W005: MySQL under another isolation, W006: with a collation that takes keys for one."""
    if settings.DATABASE not in (databases or ()):
        return []
    connection = connections[settings.DATABASE]
    if connection.vendor != "mysql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(FOR_MYSQL)
        known = dict(cursor.fetchall())
    found: list[checks.CheckMessage] = []
    isolation = known.get("transaction_isolation") or known.get("tx_isolation")
    if isolation != "READ-COMMITTED":
        message = f"Sessions of {settings.DATABASE!r} have the isolation {isolation}."
        hint = 'Leave "isolation_level" out of the OPTIONS: Django asks for READ COMMITTED.'
        found.append(checks.Warning(message, hint=hint, id=f"{ID}W005"))
    collation = known["collation_database"]
    if known["character_set_database"] != "utf8mb4" or not collation.endswith("_bin"):
        message = (
            f"The collation {collation} of {settings.DATABASE!r} takes different keys for one."
        )
        hint = "Before `migrate`: ALTER DATABASE … CHARACTER SET utf8mb4 COLLATE utf8mb4_bin."
        found.append(checks.Warning(message, hint=hint, id=f"{ID}W006"))
    return found


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
