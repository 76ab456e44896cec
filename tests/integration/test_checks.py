"""The system checks that look at the database, and at who leads where."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connections

from programs.checks import routers_lead_to_the_database, table_is_ours
from programs.conf import settings as executor_settings
from programs.models import Program

STRANGER = "strangers_programs"

pytestmark = pytest.mark.usefixtures("bookkeeping")


def found(alias: str) -> list[checks.CheckMessage]:
    return table_is_ours(None, databases=[alias])


@contextmanager
def another_table_name():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Program._meta, "db_table", STRANGER)
        yield


@contextmanager
def strangers_table(alias: str, columns: str):
    """Let there be somebody else's table, under the name that ours is to have."""
    with connections[alias].cursor() as cursor, another_table_name():
        cursor.execute(f"CREATE TABLE {STRANGER} ({columns})")
        try:
            yield
        finally:
            cursor.execute(f"DROP TABLE {STRANGER}")


# The table ---------------------------------------------------------------------------------


def test_our_own_table_is_no_stranger(bookkeeping: str) -> None:
    assert found(bookkeeping) == []


def test_an_unrelated_table_of_that_name_is_told_before_migrate_touches_it(
    bookkeeping: str,
) -> None:
    with strangers_table(bookkeeping, "id integer, title varchar(50), step integer"):
        (error,) = found(bookkeeping)
        with pytest.raises(SystemCheckError, match="(?s)E006.*TABLE_NAME"):
            call_command("migrate", database=bookkeeping, verbosity=0, skip_checks=False)

    assert error.id == "programs.E006"
    assert STRANGER in error.msg
    assert "run_id, jobs" in error.msg
    assert "TABLE_NAME" in str(error.hint)


def test_the_originals_table_is_not_ours_either(bookkeeping: str) -> None:
    columns = "id integer, run_id varchar(255), jobs text, step integer, job_data text"
    with strangers_table(bookkeeping, columns):
        (error,) = found(bookkeeping)
    assert error.msg.endswith("it has no column queue, due_at, epoch, worker.")


def test_what_to_do_with_the_originals_table_is_told_by_check_and_worker(bookkeeping: str) -> None:
    with strangers_table(bookkeeping, "id integer, run_id varchar(255), jobs text, step integer"):
        (error,) = found(bookkeeping)
        with pytest.raises(CommandError, match="importprograms --from-table"):
            call_command("runworker")
    assert "Rename it, migrate" in str(error.hint)


def test_a_worker_does_not_start_before_the_migration_that_it_needs(bookkeeping: str) -> None:
    rename = f"ALTER TABLE {Program._meta.db_table}_worker RENAME COLUMN"
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute(f"{rename} version TO later")
        try:
            with pytest.raises(CommandError, match="has no version in table .*migrate` first"):
                call_command("runworker")
        finally:
            cursor.execute(f"{rename} later TO version")


def test_a_table_name_that_was_changed_after_migrate_is_told(bookkeeping: str) -> None:
    with another_table_name():
        (error,) = found(bookkeeping)
    assert error.id == "programs.E007"
    assert STRANGER in error.msg


def test_other_databases_are_not_looked_into() -> None:
    with another_table_name():
        assert table_is_ours(None, databases=None) == []
        assert table_is_ours(None, databases=["another"]) == []


# Routers -----------------------------------------------------------------------------------


class ToElsewhere:
    def db_for_write(self, model, **hints):
        return "elsewhere"


class Apart:
    """As people write it who keep the tables of one app apart."""

    def db_for_write(self, model, **hints):
        return executor_settings.DATABASE

    def allow_migrate(self, db, app_label, **hints):
        return (db == executor_settings.DATABASE) == (app_label == "programs")


class Shut:
    def allow_migrate(self, db, app_label, **hints):
        return db != executor_settings.DATABASE


@pytest.mark.parametrize("routers", [[], [Apart()]], ids=["none", "the same alias"])
def test_routers_that_agree_are_fine(settings, routers: list[object]) -> None:
    settings.DATABASE_ROUTERS = routers
    assert routers_lead_to_the_database(None) == []


@pytest.mark.parametrize(
    ("router", "told"),
    [(ToElsewhere(), "leads to 'elsewhere'"), (Shut(), "keeps the tables out of")],
)
def test_a_router_that_leads_elsewhere_is_told(settings, router: object, told: str) -> None:
    settings.DATABASE_ROUTERS = [router]
    (error,) = routers_lead_to_the_database(None)
    assert error.id == "programs.E005"
    assert told in error.msg
