"""Which queues there are on the broker, and how they are made.

Hints go through the default exchange straight to a queue: there is nothing to bind.
"""

from __future__ import annotations

from typing import Any

from programs import dialect
from programs.conf import settings
from programs.errors import BrokerMisconfigured

DEFAULT_QUEUE = "default"
NAME_LIMIT = 255  # bytes, AMQP's own
RETRY_AFTER = 1000  # milliseconds: a constant of the original's, part of its queues' names


def broker_queue(queue: str) -> str:
    """Return the broker's name of `queue`; raises BrokerMisconfigured when it is too long."""
    name = dialect.name_on_broker(queue)
    if name is None:
        name = settings.QUEUE_NAME if queue == DEFAULT_QUEUE else f"{settings.QUEUE_NAME}.{queue}"
    if len(name.encode()) > NAME_LIMIT:
        raise BrokerMisconfigured(f"The queue name {name[:80]!r}… is over {NAME_LIMIT} bytes long")
    return name


def declaration(broker_name: str) -> dict[str, Any]:
    """Return what `queue_declare` is called with for the queue of this name on the broker.

    Nothing beside the type: arguments that only another type or version knows are refused, and
    those that are given can never be changed. Limits and timeouts are set by policy. A queue of
    the original's is declared as that does it, to the letter, or one of the two would be refused.
    """
    if broker_name in map(broker_queue, dialect.original_queues()):
        return {
            "queue": broker_name,
            "durable": False,
            "arguments": {
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": _retry_queue(broker_name),
            },
        }
    return {
        "queue": broker_name,
        "durable": True,
        "arguments": {"x-queue-type": settings.QUEUE_TYPE},
    }


def retry_declaration(broker_name: str) -> dict[str, Any]:
    """Return the same for the queue in which the original lets a message wait for its next try."""
    return {
        "queue": _retry_queue(broker_name),
        "durable": False,
        "arguments": {
            "x-message-ttl": RETRY_AFTER,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": broker_name,
        },
    }


def declare(channel: Any, queue: str) -> None:
    """Make `queue` on a blocking channel if it is not there; of the original's, both its queues."""
    name = broker_queue(queue)
    channel.queue_declare(**declaration(name))
    if dialect.is_originals(queue):
        channel.queue_declare(**retry_declaration(name))


def _retry_queue(broker_name: str) -> str:
    return f"{broker_name}-retry-{RETRY_AFTER}"
