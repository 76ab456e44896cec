"""Webhooks in the admin: made, looked at, changed, and their secrets kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client

from programs import signals
from programs.models import State, Webhook
from programs.models.webhook import new_secret
from programs.webhooks import listeners
from tests.clients import client_of
from tests.console import LIST, program_in

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

URL = "https://hooks.example.com/programs?key=abc"
WEBHOOKS = "/admin/programs/webhook/"
ADD = f"{WEBHOOKS}add/"
GIVEN = {"url": URL, "events": ["finished", "errored"], "is_active": "on", "secret": ""}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Other tests shall not hear of these webhooks."""
    yield
    listeners.forget()


def made(**given: Any) -> Webhook:
    webhook = Webhook.objects.create(**{"url": URL, "events": ["finished"], **given})
    webhook.refresh_from_db()
    return webhook


def page_of(webhook: Webhook) -> str:
    return f"{WEBHOOKS}{webhook.pk}/change/"


def errors_of(answer: Any) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = answer.context["adminform"].form.errors
    return errors


def test_a_webhook_is_made_with_a_secret_that_is_shown_once(admin_client: Client) -> None:
    answer = admin_client.post(ADD, GIVEN)

    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.events, webhook.is_active) == (URL, ["finished", "errored"], True)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", webhook.secret)
    assert webhook.secret in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert not list(get_messages(answer.wsgi_request))
    for page in (WEBHOOKS, page_of(webhook), f"{WEBHOOKS}{webhook.pk}/history/"):
        assert webhook.secret not in admin_client.get(page).content.decode()
    logged = LogEntry.objects.get()
    assert webhook.secret not in f"{logged.change_message}{logged.object_repr}"
    assert "key=abc" not in logged.object_repr


def test_a_secret_of_ones_own_is_taken_and_not_shown(admin_client: Client) -> None:
    secret = new_secret()
    answer = admin_client.post(ADD, {**GIVEN, "secret": secret}, follow=True)
    assert Webhook.objects.get().secret == secret
    assert secret not in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "given", "told"),
    [
        ("url", "http://example.com/", "The URL must begin with https://"),
        ("url", "https://192.168.0.1/", "The URL cannot be called: the host has no public"),
        ("url", "https://ada:pw@example.com/", "leave it out, calls are signed"),
        ("url", "", "This field is required"),
        ("events", [], "This field is required"),
        ("events", ["paused"], "not one of the available choices"),
        ("secret", "secret", "The secret is no base64"),
        ("secret", "whsec_c2hvcnQ=", "The secret must be whsec_ and 24 to 64 bytes in base64"),
    ],
)
def test_what_cannot_be_used_is_refused_beside_its_field(
    admin_client: Client, field: str, given: Any, told: str
) -> None:
    answer = admin_client.post(ADD, {**GIVEN, field: given})
    assert told in errors_of(answer)[field][0]
    assert not Webhook.objects.exists()


def test_a_change_keeps_the_secret_or_makes_a_new_one(admin_client: Client) -> None:
    webhook = made()
    admin_client.post(page_of(webhook), {**GIVEN, "events": ["stopped"]})
    kept = Webhook.objects.get()
    assert (kept.secret, kept.events) == (webhook.secret, ["stopped"])

    answer = admin_client.post(page_of(webhook), {**GIVEN, "new_secret": "on"})
    renewed = Webhook.objects.get()
    assert renewed.secret != webhook.secret
    assert renewed.secret in answer.content.decode()
    assert webhook.secret not in answer.content.decode()

    both = {**GIVEN, "secret": new_secret(), "new_secret": "on"}
    assert "not both" in errors_of(admin_client.post(page_of(webhook), both))["new_secret"][0]


def test_one_that_is_switched_on_is_told_of_what_ends_from_now_on(admin_client: Client) -> None:
    webhook = made(is_active=False)
    old = webhook.created_at - timedelta(days=1)
    Webhook.objects.update(since=old, seen_at=old)

    admin_client.post(page_of(webhook), GIVEN)

    on = Webhook.objects.get()
    assert on.is_active
    assert min(on.since, on.seen_at) >= webhook.created_at


def test_who_may_only_look_sees_no_secret_and_finds_none_by_searching() -> None:
    webhook = made()
    grace = client_of("view_webhook")

    page = grace.get(page_of(webhook)).content.decode()
    guessed = grace.get(WEBHOOKS, {"secret__startswith": "whsec_"})

    assert "hooks.example.com" in page
    assert "secret" not in page
    assert guessed.status_code == 400
    assert grace.post(page_of(webhook), GIVEN).status_code == 403


@pytest.mark.parametrize(
    ("codename", "url", "given"),
    [
        ("add_webhook", ADD, GIVEN),
        ("change_webhook", "{}change/", GIVEN),
        ("delete_webhook", "{}delete/", {"post": "yes"}),
    ],
)
def test_each_deed_needs_its_permission(codename: str, url: str, given: Any) -> None:
    url = url.format(f"{WEBHOOKS}{made().pk}/") if "{}" in url else url
    others = {"view_webhook", "add_webhook", "change_webhook", "delete_webhook"} - {codename}
    assert client_of(*others).post(url, given).status_code == 403
    assert client_of(codename, "view_webhook").post(url, given).status_code in (200, 302)


def test_the_page_leads_to_its_deliveries_and_to_no_others(admin_client: Client) -> None:
    webhook = made(events=["stopped"])
    other = made(events=["stopped"])
    listeners.forget()
    signals.program_stopped.send_robust(sender=None, program=program_in(State.STOPPED))

    page = admin_client.get(page_of(webhook)).content.decode()
    found = re.search(rf'href="({LIST}\?job[^"]*)"', page.replace("&amp;", "&"))
    assert found is not None
    listed = admin_client.get(found[1]).content.decode()
    assert f"webhook {webhook.pk} (hooks.example.com)" in listed
    assert f"webhook {other.pk} (" not in listed


def test_what_is_written_in_a_url_stays_text(admin_client: Client) -> None:
    webhook = made(url="https://x.example/<script>\u202e", events=["<b>"])
    for page in (WEBHOOKS, page_of(webhook), f"{WEBHOOKS}{webhook.pk}/delete/"):
        text = admin_client.get(page).content.decode()
        assert "<script>\u202e" not in text
        assert "/<script>" not in text
