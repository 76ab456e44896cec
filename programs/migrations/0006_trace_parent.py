"""From where a program's trace goes on, in whichever process its jobs run.

Nullable and without a default: no table is rewritten, and workers of the release before, whose
statements name their columns, go on beside it.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("programs", "0005_definitions")]

    operations = [
        migrations.AddField("program", "trace_parent", models.CharField(max_length=55, null=True)),
    ]
