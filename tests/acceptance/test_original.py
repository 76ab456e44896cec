"""Side by side with Program Executor JS, on one table: Node creates, or Node executes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from programs.models import Program, State
from tests.messages import channel_to
from tests.node import insert, messages, publish
from tests.servers import RabbitMQ
from tests.site import SITE, Site, wait_for
from tests.waiting import eventually

pytestmark = pytest.mark.parametrize("site", ["rabbitmq"], indirect=True)


@pytest.fixture
def js(site: Site, rabbitmq: RabbitMQ, settings: Any) -> Iterator[str]:
    """The broker's name of `from_node`, which Python executes; `<name>-to` is executed by Node."""
    name = rabbitmq.new_queue()
    queues = {
        "from_node": {"PROTOCOL": "program-executor-js", "NAME": name},
        "to_node": {
            "PROTOCOL": "program-executor-js",
            "NAME": f"{name}-to",
            "EXECUTED_BY": "node",
        },
    }
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "QUEUES": queues}
    site.environment["TEST_QUEUES"] = json.dumps(queues)
    yield name
    site.close()  # before its queues go
    with channel_to(rabbitmq) as channel:
        for queue in (name, f"{name}-to"):
            channel.queue_delete(queue)
            channel.queue_delete(f"{queue}-retry-1000")


def test_what_node_creates_is_executed_by_a_worker(site: Site, rabbitmq: RabbitMQ, js: str) -> None:
    site.worker("--queue", "from_node").started()
    insert(SITE, "17011712345678901", "noop", "behave", program_data={"how": "fail"})
    insert(SITE, "17011712345678902", "noop", "count")  # without programData

    publish(rabbitmq, js, "17011712345678901", "noop", "behave", programData={"how": "succeed"})
    publish(rabbitmq, js, "17011712345678902", "noop", "count")
    publish(rabbitmq, js, "17011712345678902", "count")  # a second chain, as its crashes leave

    finished = wait_for(Program.objects.get(run_id="17011712345678902"), State.FINISHED)
    assert (finished.queue, finished.step, finished.program_data) == ("from_node", 1, {})
    assert finished.attempts.count() == 2
    # The row is the truth: what a message says besides its run id is not looked at.
    errored = wait_for(Program.objects.get(run_id="17011712345678901"), State.ERRORED)
    assert errored.step == 1


def test_a_command_that_creates_a_program_for_node_has_sent_it_when_it_ends(
    site: Site, rabbitmq: RabbitMQ, js: str
) -> None:
    run_id = site.manage("createprogram", "first_job", "--queue", "to_node").strip()

    (body, _), *others = messages(rabbitmq, f"{js}-to")
    assert body == {"jobs": ["first_job"], "programData": {}, "runId": run_id}
    assert others == []
    assert Program.objects.get(run_id=run_id).due_at is None


def test_a_worker_sends_to_node_what_its_creator_could_not(
    site: Site, rabbitmq: RabbitMQ, js: str
) -> None:
    insert(  # committed, and then its process was killed
        SITE, "r1", "first_job", program_data={"a": 1}, queue="to_node", due_at=datetime.now(UTC)
    )

    site.worker().started()

    program = Program.objects.get(run_id="r1")
    eventually(lambda: Program.objects.get(pk=program.pk).due_at is None)
    assert [body for body, _ in messages(rabbitmq, f"{js}-to")] == [
        {"jobs": ["first_job"], "programData": {"a": 1}, "runId": "r1"}
    ]
    Program.objects.filter(pk=program.pk).update(finished_at="2026-01-01T00:00Z")  # as Node does
    assert wait_for(program, State.FINISHED).attempts.count() == 0
