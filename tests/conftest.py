"""Fixtures that all tests share."""

from __future__ import annotations

import dj_database_url
import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from tests.servers import Postgres, RabbitMQ
from tests.servers.fixtures import postgres_server, rabbitmq_server

__all__ = ["postgres_server", "rabbitmq_server"]


@pytest.fixture(scope="session")
def rabbitmq(rabbitmq_server: RabbitMQ) -> RabbitMQ:
    return rabbitmq_server


@pytest.fixture(scope="session")
def postgres(postgres_server: Postgres) -> Postgres:
    return postgres_server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres_server: Postgres) -> None:
    """Lead the alias `postgresql` to this session's server, before the databases are made."""
    given = dj_database_url.parse(postgres_server.url)
    connections["postgresql"].settings_dict.update(given)


@pytest.fixture(params=["default", "postgresql"], ids=["sqlite", "postgresql"])
def bookkeeping(request: pytest.FixtureRequest, settings: Settings, transactional_db: None) -> str:
    """The alias of the database that programs are kept in: SQLite, then PostgreSQL."""
    alias: str = request.param
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "DATABASE": alias}
    return alias
