"""What is on the broker, seen and put there past the code under test."""

import json
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from programs.transport.consumer import Consumer
from programs.transport.hint import Hint
from programs.transport.inbox import Delivery, Inbox
from tests.servers import RabbitMQ


@contextmanager
def channel_to(rabbitmq: RabbitMQ) -> Iterator[BlockingChannel]:
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        yield connection.channel()


def hints(*run_ids: str) -> list[bytes]:
    return [Hint(run_id).encode() for run_id in run_ids]


def send(rabbitmq: RabbitMQ, queue: str, *bodies: bytes) -> None:
    """Put messages into a queue that is there."""
    with channel_to(rabbitmq) as channel:
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", queue, body, mandatory=True)


def ready(rabbitmq: RabbitMQ, queue: str) -> int:
    """Return how many messages of the queue nobody holds."""
    with channel_to(rabbitmq) as channel:
        count: int = channel.queue_declare(queue, passive=True).method.message_count
        return count


def run_ids(rabbitmq: RabbitMQ, queue: str) -> list[str]:
    """Take all messages off a queue; return the run_ids in them."""
    found: list[str] = []
    if count := ready(rabbitmq, queue):
        with channel_to(rabbitmq) as channel:
            for _, _, body in channel.consume(queue, auto_ack=True):
                found.append(json.loads(body)["runId"])
                if len(found) == count:
                    break
    return found


def taken(inbox: Inbox) -> Delivery:
    """Take the next delivery, as a slot would."""
    delivery = inbox.take(timeout=10.0)
    assert delivery is not None, "nothing came"
    return delivery


def left_by(consumer: Consumer, rabbitmq: RabbitMQ, queue: str) -> int:
    """Stop a consumer and return how many messages it has not settled."""
    consumer.stop(10)
    return ready(rabbitmq, queue)


def make_classic(rabbitmq: RabbitMQ, queue: str) -> None:
    """Make a queue with other arguments than the settings ask for."""
    with channel_to(rabbitmq) as channel:
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "classic"})


def delete(rabbitmq: RabbitMQ, queue: str) -> None:
    with channel_to(rabbitmq) as channel:
        channel.queue_delete(queue)


@contextmanager
def stopped(rabbitmq: RabbitMQ) -> Iterator[None]:
    """Stop the broker for a while."""
    rabbitmq.stop()
    try:
        yield
    finally:
        rabbitmq.start()


@contextmanager
def leaderless(rabbitmq: RabbitMQ, queue: str) -> Iterator[None]:
    """Let nobody answer for a queue, as when its leader is lost: the broker goes on otherwise."""
    leader = f"whereis('%2F_{queue}')"
    rabbitmq.ctl("eval", f"sys:suspend({leader}).")
    try:
        yield
    finally:
        rabbitmq.ctl("eval", f"sys:resume({leader}).")


@contextmanager
def memory_alarm(rabbitmq: RabbitMQ) -> Iterator[None]:
    """Let the broker believe that it is out of memory."""
    rabbitmq.ctl("set_vm_memory_high_watermark", "0.000001")
    try:
        yield
    finally:
        rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")


def logged(caplog: pytest.LogCaptureFixture, level: int = logging.ERROR) -> list[str]:
    """Return the lines that were logged at a level."""
    return [record.getMessage() for record in caplog.records if record.levelno == level]
