"""A publisher, a consumer and a queue for each test of the way to RabbitMQ and back."""

from contextlib import ExitStack

import pytest

from programs.transport import connection, publisher
from programs.transport.consumer import Consumer
from programs.transport.inbox import Inbox
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def own_publisher():
    """Begin each test without a publisher, and leave none behind."""
    publisher.close()
    yield
    publisher.close(timeout=0)


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
