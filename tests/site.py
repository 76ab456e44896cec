"""A site under test: a database, perhaps a broker, and workers as real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dj_database_url
import pytest
from django.db import connections

from programs.models import Program, State
from tests import databases
from tests.journal import Line, read
from tests.waiting import eventually

ROOT = Path(__file__).parent.parent
# For a test of one kind of site, where another would teach nothing more.
on_sqlite = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
on_server = pytest.mark.parametrize("site", [databases.SERVER], indirect=True)
on_each_database = pytest.mark.parametrize("site", databases.KINDS, indirect=True)
on_rabbitmq = pytest.mark.parametrize("site", ["rabbitmq"], indirect=True)

SITE = "site"  # the alias under which this process reaches the site's database


def connect(url: str, alias: str = SITE) -> None:
    """Let this thread's next connection of the alias lead to `url`."""
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20} if url.startswith("sqlite") else {}
    parsed = {**dj_database_url.parse(url), "OPTIONS": options}
    if alias in connections.settings:
        disconnect(alias)
    filled = connections.configure_settings({"default": {}, alias: parsed})
    connections.settings[alias] = filled[alias]


def disconnect(alias: str = SITE) -> None:
    """Close this thread's connection of the alias, and forget where it led to."""
    connections[alias].close()
    del connections[alias], connections.settings[alias]


class Worker:
    """A `runworker` process, its output in a file."""

    def __init__(
        self, environment: dict[str, str], log: Path, *options: str, within: tuple[str, ...] = ()
    ) -> None:
        self.log = log
        self._hinted = bool(environment["AMQP_URL"]) and "--burst" not in options
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*within, sys.executable, "manage.py", "runworker", *options],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def name(self) -> str:
        """The worker's unique name, as its first line gives it."""
        eventually(lambda: self.output.startswith("worker "))
        return self.output.split()[1]

    @property
    def children(self) -> list[int]:
        """The process ids of the children that live now."""
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
        )
        rows = (line.split() for line in listed.stdout.splitlines())
        parent = str(self.process.pid)
        return [int(pid) for pid, ppid, state in rows if ppid == parent and "Z" not in state]

    def started(self) -> Worker:
        """Wait until it looks for programs, and hears hints where there is a broker."""
        eventually(lambda: self.children, within=30)
        if self._hinted:
            eventually(lambda: "Connected to RabbitMQ" in self.output, within=30)
        return self

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill_child(self) -> None:
        os.kill(self.children[0], signal.SIGKILL)

    def kill(self) -> None:
        """Kill the supervisor and all children at once, as a power cut would."""
        pids = [self.process.pid, *self.children]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def terminate(self, within: float = 30.0) -> int:
        """Ask it to end and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=within)


class Site:
    """What a test talks to: create programs in this process, run them in workers' processes."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self._workers: list[Worker] = []

    def worker(self, *options: str, within: tuple[str, ...] = (), **environment: str) -> Worker:
        """Start a worker process; `within`: the command that becomes it, as `env` would."""
        log = self.folder / f"worker-{len(self._workers) + 1}.log"
        worker = Worker({**self.environment, **environment}, log, *options, within=within)
        self._workers.append(worker)
        return worker

    def manage(self, *arguments: str, timeout: float = 60.0) -> str:
        """Run a management command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.kill()

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def events(self) -> Iterator[Line]:
        """Yield the journal's lines."""
        return read(self.journal)


def state(program: Program) -> State:
    return Program.objects.get(pk=program.pk).state


def wait_for(program: Program, wanted: State, within: float = 20.0) -> Program:
    """Wait until the program is in this state, and return it."""
    eventually(lambda: state(program) is wanted, within=within)
    return Program.objects.get(pk=program.pk)


def all_ended() -> bool:
    return not Program.objects.open().exists()
