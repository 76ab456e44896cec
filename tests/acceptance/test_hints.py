"""What a hint is and is not: forged ones, one for another program's row, and none that waits."""

from __future__ import annotations

import json

import pytest
from django.db import transaction

from programs.conf import settings as executor_settings
from programs.models import Program, State
from programs.submission import create_program
from tests.messages import hints, send
from tests.servers import RabbitMQ
from tests.site import Site, wait_for
from tests.waiting import eventually

pytestmark = pytest.mark.parametrize("site", ["rabbitmq"], indirect=True)


def messages_left(site: Site, rabbitmq: RabbitMQ) -> int:
    listed = rabbitmq.ctl("list_queues", "name", "messages")
    counts = dict(line.split("\t") for line in listed.splitlines() if "\t" in line)
    return int(counts[site.environment["TEST_QUEUE_NAME"]])


@pytest.mark.invariant(1)
def test_a_forged_hint_for_a_program_that_was_rolled_back_runs_nothing(
    site: Site, rabbitmq: RabbitMQ
) -> None:
    worker = site.worker().started()
    with transaction.atomic(using=executor_settings.DATABASE):
        program = create_program(["noop"])
        send(rabbitmq, site.environment["TEST_QUEUE_NAME"], *hints(program.run_id))
        wait_for(create_elsewhere(site), State.FINISHED)
        transaction.set_rollback(True, using=executor_settings.DATABASE)
    wait_for(create_program(["noop"]), State.FINISHED)
    assert not Program.objects.filter(run_id=program.run_id).exists()
    assert worker.process.poll() is None


def create_elsewhere(site: Site) -> Program:
    """Create a program in another process, whose transaction is its own."""
    run_id = site.manage(
        "shell",
        "-v0",
        "-c",
        "from programs.submission import create_program; print(create_program(['noop']).run_id)",
    ).split()[-1]
    return Program.objects.get(run_id=run_id)


@pytest.mark.invariant(6)
def test_no_hint_waits_in_the_broker_while_its_job_runs(site: Site, rabbitmq: RabbitMQ) -> None:
    gate = site.folder / "gate"
    program = create_program(["behave"], {"how": "wait_for_file", "file": str(gate)})
    later = create_program(["behave"], {"how": "retry", "retry_after": 3600})
    site.worker().started()
    wait_for(program, State.RUNNING)
    wait_for(later, State.SCHEDULED)
    eventually(lambda: messages_left(site, rabbitmq) == 0)
    gate.touch()
    wait_for(program, State.FINISHED)


def test_a_row_that_the_original_inserted_runs_when_it_is_hinted(
    site: Site, rabbitmq: RabbitMQ
) -> None:
    site.worker().started()
    program = Program.objects.create(jobs=["noop", "count"], program_data={}, queue=None)
    body = {"jobs": ["noop", "count"], "programData": {}, "runId": program.run_id}
    send(rabbitmq, site.environment["TEST_QUEUE_NAME"], json.dumps(body).encode())
    finished = wait_for(program, State.FINISHED)
    assert finished.queue == "default"
