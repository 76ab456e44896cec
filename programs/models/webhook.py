"""Webhooks: addresses that are called when a program has ended."""

from __future__ import annotations

import base64
import secrets
from typing import Any
from urllib.parse import urlsplit

from django.db import models

from programs.conf import settings
from programs.models.clock import Utc
from programs.models.state import ENDED

EVENTS = tuple(state.value for state in ENDED)
SECRET_PREFIX = "whsec_"  # noqa: S105 (how the secrets of Standard Webhooks begin)
URL_LENGTH = 2000  # characters


def new_secret() -> str:
    """Return a new secret, in the form that the libraries of Standard Webhooks take."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def active(self) -> WebhookQuerySet:
        """Those that are called."""
        return self.filter(is_active=True)

    def inactive(self) -> WebhookQuerySet:
        """Those that are switched off."""
        return self.filter(is_active=False)

    def behind(self, seconds: float) -> WebhookQuerySet:
        """Those that nobody has caught up with for so long."""
        return self.filter(seen_at__lt=Utc(after=-seconds))

    def reach(self, moment: Any) -> None:
        """Note that all ends before `moment` have been looked at; no other may set that back."""
        self.filter(seen_at__lt=moment).update(seen_at=moment)

    def start(self) -> None:
        """Tell of programs that end from now on, and of none before."""
        self.update(since=Utc(), seen_at=Utc())


class WebhookManager(models.Manager["Webhook"]):
    def get_queryset(self) -> WebhookQuerySet:
        return WebhookQuerySet(self.model, using=self._db or settings.DATABASE)


class Webhook(models.Model):
    """Who is told of programs that end, and of which."""

    url = models.CharField("URL", max_length=URL_LENGTH)
    secret = models.CharField(max_length=255, default=new_secret)
    events = models.JSONField(default=list)  # of `EVENTS`
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(db_default=Utc(), editable=False)
    since = models.DateTimeField(db_default=Utc(), editable=False)  # of no earlier end it is told
    seen_at = models.DateTimeField(db_default=Utc(), editable=False)  # earlier ends are dealt with

    objects = WebhookManager.from_queryset(WebhookQuerySet)()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_webhook"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"webhook {self.pk} ({self.host})"  # paths and queries may hold secrets

    def tells(self, event: str) -> bool:
        """Tell whether it is called for programs that end so."""
        return isinstance(self.events, list) and event in self.events

    @property
    def host(self) -> str:
        """Return the host of the URL, shortened; a question mark where the URL is none."""
        try:
            host = urlsplit(self.url).hostname or ""
        except ValueError:
            host = ""
        return host[:100] if host and host.isascii() and host.isprintable() else "?"
