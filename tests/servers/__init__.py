"""The real servers that tests talk to: found or started on demand, private wherever possible.

In this order: what TEST_DATABASE_URL and TEST_AMQP_URL name; what this machine has installed, as
processes of our own on free ports; containers, where Docker's engine answers. `make test` first
installs what is missing where it may (`python -m tests.servers --install`). The same module lends
its servers to any command: `python -m tests.servers -- COMMAND`.
"""

from tests.servers.broker import RabbitMQ, rabbitmq
from tests.servers.database import Postgres, postgres
from tests.servers.server import NotPrivate, ServerFailed, ServerMissing

__all__ = [
    "NotPrivate",
    "Postgres",
    "RabbitMQ",
    "ServerFailed",
    "ServerMissing",
    "postgres",
    "rabbitmq",
]
