"""Queues as Program Executor JS declares them, and what goes through them in either direction.

What the original does is done here by hand: its own arguments, its own messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pika
import pytest
from django.core.management import CommandError, call_command

from programs import checks, operations, relay
from programs.errors import BrokerMisconfigured, OperationRefused
from programs.models import Program, State
from programs.submission import create_program
from programs.transport import probe, publisher
from programs.transport.connection import in_our_words, parameters
from tests.messages import channel_to, make_classic, ready, run_ids
from tests.node import as_node_declares, messages
from tests.running import fresh, on_postgresql
from tests.servers import RabbitMQ
from tests.waiting import eventually

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def js(rabbitmq: RabbitMQ, settings: Any, bookkeeping: str) -> Iterator[str]:
    """The broker's name of `from_node`, executed by Python; `to_node` is `<name>-to`, by Node."""
    name = rabbitmq.new_queue("from_node")
    protocol = {"PROTOCOL": "program-executor-js"}
    settings.PROGRAM_EXECUTOR = {
        **settings.PROGRAM_EXECUTOR,
        "AMQP_URL": rabbitmq.url,
        "QUEUE_NAME": name,
        "QUEUES": {
            "from_node": {**protocol, "NAME": name},
            "to_node": {**protocol, "NAME": f"{name}-to", "EXECUTED_BY": "node"},
        },
    }
    yield name
    relay.close()
    publisher.close(timeout=0)
    with channel_to(rabbitmq) as channel:
        for queue in (name, f"{name}-to"):
            channel.queue_delete(queue)
            channel.queue_delete(f"{queue}-retry-1000")


def sent(program: Program) -> Program:
    """Wait until RabbitMQ has confirmed the program."""
    eventually(lambda: fresh(program).due_at is None)
    return fresh(program)


# Declared as the original does it ------------------------------------------------------------


@on_postgresql
def test_a_hint_of_ours_goes_through_a_queue_that_node_can_declare_too(
    rabbitmq: RabbitMQ, js: str
) -> None:
    publisher.publish("r1", "from_node")

    assert publisher.flush(10)
    with channel_to(rabbitmq) as channel:
        as_node_declares(channel, js)
    assert run_ids(rabbitmq, js) == ["r1"]


@on_postgresql
def test_the_probe_makes_both_queues_as_node_does(rabbitmq: RabbitMQ, js: str) -> None:
    assert probe.misfits(["default", "from_node"]) == []

    assert ready(rabbitmq, f"{js}-retry-1000") == 0
    with channel_to(rabbitmq) as channel:
        as_node_declares(channel, js)


@on_postgresql
def test_a_queue_of_another_form_is_refused_by_probe_check_and_worker(
    rabbitmq: RabbitMQ, js: str
) -> None:
    make_classic(rabbitmq, js)

    (misfit,) = probe.misfits(["from_node"])
    for part in (js, "durable", "delete it once it is empty", "QUEUES['from_node']"):
        assert part in str(misfit)
    (error,) = checks.queues_of_the_original_fit(None)
    assert (error.id, error.msg) == ("programs.E009", str(misfit))
    with pytest.raises(CommandError, match="in another form than the original makes it"):
        call_command("runworker", queue=["from_node"])


@on_postgresql
def test_a_broker_that_is_away_is_a_warning(js: str, settings: Any) -> None:
    nowhere = {"AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, **nowhere}

    (warning,) = checks.queues_of_the_original_fit(None)

    assert warning.id == "programs.W004"


def test_a_broker_that_takes_no_transient_queues_is_told_how_to() -> None:
    refused = pika.exceptions.ConnectionClosedByBroker(
        541,
        "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\n"
        "By default, this feature is not permitted anymore.",
    )
    given = parameters("amqp://guest:guest@127.0.0.1:1/", purpose="probe", heartbeat=20)

    error = in_our_words(refused, given)

    assert isinstance(error, BrokerMisconfigured)
    assert "deprecated_features.permit.transient_nonexcl_queues = true" in str(error)


@on_postgresql
def test_a_worker_does_not_serve_what_node_executes(js: str) -> None:
    with pytest.raises(CommandError, match=r"'to_node' is executed by Node .*EXECUTED_BY"):
        call_command("runworker", queue=["to_node"])


# Python creates, Node executes ---------------------------------------------------------------


def test_node_gets_the_whole_program_and_its_row_as_it_writes_them(
    rabbitmq: RabbitMQ, js: str
) -> None:
    data = {"customer": "Zoë", "day": None}

    program = create_program(["first_job", "second_job"], data, queue="to_node")

    row = sent(program)
    ((body, properties),) = messages(rabbitmq, f"{js}-to")
    assert body == {
        "jobs": ["first_job", "second_job"],
        "programData": data,
        "runId": program.run_id,
    }
    assert properties.timestamp is not None
    assert abs(properties.timestamp / 1000 - row.created_at.timestamp()) < 60
    bare = pika.BasicProperties(headers={}, timestamp=properties.timestamp)
    assert vars(properties) == vars(bare)
    assert (row.step, row.step_retry_count, row.job_data) == (0, 0, {})
    assert (row.finished_at, row.errored_at, row.error_message) == (None, None, None)


@on_postgresql
def test_without_program_data_node_gets_an_empty_object(rabbitmq: RabbitMQ, js: str) -> None:
    sent(create_program(["first_job"], queue="to_node"))

    ((body, _),) = messages(rabbitmq, f"{js}-to")
    assert body["programData"] == {}


@on_postgresql
def test_what_could_not_be_sent_waits_in_its_row(
    rabbitmq: RabbitMQ, js: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_classic(rabbitmq, f"{js}-to")  # refused, as all may be that a broker can do
    program = create_program(["first_job"], queue="to_node")
    eventually(lambda: "programs for Node wait in the database" in caplog.text)
    assert fresh(program).due_at is not None
    relay.close(0)

    with channel_to(rabbitmq) as channel:
        channel.queue_delete(f"{js}-to")
    Program.objects.filter(pk=program.pk).update(due_at=program.created_at)
    assert relay.send_due() == 1

    sent(program)
    assert len(messages(rabbitmq, f"{js}-to")) == 1
    assert relay.send_due() == 0


@on_postgresql
def test_what_is_created_while_the_broker_is_down_is_sent_once_it_is_back(
    rabbitmq: RabbitMQ, js: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    up = settings.PROGRAM_EXECUTOR
    settings.PROGRAM_EXECUTOR = {**up, "AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}
    program = create_program(["first_job"], queue="to_node")
    eventually(lambda: "programs for Node wait in the database" in caplog.text)

    settings.PROGRAM_EXECUTOR = up

    assert sent(program).due_at is None
    assert len(messages(rabbitmq, f"{js}-to")) == 1


@on_postgresql
def test_what_was_sent_to_node_is_carried_on_by_python_once_that_executes_the_queue(
    rabbitmq: RabbitMQ, js: str, settings: Any
) -> None:
    program = sent(create_program(["noop", "count"], queue="to_node"))
    Program.objects.filter(pk=program.pk).update(step=1)  # Node has come so far
    ((body, _),) = messages(rabbitmq, f"{js}-to")
    queues = {**settings.PROGRAM_EXECUTOR["QUEUES"]}
    queues["to_node"] = {**queues["to_node"], "EXECUTED_BY": "python"}
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "QUEUES": queues}

    assert not Program.objects.adopt(body["runId"], "default")
    assert Program.objects.adopt(body["runId"], "to_node")

    claimed = Program.objects.claim_named(program.run_id, ["to_node"], "tests/1.1", 60.0)
    assert claimed is not None
    assert claimed.step == 1
    assert not Program.objects.adopt(body["runId"], "to_node")


@on_postgresql
def test_what_another_process_is_sending_is_left_to_it(js: str) -> None:
    program = Program.objects.create(jobs=["first_job"], queue="to_node", due_at=LONG_AGO)
    seen = fresh(program)
    assert seen.take_to_send()

    assert not fresh(program).take_to_send()
    assert not program.take_to_send()
    assert relay.send_due() == 0
    assert seen.note_sent()


@on_postgresql
def test_a_row_of_which_no_message_can_be_made_ends_errored(js: str) -> None:
    program = Program.objects.create(jobs=[], queue="to_node", due_at=LONG_AGO)

    assert relay.send_due() == 0

    assert fresh(program).state is State.ERRORED
    assert "nothing can be sent" in str(fresh(program).error_message)


@on_postgresql
def test_a_paused_queue_sends_nothing(rabbitmq: RabbitMQ, js: str) -> None:
    operations.pause_queue("to_node")
    create_program(["first_job"], queue="to_node")

    assert relay.send_due() == 0
    operations.resume_queue("to_node")
    relay.send_due()  # or the relay's thread does
    eventually(lambda: ready(rabbitmq, f"{js}-to") == 1)


# Operators -----------------------------------------------------------------------------------


@on_postgresql
def test_stop_is_told_to_node_in_its_own_way_and_retry_sends_the_rest(
    rabbitmq: RabbitMQ, js: str
) -> None:
    program = sent(create_program(["first_job", "second_job"], queue="to_node"))
    messages(rabbitmq, f"{js}-to")
    Program.objects.filter(pk=program.pk).update(step=1)  # Node has come so far

    stopped = operations.stop_program(program, by="ada")
    assert (stopped.state, stopped.error_message) == (State.ERRORED, "stopped by an operator")

    operations.retry_program(program)
    assert sent(program).step == 1
    ((body, _),) = messages(rabbitmq, f"{js}-to")
    assert body["jobs"] == ["second_job"]


@on_postgresql
@pytest.mark.parametrize("act", [operations.pause_program, operations.retry_program])
def test_what_would_interfere_with_node_is_refused(js: str, act: Any) -> None:
    program = sent(create_program(["first_job"], queue="to_node"))

    with pytest.raises(OperationRefused, match="executed by Node through queue to_node"):
        act(program)
