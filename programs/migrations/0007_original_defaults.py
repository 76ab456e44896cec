"""Let the original insert a program without data into a table that it shares with us.

It leaves out what it was not given, and its own table has '{}' as the default of both columns. On
PostgreSQL alone: there the statement touches no row, and elsewhere the original does not run well.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from programs.conf import settings

COLUMNS = ("program_data", "job_data")


def _set_default(editor: BaseDatabaseSchemaEditor, clause: str) -> None:
    if editor.connection.vendor != "postgresql":
        return
    table = editor.quote_name(settings.TABLE_NAME)
    for column in COLUMNS:
        editor.execute(f"ALTER TABLE {table} ALTER COLUMN {editor.quote_name(column)} {clause}")


def give(apps, editor):
    _set_default(editor, "SET DEFAULT '{}'::jsonb")


def take(apps, editor):
    _set_default(editor, "DROP DEFAULT")


class Migration(migrations.Migration):
    dependencies = [("programs", "0006_trace_parent")]

    # The hints are for the project's routers, and for those who judge what a migration may break.
    operations = [
        migrations.RunPython(give, take, hints={"model_name": "program", "sets_defaults": True})
    ]
