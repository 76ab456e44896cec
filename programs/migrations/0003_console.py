"""What the console needs: indexes for its lists, queues that can be paused, bulk outcomes."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import programs.models.clock
from programs.conf import settings

OPEN = Q(finished_at__isnull=True, errored_at__isnull=True, stopped_at__isnull=True)


def index(name, *fields, only=None):
    name = f"{settings.TABLE_NAME}_{name}_idx"
    return migrations.AddIndex("program", models.Index(fields=fields, name=name, condition=only))


def without_index(name):
    return migrations.RemoveIndex("program", f"{settings.TABLE_NAME}_{name}_idx")


class Migration(migrations.Migration):
    dependencies = [("programs", "0002_reveal_secrets")]

    operations = [
        # Programs that have ended leave these two, which claims read and write.
        without_index("due"),
        without_index("worker"),
        index("due", "queue", "due_at", only=Q(due_at__isnull=False)),
        index("worker", "worker", only=Q(worker__isnull=False)),
        index("finish", "finished_at", only=Q(finished_at__isnull=False)),
        index("error", "errored_at", only=Q(errored_at__isnull=False)),
        index("stop", "stopped_at", only=Q(stopped_at__isnull=False)),
        index(
            "pause",
            "paused_at",
            only=OPEN & Q(paused_at__isnull=False, stop_requested_at__isnull=True),
        ),
        index("asked", "stop_requested_at", only=OPEN & Q(stop_requested_at__isnull=False)),
        index("create", "created_at"),
        migrations.CreateModel(
            name="Queue",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("paused_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": f"{settings.TABLE_NAME}_queue",
                "ordering": ("name",),
                "permissions": (("manage_queues", "Can pause and resume queues"),),
                "unique_together": {("name",)},
            },
        ),
        migrations.CreateModel(
            name="BulkOutcome",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("run_id", models.CharField(max_length=255)),
                ("refusal", models.TextField(null=True)),
                ("created_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                (
                    "bulk",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bulk_outcomes",
                        to="programs.program",
                    ),
                ),
            ],
            options={
                "db_table": f"{settings.TABLE_NAME}_bulk",
                "ordering": ("id",),
                "unique_together": {("bulk", "run_id")},
            },
        ),
        migrations.AlterModelOptions(
            name="worker",
            options={
                "ordering": ("-id",),
                "permissions": (("drain_worker", "Can drain workers"),),
            },
        ),
        migrations.AddField(
            model_name="worker",
            name="drain_requested_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="operation",
            name="subject",
            field=models.CharField(max_length=150, null=True),
        ),
        migrations.AlterField(
            model_name="operation",
            name="program",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="operations",
                to="programs.program",
            ),
        ),
        migrations.AlterField(
            model_name="operation",
            name="verb",
            field=models.CharField(
                choices=[
                    ("stop", "stopped"),
                    ("pause", "paused"),
                    ("resume", "resumed"),
                    ("retry", "retried"),
                    ("skip", "moved on"),
                    ("edit", "edited"),
                    ("pause_queue", "paused queue"),
                    ("resume_queue", "resumed queue"),
                    ("drain_worker", "drained worker"),
                ],
                max_length=16,
            ),
        ),
    ]
