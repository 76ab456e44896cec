"""Webhooks with real workers: each end is told, and by one delivery, whoever dies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from programs.models import Program, State, Webhook
from programs.models.clock import Utc
from programs.submission import create_programs
from programs.webhooks import listeners
from programs.webhooks.ends import JOB
from tests.receiver import Receiver, receiving
from tests.site import SITE, Site, all_ended
from tests.waiting import eventually


@pytest.fixture
def receiver(site: Site) -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver
    Webhook.objects.all().delete()
    listeners.forget()


def webhook(receiver: Receiver) -> Webhook:
    made = Webhook(url=receiver.url, events=["finished"])
    made.save(using=SITE)
    return made


def told(receiver: Receiver) -> Counter[str]:
    """Return how often each program was told of."""
    return Counter(json.loads(call.body)["run_id"] for call in receiver.calls)


def deliveries() -> list[Program]:
    return [each for each in Program.objects.all() if each.jobs == [JOB]]


def test_two_workers_tell_of_each_end_once(site: Site, receiver: Receiver) -> None:
    webhook(receiver)
    for _ in range(2):
        site.worker("--threads", "4").started()

    programs = create_programs([{"jobs": ["noop"]}] * 40)

    eventually(lambda: len(receiver.calls) >= 40 and all_ended(), within=60)
    assert told(receiver) == {program.run_id: 1 for program in programs}
    assert {each.state for each in deliveries()} == {State.FINISHED}


def test_what_dead_workers_did_not_tell_two_others_tell_once(
    site: Site, receiver: Receiver
) -> None:
    programs = create_programs([{"jobs": ["noop"]}] * 40)
    site.manage("runworker", "--burst")  # tells nobody: there is no webhook yet
    made = webhook(receiver)
    Webhook.objects.filter(pk=made.pk).update(since=Utc(after=-3600), seen_at=Utc(after=-3600))

    workers = [site.worker("--burst"), site.worker("--burst")]
    for worker in workers:
        assert worker.process.wait(timeout=60) == 0, worker.output

    assert told(receiver) == {program.run_id: 1 for program in programs}
    assert len(deliveries()) == 40
