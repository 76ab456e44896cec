"""The servers as fixtures: started when the first test asks, at most once a session."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import pytest

from tests.servers.broker import RabbitMQ, rabbitmq
from tests.servers.database import Postgres, postgres
from tests.servers.server import Server, ServerMissing

AServer = TypeVar("AServer", bound=Server)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The PostgreSQL of this session."""
    yield from _lend(postgres())


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    """The RabbitMQ of this session."""
    yield from _lend(rabbitmq())


def _lend(server: AbstractContextManager[AServer]) -> Iterator[AServer]:
    with ExitStack() as stack:
        try:
            lent = stack.enter_context(server)
        except ServerMissing as missing:
            if os.environ.get("CI"):
                pytest.fail(str(missing), pytrace=False)
            pytest.skip(str(missing))
        yield lent
