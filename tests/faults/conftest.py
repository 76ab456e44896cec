"""Arenas for the faults, and the table of what became of each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from tests.faults.arena import LEASE, LONG, SEED, Arena
from tests.faults.auditor import Findings
from tests.servers import Postgres, RabbitMQ
from tests.site import SITE, connect

# Where the table is kept between runs that make one together.
TABLE = Path(os.environ["FAULTS_TABLE"]) if "FAULTS_TABLE" in os.environ else None
ROW = "fault"  # the property of a test's report that holds its line of the table


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: only in `make faults`, where there is time for it")
    config.addinivalue_line("markers", "fault(name): the line of the table that a test fills")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to `make faults` what takes minutes."""
    if LONG:
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def arena(
    request: pytest.FixtureRequest,
    postgres: Postgres,
    rabbitmq: RabbitMQ,
    settings: Settings,
    tmp_path: Path,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Arena]:
    """A database and a broker's queue of its own, with the lease of LEASE."""
    with django_db_blocker.unblock():
        url = postgres.new_database()
        connect(url)
        call_command("migrate", database=SITE, verbosity=0)
        queue = rabbitmq.new_queue()
        settings.PROGRAM_EXECUTOR = {
            **settings.PROGRAM_EXECUTOR,
            "DATABASE": SITE,
            "AMQP_URL": rabbitmq.url,
            "QUEUE_NAME": queue,
            "LEASE": LEASE,
        }
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "DATABASE_URL": url,
            "AMQP_URL": rabbitmq.url,
            "TEST_QUEUE_NAME": queue,
            "TEST_LEASE": str(LEASE),
        }
        arena = Arena(environment, tmp_path, request.node.nodeid)
        try:
            yield arena
        finally:
            arena.close()
            connections[SITE].close()


class Verdict:
    """What a test has to tell of its fault, for its line of the table."""

    def __init__(self, name: str) -> None:
        self._row: dict[str, Any] = {"name": name, "figures": []}

    def audited(self, findings: Findings) -> None:
        """Note what the auditor has counted."""
        for kind, count in (
            ("programs", findings.programs),
            ("reruns", findings.reruns),
            ("overlaps", len(findings.overlaps)),
        ):
            self._row[kind] = self._row.get(kind, 0) + count

    def says(self, *figures: str) -> None:
        """Note figures that were measured, each as a few words."""
        self._row["figures"] += figures

    @property
    def row(self) -> dict[str, Any]:
        return self._row


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> Verdict:
    """The test's line of the table."""
    marker = request.node.get_closest_marker("fault")
    name = marker.args[0] if marker else request.node.name
    if "callspec" in vars(request.node):
        name = name.format(**request.node.callspec.params)
    verdict = Verdict(name)
    request.node.user_properties.append((ROW, verdict.row))
    return verdict


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table: a line a fault; first come those of earlier runs with the same file."""
    if hasattr(terminalreporter.config, "workerinput"):
        return  # one of several processes, whose reports go to the one that prints
    rows = json.loads(TABLE.read_text()) if TABLE and TABLE.exists() else []
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            row = dict(getattr(report, "user_properties", ())).get(ROW)
            if row is not None and (report.when == "call" or outcome == "error"):
                rows.append((outcome, report.duration, row))
    if not rows:
        return
    if TABLE:
        TABLE.write_text(json.dumps(rows))
    width = max(len(row["name"]) for _, _, row in rows)
    terminalreporter.section(f"faults (seed {SEED}, lease {LEASE:g} s)")
    terminalreporter.line(
        f"{'fault':{width}}  result  seconds  programs  re-runs  overlaps  figures"
    )
    for outcome, seconds, row in sorted(rows, key=lambda row: str(row[2]["name"])):
        counts = [str(row.get(name, "-")) for name in ("programs", "reruns", "overlaps")]
        terminalreporter.line(
            f"{row['name']:{width}}  {outcome:6}  {seconds:7.1f}  "
            f"{counts[0]:>8}  {counts[1]:>7}  {counts[2]:>8}  {'; '.join(row['figures'])}"
        )
    replay = f"make faults SEED={SEED}" if LONG else f"FAULTS_SEED={SEED} pytest tests/faults"
    terminalreporter.line(f"replay: {replay}")
