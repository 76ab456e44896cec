"""Sites for the acceptance tests: each kind is migrated once, and emptied before each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from tests import databases
from tests.project import (
    bare_python,
    fresh_project,
    full_project,
    full_python,
    project,
    wheel,
)
from tests.servers import RabbitMQ
from tests.servers.browser import browser, page
from tests.servers.server import DatabaseServer
from tests.site import SITE, Site, connect, disconnect
from tests.tables import MODELS
from tests.web import start_web, static_root

__all__ = [
    "bare_python",
    "browser",
    "fresh_project",
    "full_project",
    "full_python",
    "page",
    "project",
    "start_web",
    "static_root",
    "wheel",
]

T = TypeVar("T")


@pytest.fixture(scope="session")
def migrated(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[dict[str, str]]:
    """The URLs of the databases that are migrated already, by vendor."""
    yield {}
    with django_db_blocker.unblock():
        disconnect()


@pytest.fixture(params=[*databases.KINDS, "rabbitmq"])
def site(
    request: pytest.FixtureRequest,
    migrated: dict[str, str],
    settings: Settings,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Site]:
    """A site of each kind: SQLite alone, a server alone, a server with RabbitMQ."""
    kind = request.param
    vendor = "sqlite" if kind == "sqlite" else databases.SERVER
    if vendor != "sqlite":
        server: DatabaseServer = request.getfixturevalue("database_server")
        # By its default alias Django asks what the server can, also of rows of another.
        request.getfixturevalue("django_db_modify_db_settings")
    with django_db_blocker.unblock():
        url = migrated.get(vendor)
        if url is None:
            file = tmp_path_factory.mktemp("site") / "site.sqlite3"
            url = f"sqlite:///{file}" if vendor == "sqlite" else server.new_database()
        connect(url)
        if vendor not in migrated:
            call_command("migrate", database=SITE, verbosity=0)
            migrated[vendor] = url
        for model in MODELS:
            model._default_manager.using(SITE).all().delete()
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
            "DATABASE_URL": url,
            "AMQP_URL": "",
        }
        own = {**settings.PROGRAM_EXECUTOR, "DATABASE": SITE, "AMQP_URL": None}
        if kind == "rabbitmq":
            broker: RabbitMQ = request.getfixturevalue("rabbitmq")
            own["AMQP_URL"] = environment["AMQP_URL"] = broker.url
            own["QUEUE_NAME"] = environment["TEST_QUEUE_NAME"] = broker.new_queue("reports")
        settings.PROGRAM_EXECUTOR = own
        site = Site(environment, tmp_path)
        try:
            yield site
        finally:
            site.close()
            connections[SITE].close()


@pytest.fixture
def in_database() -> Iterator[Callable[[Callable[[], T]], T]]:
    """Calls a function in a thread of its own, where it may use the ORM beside a browser."""
    with ThreadPoolExecutor(1) as thread:
        yield lambda read: thread.submit(read).result()
        thread.submit(connections.close_all).result()
