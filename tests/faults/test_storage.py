"""A database that takes no writes: its disk is full, or it is read-only for a while."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.core.management import call_command
from django.db import Error as DatabaseError
from django.db import connections
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from programs.models import Program, State
from programs.submission import create_program, create_programs
from tests.faults.arena import Arena, all_end, finished, scaled
from tests.faults.conftest import Verdict
from tests.servers import Postgres
from tests.site import SITE, Site, Worker, connect, wait_for
from tests.waiting import eventually

JOBS = ["behave", "behave_too", "behave_again"]
MEGABYTES = 16  # of the small disk
MANY = int(scaled(12, 30))  # programs at a time
NAP = 0.2  # seconds that each job takes
FAULT = scaled(1, 20)  # seconds


def waiting_programs(site: Site, many: int = MANY) -> list[Program]:
    given = {"how": "sleep", "seconds": NAP, "journal": str(site.journal)}
    return create_programs([{"jobs": JOBS, "program_data": given}] * many)


def all_steps_once(site: Site, programs: list[Program]) -> None:
    """Each step of each of these programs ran, and none ran twice."""
    ends = Counter((line.run_id, line.step) for line in site.events() if line.event == "start")
    assert ends == Counter((program.run_id, step) for program in programs for step in range(3))


# A disk that is full -----------------------------------------------------------------------------


def not_run(reason: str) -> NoReturn:
    """Skip the test; where all must run, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes, where this machine and this user can have one."""
    if sys.platform != "linux" or not shutil.which("mount"):
        not_run("a small disk needs Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = f"size={MEGABYTES}m,mode=1777"
    mount = [*as_root, "mount", "-t", "tmpfs", "-o", options, "small", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        not_run("a small disk needs root, or sudo")
    if done.returncode:
        not_run(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run([*as_root, "umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def cramped(
    small_disk: Path, settings: Settings, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """A site without a broker, its SQLite on a small disk, its journal on another."""
    with django_db_blocker.unblock():
        url = f"sqlite:///{small_disk / 'site.sqlite3'}"
        connect(url)
        call_command("migrate", database=SITE, verbosity=0)
        own = {**settings.PROGRAM_EXECUTOR, "DATABASE": SITE, "AMQP_URL": None}
        settings.PROGRAM_EXECUTOR = own
        worker_settings = {"DJANGO_SETTINGS_MODULE": "tests.worker_settings"}
        environment = {**os.environ, **worker_settings, "DATABASE_URL": url, "AMQP_URL": ""}
        site = Site(environment, tmp_path)
        try:
            yield site
        finally:
            site.close()
            connections[SITE].close()


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no room on the disk as long as the context lasts."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    try:
        yield
    finally:
        ballast.unlink()


def created_until_refused(site: Site) -> tuple[list[Program], str]:
    """Create programs until the database refuses one; return them, and what it says."""
    created: list[Program] = []
    for _ in range(MEGABYTES * 1024):
        try:
            created += waiting_programs(site, 1)
        except DatabaseError as error:
            connections[SITE].close()
            return created, str(error)
    raise AssertionError("the disk is never full")


@pytest.mark.fault("disk full for SQLite")
@pytest.mark.invariant(11)
@pytest.mark.timeout(180)
def test_a_worker_whose_disk_is_full_says_so_and_goes_on_once_there_is_room(
    cramped: Site, small_disk: Path, verdict: Verdict
) -> None:
    worker = cramped.worker("--threads", "4", "--processes", "2").started()
    programs = waiting_programs(cramped)
    eventually(finished, within=30)
    children = worker.children

    with filled(small_disk):
        more, refusal = created_until_refused(cramped)
        eventually(lambda: "database or disk is full" in worker.output, within=30)
        time.sleep(FAULT)  # the fault's length
        assert worker.process.poll() is None
    programs += more
    all_end(within=60)
    programs += waiting_programs(cramped, 1)
    all_end(within=30)

    assert "database or disk is full" in refusal
    assert worker.children == children
    assert finished() == len(programs)
    all_steps_once(cramped, programs)
    verdict.says(f"{len(programs)} programs, each step once")


# A database that is read-only --------------------------------------------------------------------


@contextlib.contextmanager
def read_only(url: str, postgres: Postgres) -> Iterator[None]:
    """Let the database take no writes as long as the context lasts."""
    name = urlsplit(url).path[1:]
    with closing(psycopg2.connect(postgres.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        connections[SITE].close()
        try:
            yield
        finally:
            # Whoever is connected stays read-only until it connects anew.
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            connections[SITE].close()


def says_read_only(worker: Worker) -> bool:
    return "in a read-only transaction" in worker.output


@pytest.mark.fault("database read-only for a while")
@pytest.mark.invariant(11)
@pytest.mark.timeout(180)
def test_workers_whose_database_is_read_only_say_so_and_go_on_once_it_is_not(
    arena: Arena, verdict: Verdict, postgres: Postgres
) -> None:
    workers = [arena.worker("--threads", "4") for _ in range(2)]
    counting = arena.given("count_slowly", to=int(FAULT * 2) + 4, every=0.5)
    checkpointing = create_program(["behave"], counting)
    waiting_programs(arena)
    eventually(lambda: finished() and Program.objects.get(pk=checkpointing.pk).job_data, within=30)
    for worker in workers:
        worker.started()
    children = [worker.children for worker in workers]
    disturbing = arena.disturbing(*chain(*children))

    with disturbing, read_only(arena.environment["DATABASE_URL"], postgres):
        with pytest.raises(DatabaseError, match="in a read-only transaction"):
            create_program(["behave"])
        eventually(lambda: all(map(says_read_only, workers)), within=30)
        time.sleep(FAULT)  # the fault's length
        assert [worker.process.poll() for worker in workers] == [None, None]
    all_end(within=60)
    wait_for(waiting_programs(arena, 1)[0], State.FINISHED)

    assert [worker.children for worker in workers] == children
    findings = arena.audit()
    assert not findings.overlaps
    verdict.audited(findings)
