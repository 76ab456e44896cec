"""The original's messages: a whole program in each, for Node to execute."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import pika

from programs.conf import settings
from programs.errors import BrokenProgram
from programs.transport.connection import (
    PIKA_ERRORS,
    answered_in_time,
    in_our_words,
    parameters,
)
from programs.transport.topology import broker_queue, declaration

if TYPE_CHECKING:
    from programs.models import Program

HEARTBEAT = 30


def message(program: Program) -> bytes:
    """Return the body that lets the original execute `program` from its step on.

    Raises BrokenProgram for a row of which it could make nothing.
    """
    jobs, step = program.jobs, program.step
    if not isinstance(jobs, list) or not 0 <= step < len(jobs):
        raise BrokenProgram(f"its jobs are no list, or have no step {step}: nothing can be sent")
    if not isinstance(program.program_data, dict):
        raise BrokenProgram("its program data is no JSON object: nothing can be sent")
    whole = {"jobs": jobs[step:], "programData": program.program_data, "runId": program.run_id}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


class Sender:
    """A connection that hands programs to the original, and waits until RabbitMQ has each.

    All that it does has a deadline, and raises BrokerUnavailable or BrokerMisconfigured.
    """

    def __init__(self) -> None:
        self._given = parameters(settings.AMQP_URL, purpose="relay", heartbeat=HEARTBEAT)
        self._declared: set[str] = set()
        try:
            self._connection = pika.BlockingConnection(self._given)
            with answered_in_time(self._connection):
                self._channel = self._connection.channel()
                self._channel.confirm_delivery()
        except PIKA_ERRORS as error:
            raise in_our_words(error, self._given) from error

    def send(self, queue: str, body: bytes) -> None:
        """Return once RabbitMQ has the message in `queue`."""
        name = broker_queue(queue)
        try:
            with answered_in_time(self._connection):
                if name not in self._declared:
                    self._channel.queue_declare(**declaration(name))
                    self._declared.add(name)
                self._channel.basic_publish(
                    exchange="",
                    routing_key=name,
                    body=body,
                    # As the original has them: a timestamp in milliseconds, and nothing else.
                    properties=pika.BasicProperties(
                        headers={}, timestamp=time.time_ns() // 1_000_000
                    ),
                    mandatory=True,  # a queue that is gone is told of, and no message lost in it
                )
        except PIKA_ERRORS as error:
            raise in_our_words(error, self._given) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception), answered_in_time(self._connection):
            if self._connection.is_open:
                self._connection.close()
