"""Which queues there are on the broker, and how they are made.

Hints go through the default exchange straight to a queue: there is nothing to bind.
"""

from __future__ import annotations

from typing import Any

from programs.conf import settings
from programs.errors import BrokerMisconfigured

DEFAULT_QUEUE = "default"
NAME_LIMIT = 255  # bytes, AMQP's own


def broker_queue(queue: str) -> str:
    """Return the broker's name of `queue`; raises BrokerMisconfigured when it is too long."""
    name = settings.QUEUE_NAME if queue == DEFAULT_QUEUE else f"{settings.QUEUE_NAME}.{queue}"
    if len(name.encode()) > NAME_LIMIT:
        raise BrokerMisconfigured(f"The queue name {name[:80]!r}… is over {NAME_LIMIT} bytes long")
    return name


def declaration(broker_name: str) -> dict[str, Any]:
    """Return what `queue_declare` is called with for the queue of this name on the broker.

    Nothing beside the type: arguments that only another type or version knows are refused, and
    those that are given can never be changed. Limits and timeouts are set by policy.
    """
    return {
        "queue": broker_name,
        "durable": True,
        "arguments": {"x-queue-type": settings.QUEUE_TYPE},
    }


def declare(channel: Any, queue: str) -> None:
    """Make `queue` on a blocking channel if it is not there."""
    channel.queue_declare(**declaration(broker_queue(queue)))
