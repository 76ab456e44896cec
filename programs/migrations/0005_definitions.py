"""Definitions, schedules, and what became of each tick; what a program was started from."""

import django.db.models.deletion
from django.db import migrations, models

import programs.models.clock
from programs.conf import settings


class Migration(migrations.Migration):
    dependencies = [
        ("programs", "0004_webhook"),
    ]

    operations = [
        migrations.CreateModel(
            name="Definition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("description", models.TextField(blank=True, default="")),
                ("jobs", models.JSONField()),
                ("program_data", models.JSONField(default=dict)),
                ("job_data", models.JSONField(default=dict)),
                ("queue", models.CharField(default="default", max_length=100)),
                ("created_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                ("updated_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                ("created_by", models.CharField(max_length=255, null=True)),
            ],
            options={
                "db_table": f"{settings.TABLE_NAME}_definition",
                "ordering": ("name",),
                "permissions": (("start_definition", "Can start programs from definitions"),),
            },
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("definition", models.CharField(max_length=100)),
                ("description", models.CharField(blank=True, default="", max_length=255)),
                ("cron", models.CharField(max_length=100, null=True)),
                ("interval", models.IntegerField(null=True)),
                ("time_zone", models.CharField(default="UTC", max_length=64)),
                ("program_data", models.JSONField(default=dict)),
                ("job_data", models.JSONField(default=dict)),
                (
                    "catch_up",
                    models.CharField(
                        choices=[
                            ("none", "start none of them"),
                            ("last", "start the last one"),
                            ("all", "start all, up to a limit"),
                        ],
                        default="last",
                        max_length=8,
                    ),
                ),
                ("catch_up_limit", models.IntegerField(default=10)),
                (
                    "overlap",
                    models.CharField(
                        choices=[
                            ("allow", "start another beside it"),
                            ("skip", "skip the tick"),
                            ("queue", "start one more once it has ended"),
                        ],
                        default="skip",
                        max_length=8,
                    ),
                ),
                ("paused_at", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(null=True)),
                ("queued_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                ("updated_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                ("created_by", models.CharField(max_length=255, null=True)),
            ],
            options={
                "db_table": f"{settings.TABLE_NAME}_schedule",
                "ordering": ("id",),
                "permissions": (("manage_schedules", "Can manage schedules"),),
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Tick",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("started", "started"),
                            ("skipped", "skipped"),
                            ("missed", "missed"),
                            ("refused", "refused"),
                            ("queued", "queued"),
                        ],
                        max_length=16,
                    ),
                ),
                ("count", models.IntegerField(default=1)),
                ("message", models.CharField(max_length=255, null=True)),
                ("by", models.CharField(max_length=255, null=True)),
                ("created_at", models.DateTimeField(db_default=programs.models.clock.Utc())),
                (
                    "schedule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ticks",
                        to="programs.schedule",
                    ),
                ),
            ],
            options={
                "db_table": f"{settings.TABLE_NAME}_tick",
                "ordering": ("-at",),
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="program",
            name="definition",
            field=models.CharField(max_length=100, null=True),
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
                    ("add_definition", "added definition"),
                    ("change_definition", "changed definition"),
                    ("delete_definition", "deleted definition"),
                    ("create_schedule", "created schedule"),
                    ("change_schedule", "changed schedule"),
                    ("delete_schedule", "deleted schedule"),
                    ("pause_schedule", "paused schedule"),
                    ("resume_schedule", "resumed schedule"),
                    ("run_schedule", "ran schedule"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddIndex(
            model_name="program",
            index=models.Index(
                condition=models.Q(("definition__isnull", False)),
                fields=["definition", "created_at"],
                name=f"{settings.TABLE_NAME}_define_idx",
            ),
        ),
        migrations.AlterUniqueTogether(
            name="definition",
            unique_together={("name",)},
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=models.Index(
                condition=models.Q(("next_at__isnull", False)),
                fields=["next_at"],
                name=f"{settings.TABLE_NAME}_next_idx",
            ),
        ),
        migrations.AddField(
            model_name="tick",
            name="program",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="ticks",
                to="programs.program",
            ),
        ),
        migrations.AlterUniqueTogether(
            name="tick",
            unique_together={("schedule", "at")},
        ),
    ]
