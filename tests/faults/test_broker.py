"""A broker that goes away, takes nothing, cannot be reached, or refuses us."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from functools import partial

import pytest

from programs.lease import lease_clock
from programs.models import Program
from programs.submission import create_program, create_programs
from programs.transport import publisher
from programs.transport.topology import broker_queue
from tests.faults.arena import Arena, all_end, finished, scaled
from tests.faults.conftest import Verdict
from tests.faults.hinting import consumers, heard_at, is_empty, run_more_than_once, started_at
from tests.faults.proxy import Proxy, Weather
from tests.messages import memory_alarm, ready
from tests.servers import RabbitMQ
from tests.waiting import eventually

JOBS = ["behave", "behave_too", "behave_again"]
RESTARTS = int(scaled(1, 10))
ALARM, CUT = 30, 60  # seconds
PACE = 0.02  # seconds between two creations


def creation_seconds(arena: Arena, queue: str = "default") -> float:
    """Create a program and return how long that took."""
    began = time.perf_counter()
    create_program(["behave"], arena.given("succeed"), queue=queue)
    return time.perf_counter() - began


def more_finished_than(count: int) -> bool:
    return finished() > count


@pytest.mark.fault("RabbitMQ stopped and killed, and started again, 10 times")
@pytest.mark.invariant(7)
@pytest.mark.timeout(400)
def test_a_broker_that_restarts_again_and_again_loses_no_program(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    worker = arena.worker("--processes", "2").started()
    batch = [{"jobs": JOBS, "program_data": arena.given("sleep", seconds=0.7)}] * 20
    delays, creations = [], []

    for number in range(RESTARTS):
        done = finished()
        create_programs(batch)
        # Some end and the others are under way. A queue that is younger may not outlive a kill.
        eventually(partial(more_finished_than, done), within=30)
        rabbitmq.stop() if number % 2 else rabbitmq.kill()
        creations += [creation_seconds(arena) for _ in range(20)]  # while it is away
        rabbitmq.start()
        back = lease_clock()
        eventually(lambda: consumers(rabbitmq) == 2, within=30)
        delays.append(heard_at(arena, rabbitmq) - back)

    all_end(within=60)
    verdict.audited(arena.audit())
    verdict.says(
        f"{RESTARTS} restarts",
        f"consuming {statistics.median(delays):.1f} s median, {max(delays):.1f} s longest after",
        f"creation {statistics.median(creations) * 1000:.1f} ms median while it was away",
    )
    assert run_more_than_once(arena) == []
    assert worker.process.poll() is None
    assert max(delays) < 5.0
    assert statistics.median(creations) < 0.05


def quantiles(seconds: list[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile, in milliseconds."""
    parts = statistics.quantiles(seconds, n=20)
    return parts[9] * 1000, parts[18] * 1000


@pytest.mark.long  # tests/integration/transport raises the alarm for shorter
@pytest.mark.fault("RabbitMQ out of memory (alarm) for 30 s")
@pytest.mark.invariant(7)
def test_a_broker_out_of_memory_slows_no_creation_and_stops_no_program(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    arena.worker().started()
    creation_seconds(arena)
    eventually(lambda: publisher.flush(1))
    before = [creation_seconds(arena) for _ in range(200)]
    all_end(within=30)

    during: list[float] = []
    with memory_alarm(rabbitmq):
        creation_seconds(arena, "unheard")  # a connection is told of the alarm when it publishes
        eventually(lambda: publisher.state() == "failing")
        done, ends_at = finished(), lease_clock() + ALARM
        while lease_clock() < ends_at:
            during.append(creation_seconds(arena))
            time.sleep(PACE)
        eventually(lambda: finished() == done + len(during), within=5)  # through the sweep
        assert publisher.state() == "failing"
    relieved = lease_clock()
    creation_seconds(arena, "unheard")
    eventually(lambda: ready(rabbitmq, broker_queue("unheard")) == 2, within=10)

    resumed = lease_clock() - relieved
    heard_at(arena, rabbitmq)
    (median, slow), (usual_median, usual_slow) = quantiles(during), quantiles(before)
    verdict.audited(arena.audit(Program.objects.exclude(queue="unheard")))
    verdict.says(
        f"creation {median:.1f} ms median, {slow:.1f} ms 95th",
        f"before {usual_median:.1f} and {usual_slow:.1f} ms",
        f"hints again {resumed:.1f} s after",
    )
    assert median - usual_median < 50
    assert slow - usual_slow < 50


class CutOff:
    """A queue with a worker that reaches the broker through a proxy."""

    def __init__(self, arena: Arena, rabbitmq: RabbitMQ, weather: Weather) -> None:
        self.arena = arena
        self.weather = weather
        self.queue = weather.name.lower().replace("_", "-")
        self.proxy = Proxy(rabbitmq.url)
        self.worker = arena.worker("--queue", self.queue, AMQP_URL=self.proxy.url(rabbitmq.url))
        self.created: list[tuple[Program, float]] = []

    def create(self) -> None:
        given = self.arena.given("sleep", seconds=0.2)
        self.created.append((create_program(JOBS, given, queue=self.queue), lease_clock()))

    def longest_wait(self) -> float:
        """Return how long the program that waited longest for its first job did so."""
        return max((started_at(self.arena, program) or 0) - at for program, at in self.created)


@pytest.mark.long  # nothing is missed before two heartbeats are
@pytest.mark.fault("worker cut off from the broker for 60 s")
@pytest.mark.timeout(240)
def test_a_worker_cut_off_from_the_broker_runs_programs_on(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    lanes = [CutOff(arena, rabbitmq, weather) for weather in Weather if weather is not Weather.FAIR]
    for lane in lanes:
        lane.worker.started()

    with ExitStack() as stack:
        for lane in lanes:
            stack.callback(lane.proxy.close)
        with ExitStack() as cut:
            for lane in lanes:
                cut.enter_context(lane.proxy.during(lane.weather))
            ends_at = lease_clock() + CUT
            while lease_clock() < ends_at:
                for lane in lanes:
                    lane.create()
                time.sleep(0.5)  # the pace of creation
            all_end(within=10)
        over = lease_clock()
        for lane in lanes:
            wait, delay = lane.longest_wait(), heard_at(arena, rabbitmq, lane.queue) - over
            verdict.says(f"{lane.queue}: waited {wait:.1f} s at most, hears after {delay:.1f} s")
            assert wait < 5.0, lane.queue
            assert lane.worker.process.poll() is None, lane.queue
        all_end(within=30)
        for lane in lanes:
            eventually(is_empty(rabbitmq, lane.queue), within=30)
    verdict.audited(arena.audit())
    assert run_more_than_once(arena) == []
