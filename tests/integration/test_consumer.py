"""Hints come from RabbitMQ to the slots, whatever becomes of it."""

import json
import logging
from contextlib import ExitStack, closing, contextmanager

import pika
import pytest

from programs.transport import connection
from programs.transport.consumer import Consumer
from programs.transport.hint import Hint
from programs.transport.inbox import Inbox
from tests.waiting import eventually

TAKE = 10.0  # seconds within which a delivery comes


@pytest.fixture
def name(rabbitmq, settings):
    """The broker's name of the queue `default`, new for each test."""
    name = rabbitmq.new_queue("other")
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": rabbitmq.url, "QUEUE_NAME": name}
    return name


@pytest.fixture
def inbox():
    return Inbox(slots=2)


@pytest.fixture
def consume():
    """Start consumers that are stopped when the test ends."""
    with ExitStack() as stack:

        def start(inbox, *queues, prefetch=2):
            consumer = Consumer(queues or ["default"], inbox, prefetch=prefetch)
            consumer.start()
            stack.callback(consumer.stop, 10)
            return consumer

        yield start


@pytest.fixture
def consumer(name, inbox, consume):
    """A consumer of the queue `default` that has come as far as consuming."""
    consumer = consume(inbox)
    eventually(lambda: consumer.live)
    return consumer


@contextmanager
def channel_to(rabbitmq):
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        yield connection.channel()


def send(rabbitmq, queue, *bodies):
    with channel_to(rabbitmq) as channel:
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", queue, body, mandatory=True)


def hints(*run_ids):
    return [Hint(run_id).encode() for run_id in run_ids]


def ready(rabbitmq, queue):
    """Return how many messages of the queue nobody holds."""
    with channel_to(rabbitmq) as channel:
        return channel.queue_declare(queue, passive=True).method.message_count


def taken(inbox):
    """Take the next delivery, as a slot would."""
    delivery = inbox.take(TAKE)
    assert delivery is not None, f"nothing came within {TAKE} s"
    return delivery


def left_by(consumer, rabbitmq, queue):
    """Stop a consumer and return how many messages it has not settled."""
    consumer.stop(10)
    return ready(rabbitmq, queue)


def warnings(caplog):
    return [record for record in caplog.records if record.levelno == logging.WARNING]


# The way of a delivery ---------------------------------------------------------------------


def test_a_hint_on_the_broker_is_taken_by_a_slot(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))

    delivery = taken(inbox)

    assert (delivery.hint, delivery.queue) == (Hint("r1"), "default")


def test_every_queue_is_made_and_consumed(rabbitmq, name, inbox, consume):
    consumer = consume(inbox, "default", "other")
    eventually(lambda: consumer.live)
    send(rabbitmq, f"{name}.other", *hints("r1"))

    assert taken(inbox).queue == "other"


def test_a_settled_hint_is_gone_however_often_it_is_settled(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    delivery = taken(inbox)

    for answer in (delivery.settle, delivery.settle, delivery.give_back):
        answer()

    send(rabbitmq, name, *hints("r2"))
    assert taken(inbox).hint == Hint("r2")
    assert consumer.live
    assert left_by(consumer, rabbitmq, name) == 1


def test_a_hint_given_back_comes_again(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    taken(inbox).give_back()

    assert taken(inbox).hint == Hint("r1")


def test_answers_out_of_order_settle_only_what_was_settled(rabbitmq, name, inbox, consume):
    consumer = consume(inbox, prefetch=10)
    eventually(lambda: consumer.live)
    send(rabbitmq, name, *hints(*(f"r{number}" for number in range(10))))
    held = [taken(inbox) for _ in range(10)]

    for number in (9, 1, 0, 4, 5, 7):
        held[number].settle()
    held[3].give_back()

    assert taken(inbox).hint == held[3].hint
    assert left_by(consumer, rabbitmq, name) == 4
    left = Inbox(slots=10)
    consume(left, prefetch=10)
    assert {taken(left).hint for _ in range(4)} == {held[number].hint for number in (2, 3, 6, 8)}


def test_no_more_than_the_prefetch_is_held_and_each_settled_hint_makes_room(
    rabbitmq, name, inbox, consumer
):
    send(rabbitmq, name, *hints("r1", "r2", "r3"))
    first, second = taken(inbox), taken(inbox)
    assert inbox.take(0.05) is None

    first.settle()

    assert taken(inbox).hint not in (first.hint, second.hint)


def test_stopping_gives_back_what_waits_and_keeps_what_was_settled(
    rabbitmq, name, inbox, consumer, consume
):
    send(rabbitmq, name, *hints("r1", "r2"))
    eventually(lambda: len(inbox) == 2)
    settled = taken(inbox)
    settled.settle()

    assert left_by(consumer, rabbitmq, name) == 1
    assert not consumer.live
    assert len(inbox) == 0
    another = Inbox(slots=2)
    consume(another)
    assert taken(another).hint != settled.hint


def test_a_consumer_that_was_never_started_can_be_stopped(inbox):
    consumer = Consumer(["default"], inbox, prefetch=1)
    consumer.stop(1)

    assert not consumer.live


# Bad hints ---------------------------------------------------------------------------------


def test_bad_hints_by_the_hundred_are_logged_acknowledged_and_gone(
    rabbitmq, name, inbox, consumer, caplog
):
    bad = [b"not json", b"\xff\xfe", b"{}", json.dumps({"runId": 17}).encode(), b"\0" * 2**20]
    send(rabbitmq, name, *(bad[number % 5] for number in range(300)), *hints("r1"))

    delivery = taken(inbox)

    assert delivery.hint == Hint("r1")
    delivery.settle()
    assert consumer.live
    assert left_by(consumer, rabbitmq, name) == 0
    assert len(warnings(caplog)) == 300
    assert max(len(record.getMessage()) for record in warnings(caplog)) < 400
    assert {record.queue for record in warnings(caplog)} == {"default"}


# Slots that do not come --------------------------------------------------------------------


def test_when_no_slot_comes_the_hints_go_to_another_worker(rabbitmq, name, inbox, consume):
    busy = consume(inbox)
    eventually(lambda: busy.live)
    send(rabbitmq, name, *hints("r1", "r2"))
    eventually(lambda: len(inbox) == 2)

    another = Inbox(slots=2)
    consume(another)

    assert {taken(another).hint.run_id, taken(another).hint.run_id} == {"r1", "r2"}
    assert len(inbox) == 0
    assert busy.live


def test_when_a_slot_comes_again_the_hints_do_as_well(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    eventually(lambda: len(inbox) == 1)
    eventually(lambda: len(inbox) == 0)  # nobody came for it: given back
    send(rabbitmq, name, *hints("r2"))

    assert {taken(inbox).hint.run_id, taken(inbox).hint.run_id} == {"r1", "r2"}


# A broker that fails -----------------------------------------------------------------------


def test_it_consumes_again_after_the_broker_was_away(rabbitmq, name, inbox, consumer, caplog):
    rabbitmq.stop()
    try:
        eventually(lambda: not consumer.live)
        eventually(lambda: consumer.last_error)
    finally:
        rabbitmq.start()

    eventually(lambda: consumer.live, within=30)
    assert consumer.last_error is None
    send(rabbitmq, name, *hints("r1"))
    assert taken(inbox).hint == Hint("r1")


def test_a_broker_that_is_away_from_the_start_is_waited_for(rabbitmq, name, inbox, consume):
    rabbitmq.stop()
    try:
        consumer = consume(inbox)
        eventually(lambda: consumer.last_error)
    finally:
        rabbitmq.start()

    eventually(lambda: consumer.live, within=30)


def test_stopping_is_quick_while_the_broker_is_away(settings, inbox, consume):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}
    consumer = consume(inbox)
    eventually(lambda: consumer.last_error)

    consumer.stop(10)

    assert not consumer._thread.is_alive()


def test_an_answer_from_before_a_reconnection_answers_nothing(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    stale = taken(inbox)
    rabbitmq.restart()
    fresh = inbox.take(30)
    assert (stale.tag, fresh.hint) == (fresh.tag, Hint("r1"))

    stale.settle()
    stale.give_back()
    send(rabbitmq, name, *hints("r2"))

    assert taken(inbox).hint == Hint("r2")
    assert consumer.live
    assert left_by(consumer, rabbitmq, name) == 2


def test_a_lost_connection_takes_what_waits_out_of_the_inbox(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    eventually(lambda: len(inbox) == 1)
    rabbitmq.ctl("close_all_connections", "for a test")

    eventually(lambda: consumer.live)
    taken(inbox).settle()

    assert inbox.take(0.05) is None
    assert left_by(consumer, rabbitmq, name) == 0


def test_a_channel_that_the_broker_closes_is_opened_again_at_once(
    rabbitmq, name, inbox, consumer, caplog
):
    session = consumer._session
    session._unsettled.add(999)  # a tag that the broker does not know: it answers with a 406
    session.settle(999)

    eventually(lambda: consumer.live and consumer._session is not session)

    send(rabbitmq, name, *hints("r1"))
    assert taken(inbox).hint == Hint("r1")
    [record] = warnings(caplog)
    assert "unknown delivery tag" in record.getMessage()


def test_a_queue_that_is_deleted_is_made_and_consumed_again(rabbitmq, name, inbox, consumer):
    with channel_to(rabbitmq) as channel:
        channel.queue_delete(name)
    eventually(lambda: not consumer.live)
    eventually(lambda: consumer.live)

    send(rabbitmq, name, *hints("r1"))

    assert taken(inbox).hint == Hint("r1")


def test_a_memory_alarm_does_not_stop_consuming(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1", "r2", "r3"))
    rabbitmq.ctl("set_vm_memory_high_watermark", "0.000001")
    try:
        deliveries = []
        for _ in range(3):
            deliveries.append(taken(inbox))
            deliveries[-1].settle()
        assert {delivery.hint.run_id for delivery in deliveries} == {"r1", "r2", "r3"}
        assert consumer.live
        assert left_by(consumer, rabbitmq, name) == 0
    finally:
        rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")


# A broker that refuses us ------------------------------------------------------------------


@pytest.fixture
def tries(monkeypatch):
    """The errors with which connecting has failed, with next to no wait between the tries."""
    tries = []
    failed = connection.Outage.failed

    def counted(outage, error):
        tries.append(error)
        return failed(outage, error)

    monkeypatch.setattr(connection, "MISCONFIGURED_DELAY", 0.05)
    monkeypatch.setattr(connection.Outage, "failed", counted)
    return tries


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_a_wrong_password_is_reported_once_and_never_shown(
    rabbitmq, name, settings, inbox, consume, tries, caplog
):
    url = rabbitmq.url.replace("guest:guest@", "guest:s3cr3t@")
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": url, "QUEUE_NAME": name}
    consumer = consume(inbox)

    eventually(lambda: len(tries) >= 3)

    [line] = errors(caplog)
    assert "refuses user 'guest' or its password" in line
    assert line.startswith(consumer.last_error)
    assert "s3cr3t" not in caplog.text
    assert not consumer.live


def test_a_queue_with_other_arguments_is_reported_once_and_consumed_once_it_is_right(
    rabbitmq, name, inbox, consume, tries, caplog
):
    with channel_to(rabbitmq) as channel:
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "classic"})
    consumer = consume(inbox)
    eventually(lambda: len(tries) >= 3)

    [line] = errors(caplog)
    assert "x-queue-type" in line
    assert "QUEUE_TYPE" in line
    with channel_to(rabbitmq) as channel:
        channel.queue_delete(name)
    eventually(lambda: consumer.live)
    assert consumer.last_error is None


def test_a_fault_of_ours_does_not_end_the_consumer(
    rabbitmq, name, inbox, consumer, monkeypatch, caplog
):
    put = inbox.put
    monkeypatch.setattr(inbox, "put", lambda delivery: 1 / 0)
    send(rabbitmq, name, *hints("r1"))
    eventually(lambda: consumer.last_error)
    monkeypatch.setattr(inbox, "put", put)

    assert taken(inbox).hint == Hint("r1")
    assert "The consumer failed" in caplog.text
