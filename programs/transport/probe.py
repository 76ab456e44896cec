"""Ask the broker, before a worker starts, whether the original's queues can be had as they are."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import pika
from pika.exceptions import ChannelClosedByBroker

from programs import dialect
from programs.conf import settings
from programs.errors import BrokerMisconfigured
from programs.transport.connection import (
    PIKA_ERRORS,
    answered_in_time,
    broker_name,
    in_our_words,
    parameters,
)
from programs.transport.topology import broker_queue, declare

HEARTBEAT = 20
ANOTHER_KIND = 406


def misfits(queues: Iterable[str]) -> list[BrokerMisconfigured]:
    """Return what is wrong with those of `queues` that are declared as the original does it.

    They are made where they are missing. A worker could do without a queue of our own, by the
    database alone; but of what Node creates it hears by no other way. Raises BrokerUnavailable, or
    BrokerMisconfigured when no queue at all can be asked about.
    """
    originals = [queue for queue in queues if dialect.is_originals(queue)]
    if settings.AMQP_URL is None or not originals:
        return []
    given = parameters(settings.AMQP_URL, purpose="probe", heartbeat=HEARTBEAT)
    found: list[BrokerMisconfigured] = []
    try:
        connection = pika.BlockingConnection(given)
        try:
            for queue in originals:
                with answered_in_time(connection):
                    channel = connection.channel()
                    try:
                        declare(channel, queue)
                        channel.close()
                    except ChannelClosedByBroker as error:
                        if error.reply_code != ANOTHER_KIND:
                            raise
                        found.append(_misfit(queue, error, broker_name(given)))
        finally:
            with suppress(Exception), answered_in_time(connection):
                connection.close()
    except PIKA_ERRORS as error:
        raise in_our_words(error, given) from error
    return found


def _misfit(queue: str, error: ChannelClosedByBroker, broker: str) -> BrokerMisconfigured:
    return BrokerMisconfigured(
        f"{broker} has queue {broker_queue(queue)!r} in another form than the original makes it: "
        f"{error.reply_text}; delete it once it is empty, or give QUEUES[{queue!r}] another NAME"
    )
