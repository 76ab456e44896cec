"""The first tables. Their names come from the setting TABLE_NAME."""

import django.db.models.deletion
from django.db import migrations, models

import programs.models.clock
import programs.models.columns
from programs.conf import settings


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Worker",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=150, unique=True)),
                ("host", models.CharField(max_length=255)),
                ("pid", models.IntegerField()),
                ("queues", models.JSONField()),
                ("slots", models.IntegerField()),
                ("jobs", models.JSONField()),
                ("version", models.CharField(max_length=32)),
                ("started_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                ("last_seen_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                ("stopped_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": f"{settings.TABLE_NAME}_worker",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Program",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "run_id",
                    models.CharField(default=programs.models.columns.new_run_id, max_length=255),
                ),
                ("program_data", models.JSONField(default=dict)),
                ("jobs", models.JSONField()),
                ("job_data", models.JSONField(default=dict)),
                ("step", models.IntegerField(db_default=0, default=0)),
                ("step_retry_count", models.IntegerField(db_default=0, default=0)),
                ("finished_at", models.DateTimeField(null=True)),
                ("errored_at", models.DateTimeField(null=True)),
                ("error_message", models.CharField(max_length=255, null=True)),
                ("created_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                ("updated_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                ("queue", models.CharField(max_length=100, null=True)),
                ("run_at", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField(null=True)),
                ("epoch", models.IntegerField(db_default=0, default=0)),
                ("worker", models.CharField(max_length=255, null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("step_started_at", models.DateTimeField(null=True)),
                ("losses", models.IntegerField(db_default=0, default=0)),
                ("stop_requested_at", models.DateTimeField(null=True)),
                ("stopped_at", models.DateTimeField(null=True)),
                ("paused_at", models.DateTimeField(null=True)),
                ("idempotency_key", models.CharField(max_length=255, null=True)),
                ("content_hash", models.CharField(max_length=64, null=True)),
                ("created_by", models.CharField(max_length=255, null=True)),
            ],
            options={
                "db_table": settings.TABLE_NAME,
                "ordering": ("-id",),
                "permissions": (
                    ("stop_program", "Can stop programs"),
                    ("retry_program", "Can retry programs"),
                    ("pause_program", "Can pause and resume programs"),
                    ("skip_program_step", "Can skip a step of a program"),
                    ("edit_program_data", "Can edit the data of programs"),
                ),
                "indexes": [
                    models.Index(fields=["queue", "due_at"], name=f"{settings.TABLE_NAME}_due_idx"),
                    models.Index(fields=["worker"], name=f"{settings.TABLE_NAME}_worker_idx"),
                ],
                "unique_together": {("idempotency_key",), ("run_id",)},
            },
        ),
        migrations.CreateModel(
            name="Operation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "verb",
                    models.CharField(
                        choices=[
                            ("stop", "stopped"),
                            ("pause", "paused"),
                            ("resume", "resumed"),
                            ("retry", "retried"),
                            ("skip", "moved on"),
                            ("edit", "edited"),
                        ],
                        max_length=16,
                    ),
                ),
                ("by", models.CharField(max_length=255, null=True)),
                ("reason", models.TextField(null=True)),
                ("detail", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                (
                    "program",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="operations",
                        to="programs.program",
                    ),
                ),
            ],
            options={
                "db_table": f"{settings.TABLE_NAME}_operation",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("step", models.IntegerField()),
                ("job", models.CharField(max_length=255)),
                ("number", models.IntegerField()),
                ("epoch", models.IntegerField()),
                ("worker", models.CharField(max_length=255)),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("succeeded", "succeeded"),
                            ("retried", "failed, to be tried again"),
                            ("errored", "failed"),
                            ("ignored", "failed, ignorable"),
                            ("yielded", "time used up"),
                            ("stopped", "stopped"),
                            ("unknown", "job not known here"),
                            ("skipped", "skipped"),
                            ("lost", "worker lost"),
                            ("interrupted", "interrupted"),
                            ("abandoned", "lease lost"),
                        ],
                        max_length=16,
                    ),
                ),
                ("error_class", models.CharField(max_length=255, null=True)),
                ("message", models.TextField(null=True)),
                ("traceback", models.TextField(null=True)),
                ("log", models.TextField(null=True)),
                (
                    "program",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="programs.program",
                    ),
                ),
            ],
            options={
                "db_table": f"{settings.TABLE_NAME}_attempt",
                "ordering": ("id",),
                "unique_together": {("program", "step", "epoch")},
            },
        ),
    ]
