"""Clients of the console and the API, with the permissions that a test gives them."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

VIEW, ADD, STOP = "view_program", "add_program", "stop_program"


def client_of(*codenames: str, **options: Any) -> Client:
    """Return the client of grace, a member of the staff who has these permissions and no more."""
    grace, _ = User.objects.get_or_create(username="grace", is_staff=True)
    grace.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client(**options)
    client.force_login(grace)
    return client


def post(client: Client, url: str, body: Any) -> Any:
    """Send `body` as JSON; a text or bytes as they are."""
    raw = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(url, raw, content_type="application/json")


def policy_of(answer: Any) -> dict[str, str]:
    """Return the directives of its Content-Security-Policy, whose order is none."""
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return dict(part.split(" ", 1) for part in parts)
