"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import dj_database_url
import django
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from tests.servers import Postgres, RabbitMQ
from tests.servers.fixtures import postgres_server, rabbitmq_server
from tests.tables import MODELS

__all__ = ["postgres_server", "rabbitmq_server"]


@pytest.fixture(scope="session")
def rabbitmq(rabbitmq_server: RabbitMQ) -> RabbitMQ:
    return rabbitmq_server


@pytest.fixture(scope="session")
def postgres(postgres_server: Postgres) -> Postgres:
    return postgres_server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> None:
    """Lead the alias `postgresql` to this session's server, if a test of this session needs it."""
    if any("bookkeeping" in getattr(item, "fixturenames", ()) for item in request.session.items):
        server: Postgres = request.getfixturevalue("postgres_server")
        connections["postgresql"].settings_dict.update(dj_database_url.parse(server.url))


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The tables of both databases: pytest-django makes those that marked tests name."""
    with django_db_blocker.unblock(), ExitStack() as stack:
        for alias in ("default", "postgresql"):
            connection = connections[alias]
            before = connection.settings_dict["NAME"]
            is_made = str(before).startswith(("test_", "file:memorydb"))
            if not is_made:
                # Django 6.1 never serializes what is there, and warns of who says so.
                kept = {} if django.VERSION >= (6, 1) else {"serialize": False}
                connection.creation.create_test_db(verbosity=0, autoclobber=True, **kept)
                stack.callback(connection.creation.destroy_test_db, before, verbosity=0)
        yield


@pytest.fixture(params=["default", "postgresql"], ids=["sqlite", "postgresql"])
def bookkeeping(
    request: pytest.FixtureRequest,
    settings: Settings,
    tables: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[str]:
    """The alias of the database that programs are kept in: SQLite, then PostgreSQL.

    In autocommit, as a slot works, and emptied afterwards by hand: a flush of all tables of both
    databases would take longer than most of the tests.
    """
    alias: str = request.param
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "DATABASE": alias}
    with django_db_blocker.unblock():
        yield alias
        for model in MODELS:
            model._default_manager.using(alias).all()._raw_delete(alias)
        if alias == "postgresql":  # a wrapper that a test made anew would outlive the database
            connections[alias].close()
