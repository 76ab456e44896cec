"""Fixtures that all tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import django
import pytest
from django.db import connections
from django.utils import translation
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from tests import databases
from tests.servers import Postgres, RabbitMQ
from tests.servers.fixtures import database_server, postgres_server, rabbitmq_server
from tests.servers.server import DatabaseServer
from tests.tables import MODELS

__all__ = ["database_server", "postgres_server", "rabbitmq_server"]


# Fixtures by which a test comes to the database that a session is about.
USES_A_DATABASE = {"db", "transactional_db", "bookkeeping", "site", "database_server", "postgres"}


@pytest.fixture(autouse=True)
def no_language_is_left() -> Iterator[None]:
    """Let no test speak the language of the last request of another: threads keep theirs."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def no_outage_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's outage keep the next one from taking over."""
    monkeypatch.setattr("programs.models.persistence._last_outage", float("-inf"))


@pytest.fixture(scope="session")
def rabbitmq(rabbitmq_server: RabbitMQ) -> RabbitMQ:
    return rabbitmq_server


@pytest.fixture(scope="session")
def postgres(postgres_server: Postgres) -> Postgres:
    return postgres_server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> None:
    """Lead the server's alias to this session's server, if a test of this session needs it."""
    names = (getattr(item, "fixturenames", ()) for item in request.session.items)
    if databases.SERVER == databases.ALONE or any("bookkeeping" in each for each in names):
        server: DatabaseServer = request.getfixturevalue("database_server")
        databases.lead_to(server.url)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-snapshots", action="store_true", help="write those of tests/compiled anew"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about a database that this session does not test.

    Of tests with one name, pytest-xdist would run one.
    """
    names = Counter(item.nodeid for item in items)
    if doubled := [name for name, count in names.items() if count > 1]:
        raise pytest.UsageError(f"several tests have one name: {', '.join(doubled)}")
    left_out = [item for item in items if not _is_for_this_session(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_for_this_session(item: pytest.Item) -> bool:
    given = getattr(getattr(item, "callspec", None), "params", {})
    kinds = {given.get("bookkeeping"), given.get("site")} - {None, "rabbitmq"}
    if given.get("site") == "rabbitmq":
        kinds.add(databases.SERVER)
    fixtures = set(getattr(item, "fixturenames", ()))
    if "postgres" in fixtures:
        kinds.add("postgresql")
    if databases.ALONE and not (fixtures & USES_A_DATABASE or item.get_closest_marker("django_db")):
        return False  # it would count as a proof of something
    return kinds <= set(databases.KINDS)


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The tables of all databases: pytest-django makes those that marked tests name."""
    with django_db_blocker.unblock(), ExitStack() as stack:
        for alias in databases.ALIASES.values():
            connection = connections[alias]
            before = connection.settings_dict["NAME"]
            is_made = str(before).startswith(("test_", "file:memorydb"))
            if not is_made:
                # Django 6 never serializes what is there, and warns of who says so.
                kept = {} if django.VERSION >= (6, 0) else {"serialize": False}
                connection.creation.create_test_db(verbosity=0, autoclobber=True, **kept)
                stack.callback(connection.creation.destroy_test_db, before, verbosity=0)
        yield


@pytest.fixture(params=databases.KINDS)
def bookkeeping(
    request: pytest.FixtureRequest,
    settings: Settings,
    tables: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[str]:
    """The alias of the database that programs are kept in: each kind of this session's in turn.

    In autocommit, as a slot works, and emptied afterwards by hand: a flush of all tables of all
    databases would take longer than most of the tests.
    """
    alias = databases.ALIASES[request.param]
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "DATABASE": alias}
    with django_db_blocker.unblock():
        yield alias
        for model in MODELS:
            model._default_manager.using(alias).all()._raw_delete(alias)
        if request.param != "sqlite":  # a wrapper that a test made anew would outlive the database
            connections[alias].close()
