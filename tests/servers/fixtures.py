"""The servers as fixtures: started when the first test asks, at most once a session."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import pytest

from tests import databases
from tests.servers.broker import RabbitMQ, rabbitmq
from tests.servers.database import VARIABLE, Postgres, postgres
from tests.servers.mariadb import mariadb, named
from tests.servers.server import DatabaseServer, Server, ServerMissing

AServer = TypeVar("AServer", bound=Server)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The PostgreSQL of this session."""
    yield from _lend(postgres())


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """The server of this session that programs are kept in, whatever its kind."""
    if databases.SERVER == "postgresql":
        yield request.getfixturevalue("postgres_server")
    elif os.environ.get(VARIABLE):
        yield from _lend(named(databases.ENGINES[databases.SERVER]))
    else:
        yield from _lend(mariadb())


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
