"""A worker that is cut off from its database, while all others go on."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import chain

import pytest

from programs.lease import lease_clock
from programs.models import Program, State
from programs.submission import create_program
from tests.faults.arena import LEASE, LONG, Arena, all_end, scaled
from tests.faults.conftest import Verdict
from tests.faults.proxy import Proxy, Weather
from tests.servers import Postgres
from tests.site import Worker, wait_for
from tests.waiting import eventually

CUT = scaled(12, 60)  # seconds that the worker is cut off
JOB = scaled(8, 40)  # seconds that its jobs take
TAKE_OVER = LEASE + 5.0  # seconds, from the cut: 20 in the long form
HEIRS = "heirs"


@dataclass
class CutOff:
    """A worker on a line of its own, with one job that checkpoints and one that does not."""

    worker: Worker
    checkpointing: Program
    sleeping: Program
    cut_at: float = 0.0
    pids: tuple[int, ...] = ()

    @property
    def programs(self) -> tuple[Program, Program]:
        return self.checkpointing, self.sleeping

    def refused(self) -> bool:
        """Tell whether the worker said that an outcome came too late."""
        return "lease lost: the outcome (succeeded) is refused" in self.worker.output


def cut_off_worker(arena: Arena, name: str, url: str, within: tuple[str, ...] = ()) -> CutOff:
    """Start a worker that reaches the database by `url`, and let it run its two programs."""
    worker = arena.worker(
        *("--queue", name, "--threads", "2"), within=within, DATABASE_URL=url, AMQP_URL=""
    )
    counting = arena.given("count_slowly", to=int(JOB), every=1.0)
    sleeping = arena.given("sleep", seconds=JOB)
    brief = {"behave_too": {"how": "succeed"}}
    created = [
        create_program(["behave", "behave_too"], given, brief, queue=name)
        for given in (counting, sleeping)
    ]

    def started() -> bool:
        begun = {line.run_id for line in arena.events()}
        return begun >= {program.run_id for program in created}

    eventually(started, within=30)
    Program.objects.filter(queue=name).update(queue=HEIRS)  # others may take them over
    counts, sleeps = created
    return CutOff(worker, counts, sleeps, pids=tuple(worker.children))


def taken_over(arena: Arena, program: Program, since: float) -> float | None:
    """Return how long after `since` the program's job began again."""
    starts = [e for e in arena.events() if e.run_id == program.run_id and e.event == "start"]
    return next((e.at - since for e in starts if e.at > since), None)


def judge(arena: Arena, verdict: Verdict, cut_off: dict[str, CutOff]) -> None:
    """Hold what happened against what must be, once the network is fair again."""
    for name, each in cut_off.items():
        delays = [taken_over(arena, program, each.cut_at) for program in each.programs]
        assert all(delay is not None and delay < TAKE_OVER for delay in delays), (name, delays)
        verdict.says(f"{name}: taken over after {max(filter(None, delays)):.1f} s")
        eventually(each.refused, within=30)
        assert each.worker.process.poll() is None, name
    all_end(within=2 * JOB + 30)
    findings = arena.audit()
    may_overlap = {each.sleeping.run_id for each in cut_off.values()}
    assert all(found.partition(":")[0] in may_overlap for found in findings.overlaps), findings
    verdict.audited(findings)
    for name, each in cut_off.items():  # healed, without a restart
        healed = create_program(["noop"], queue=name)
        wait_for(healed, State.FINISHED, within=30)
        claims = [a.worker for a in healed.attempts.all()]
        assert all(slot.startswith(each.worker.name) for slot in claims)


@pytest.mark.fault("worker cut off from the database (refused, dropped, half-open)")
@pytest.mark.invariant(3)
@pytest.mark.timeout(400)
def test_a_worker_cut_off_from_the_database_does_no_harm(
    arena: Arena, verdict: Verdict, postgres: Postgres
) -> None:
    url = arena.environment["DATABASE_URL"]
    weathers = (
        [Weather.REFUSED, Weather.BLACK_HOLE, Weather.HALF_OPEN]
        if LONG
        else [arena.random.choice([Weather.BLACK_HOLE, Weather.HALF_OPEN])]
    )
    processes = str(2 * len(weathers))  # in each at most one program with losses runs at a time
    arena.worker("--queue", HEIRS, "--threads", "1", "--processes", processes)
    proxies = {weather: Proxy(url) for weather in weathers}
    cut_off = {
        weather.name.lower(): cut_off_worker(arena, weather.name.lower(), proxy.url(url))
        for weather, proxy in proxies.items()
    }
    with ExitStack() as storm:
        for weather, proxy in proxies.items():
            storm.callback(proxy.close)
            cut_off[weather.name.lower()].cut_at = lease_clock()
            storm.enter_context(proxy.during(weather))
        with arena.disturbing(*chain.from_iterable(each.pids for each in cut_off.values())):
            time.sleep(CUT)  # the fault's length
        for proxy in proxies.values():
            proxy.weather = Weather.FAIR
        judge(arena, verdict, cut_off)


# Dropped packets ---------------------------------------------------------------------------------


class Namespace:
    """A network of its own, joined to ours by a virtual cable that can be pulled."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.outer, self.inner = f"pe{number}a", f"pe{number}b"
        self.here, self.there = f"10.231.{number}.1", f"10.231.{number}.2"
        ip("netns", "add", name)
        ip("link", "add", self.outer, "type", "veth", "peer", "name", self.inner, "netns", name)
        ip("addr", "add", f"{self.here}/30", "dev", self.outer)
        ip("link", "set", self.outer, "up")
        for command in (
            ("addr", "add", f"{self.there}/30", "dev", self.inner),
            ("link", "set", self.inner, "up"),
            ("link", "set", "lo", "up"),
        ):
            ip("-n", name, *command)

    @contextlib.contextmanager
    def unplugged(self) -> Iterator[None]:
        """Drop every packet, either way, as long as the context lasts."""
        ip("link", "set", self.outer, "down")
        try:
            yield
        finally:
            ip("link", "set", self.outer, "up")

    def close(self) -> None:
        ip("link", "del", self.outer)
        ip("netns", "del", self.name)


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@contextlib.contextmanager
def namespace(arena: Arena) -> Iterator[Namespace]:
    """A network namespace, where this machine and this user can have one."""
    number = arena.random.randrange(250)
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs Linux, root and iproute2")
    made = Namespace(f"programs-{os.getpid()}", number)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.long
@pytest.mark.fault("worker cut off from the database (packets dropped in a namespace)")
@pytest.mark.timeout(400)
def test_a_worker_whose_packets_are_dropped_does_no_harm(
    arena: Arena, verdict: Verdict, postgres: Postgres
) -> None:
    url = arena.environment["DATABASE_URL"]
    arena.worker("--queue", HEIRS, "--threads", "1", "--processes", "2")
    with ExitStack() as stack:
        cable = stack.enter_context(namespace(arena))
        proxy = Proxy(url, cable.here)
        stack.callback(proxy.close)
        inside = ("ip", "netns", "exec", cable.name)
        cut_off = cut_off_worker(arena, "dropped", proxy.url(url), inside)
        unplugged: AbstractContextManager[None] = cable.unplugged()
        cut_off.cut_at = lease_clock()
        with unplugged, arena.disturbing(*cut_off.pids):
            time.sleep(CUT)  # the fault's length
        judge(arena, verdict, {"dropped": cut_off})
