"""What disturbs a worker from outside: long transactions, late commits, no memory."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from programs.models import Program, State
from programs.models.state import ENDED
from programs.submission import create_program, create_programs
from tests.site import Site, on_each_database, on_server, wait_for
from tests.waiting import eventually

JOBS = """
import time
from pathlib import Path
from django.db import transaction
from programs.job import Job
from programs.registry import register


@register
class InOneTransaction(Job):
    name = "in_one_transaction"

    def execute(self, message, job_data):
        with Path(message.program_data["journal"]).open("a") as journal:
            journal.write("start\\n")
        with transaction.atomic():
            job_data.merge({"begun": True})
            end = time.monotonic() + message.program_data["seconds"]
            while time.monotonic() < end and not Path(message.program_data["file"]).exists():
                time.sleep(0.02)
        time.sleep(0.5)
"""


@pytest.fixture
def jobs_of_ours(site: Site) -> None:
    """Give the site's workers the jobs above, and settings that name them."""
    (site.folder / "own_jobs.py").write_text(JOBS)
    (site.folder / "own_settings.py").write_text(
        "from tests.worker_settings import *\n"
        "PROGRAM_EXECUTOR['JOB_MODULES'] = [*PROGRAM_EXECUTOR['JOB_MODULES'], 'own_jobs']\n"
    )
    site.environment["PYTHONPATH"] = str(site.folder)
    site.environment["DJANGO_SETTINGS_MODULE"] = "own_settings"


def in_one_transaction(site: Site, seconds: float) -> Program:
    """Create one by hand: this process does not know the job."""
    program = create_program(["noop"], run_at=None)
    Program.objects.filter(pk=program.pk).update(
        jobs=["in_one_transaction"],
        program_data={
            "file": str(site.folder / "go"),
            "journal": str(site.folder / "starts"),
            "seconds": seconds,
        },
    )
    return program


def starts(site: Site) -> int:
    file = site.folder / "starts"
    return len(file.read_text().splitlines()) if file.exists() else 0


@on_server
def test_a_job_in_a_long_transaction_keeps_no_other_program_from_running(
    site: Site, jobs_of_ours: None
) -> None:
    program = in_one_transaction(site, 60.0)
    site.worker("--threads", "3", TEST_LEASE="2").started()
    eventually(lambda: starts(site))
    time.sleep(6.0)  # its lease has run out; slots have looked

    others = create_programs([{"jobs": ["noop"]}] * 5)

    try:
        for other in others:
            wait_for(other, State.FINISHED, within=8.0)
    finally:
        (site.folder / "go").touch()
    wait_for(program, State.FINISHED)


@on_server
def test_a_job_in_a_transaction_longer_than_the_lease_ends_at_all(
    site: Site, jobs_of_ours: None
) -> None:
    program = in_one_transaction(site, 5.0)
    for _ in range(2):
        site.worker("--threads", "3", TEST_LEASE="2").started()
    eventually(lambda: Program.objects.get(pk=program.pk).state in ENDED, within=40.0)
    assert starts(site) == 1, (
        starts(site),
        Program.objects.get(pk=program.pk).state,
        Program.objects.get(pk=program.pk).error_message,
        [attempt.outcome for attempt in program.attempts.all()],
    )


@on_each_database
def test_a_claim_whose_commit_came_late_is_not_renewed_for_ever(site: Site) -> None:
    """A slot gave a claim up as failed, and the server carried it out afterwards."""
    worker = site.worker("--threads", "1", TEST_LEASE="2").started()
    wait_for(create_program(["noop"]), State.FINISHED)
    program = create_program(["noop"], run_at=datetime.now(UTC) + timedelta(hours=1))
    Program.objects.filter(pk=program.pk).update(
        worker=f"{worker.name}/1.1", epoch=1, due_at=datetime.now(UTC) + timedelta(seconds=2)
    )
    wait_for(program, State.FINISHED, within=15.0)


@on_server
def test_a_supervisor_that_cannot_start_a_child_for_a_moment_lives_on(site: Site) -> None:
    (site.folder / "own_settings.py").write_text(
        "from tests.worker_settings import *\n"
        "import subprocess, errno, sys\n"
        "if 'runworker' in sys.argv:\n"
        "    started = []\n"
        "    class Popen(subprocess.Popen):\n"
        "        def __init__(self, *args, **kwargs):\n"
        "            started.append(1)\n"
        "            if len(started) == 3:\n"
        "                raise OSError(errno.ENOMEM, 'Cannot allocate memory')\n"
        "            super().__init__(*args, **kwargs)\n"
        "    subprocess.Popen = Popen\n"
    )
    site.environment["PYTHONPATH"] = str(site.folder)
    site.environment["DJANGO_SETTINGS_MODULE"] = "own_settings"
    worker = site.worker("--processes", "2", "--threads", "1").started()
    eventually(lambda: len(worker.children) == 2)
    worker.kill_child()
    eventually(lambda: len(worker.children) == 1 or worker.process.poll() is not None)
    eventually(lambda: len(worker.children) == 2 or worker.process.poll() is not None)
    assert worker.process.poll() is None, worker.output[-500:]
