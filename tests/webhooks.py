"""What the tests of webhooks share: a webhook that calls a receiver, and its deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from programs.models import Program, Webhook
from programs.models.clock import Utc
from programs.webhooks import listeners
from programs.webhooks.ends import JOB
from tests.receiver import Receiver, receiving
from tests.running import carry, claim, fresh, make_due

Made = Callable[..., Webhook]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def make(bookkeeping: str, settings: Settings, receiver: Receiver) -> Iterator[Made]:
    """Makes webhooks that call the receiver, which is on this machine."""
    own = {"WEBHOOK_PRIVATE_ADDRESSES": True, "WEBHOOK_PLAIN_HTTP": True}
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, **own}
    listeners.forget()

    def make(*events: str, **given: Any) -> Webhook:
        fields = {"url": receiver.url, "events": list(events or ("finished",)), **given}
        webhook = Webhook(**fields)
        webhook.save(using=bookkeeping)
        return Webhook.objects.get(pk=webhook.pk)

    yield make
    Webhook.objects.all().delete()
    listeners.forget()


def deliveries() -> list[Program]:
    return [each for each in Program.objects.order_by("pk") if each.jobs == [JOB]]


def deliver(delivery: Program | None = None) -> Program:
    """Let a worker take up a delivery, or the one that there is; return it as it then is."""
    if delivery is None:
        (delivery,) = deliveries()
    make_due(delivery)
    claimed = claim(delivery)
    assert claimed is not None
    carry(claimed)
    return fresh(delivery)


def later(webhook: Webhook) -> None:
    """Let it be a while since anybody has caught up with the webhook."""
    Webhook.objects.filter(pk=webhook.pk).update(seen_at=Utc(after=-60), since=Utc(after=-60))
