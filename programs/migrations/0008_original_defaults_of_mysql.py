"""Let the original insert a program without data on MariaDB and MySQL, too.

What the migration before this gave PostgreSQL. MySQL takes such a default from 8.0.13 on, by an
expression alone; MariaDB takes the same. No row is touched, and the table is not copied.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from programs.conf import settings

COLUMNS = ("program_data", "job_data")


def _set_default(editor: BaseDatabaseSchemaEditor, clause: str) -> None:
    connection = editor.connection
    if connection.vendor != "mysql" or not connection.features.supports_expression_defaults:
        return
    table = editor.quote_name(settings.TABLE_NAME)
    for column in COLUMNS:
        editor.execute(f"ALTER TABLE {table} ALTER COLUMN {editor.quote_name(column)} {clause}")


def give(apps, editor):
    _set_default(editor, "SET DEFAULT (JSON_OBJECT())")


def take(apps, editor):
    _set_default(editor, "DROP DEFAULT")


class Migration(migrations.Migration):
    dependencies = [("programs", "0007_original_defaults")]

    # The hints are for the project's routers, and for those who judge what a migration may break.
    # Not atomic: MySQL changes no table inside a transaction.
    operations = [
        migrations.RunPython(
            give, take, atomic=False, hints={"model_name": "program", "sets_defaults": True}
        )
    ]
