"""Webhooks: addresses that are called when a program has ended."""

from django.db import migrations, models

import programs.models.clock
import programs.models.webhook
from programs.conf import settings


class Migration(migrations.Migration):
    dependencies = [("programs", "0003_console")]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("url", models.CharField(max_length=2000, verbose_name="URL")),
                (
                    "secret",
                    models.CharField(default=programs.models.webhook.new_secret, max_length=255),
                ),
                ("events", models.JSONField(default=list)),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                (
                    "created_at",
                    models.DateTimeField(db_default=programs.models.clock.Utc(), editable=False),
                ),
                (
                    "since",
                    models.DateTimeField(db_default=programs.models.clock.Utc(), editable=False),
                ),
                (
                    "seen_at",
                    models.DateTimeField(db_default=programs.models.clock.Utc(), editable=False),
                ),
            ],
            options={"db_table": f"{settings.TABLE_NAME}_webhook", "ordering": ("id",)},
        ),
    ]
