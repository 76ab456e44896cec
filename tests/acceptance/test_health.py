"""Probes and metrics of real workers and web servers, as a platform and Prometheus ask for them."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from http.client import HTTPMessage
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from programs.models import Program, State
from programs.submission import create_program, create_programs
from tests.servers.server import free_port
from tests.site import Site, Worker, state, wait_for
from tests.waiting import eventually
from tests.web import Answer, Browser, Start, Web

on_sqlite = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("site", ["postgresql"], indirect=True)
on_rabbitmq = pytest.mark.parametrize("site", ["rabbitmq"], indirect=True)

TOKEN = {"METRICS_TOKEN": "s3cret"}
Read = dict[tuple[str, ...], float]


class Asked:
    """What answers probes at a port: a worker, or a web server."""

    def __init__(self, port: int) -> None:
        self.browser = Browser(port)

    def get(self, path: str) -> Answer:
        try:
            return self.browser.get(path, Authorization="Bearer s3cret")
        except ConnectionRefusedError:
            return Answer(0, HTTPMessage(), "")  # nobody listens yet

    def is_ready(self) -> bool:
        return self.get("/readyz").status == 200

    def metrics(self) -> Read:
        """Return the samples by their names and the values of their labels."""
        answer = self.get("/metrics")
        assert answer.status == 200, answer.text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def shows(self, wanted: Read) -> Callable[[], bool]:
        return lambda: wanted.items() <= self.metrics().items()


Begin = Callable[..., tuple[Worker, Asked]]


@pytest.fixture
def begin(site: Site) -> Begin:
    """Start a worker with a health port."""

    def start(*options: str, **environment: str) -> tuple[Worker, Asked]:
        port = free_port()
        worker = site.worker("--health-port", str(port), *options, **environment)
        return worker, Asked(port)

    return start


# Workers --------------------------------------------------------------------------------------


@on_sqlite
def test_a_worker_becomes_ready_counts_what_it_runs_and_says_that_it_ends(
    site: Site, begin: Begin
) -> None:
    gate = site.folder / "gate"
    worker, asked = begin("--processes", "2", "--threads", "2")
    eventually(asked.is_ready, within=30)
    create_programs([{"jobs": ["noop", "count"]}] * 6)
    create_program(["behave"], {"how": "fail"})
    running = create_program(["behave"], {"how": "wait_for_file", "file": str(gate)})

    wanted: Read = {
        ("programs_job_attempts_total", "noop", "succeeded"): 6.0,
        ("programs_job_attempts_total", "count", "succeeded"): 6.0,
        ("programs_job_attempts_total", "behave", "errored"): 1.0,
        ("programs_job_duration_seconds_count", "count"): 6.0,
        ("programs_worker_children",): 2.0,
        ("programs_worker_slots",): 4.0,
        ("programs_worker_slots_busy",): 1.0,
        ("programs_worker_child_deaths_total",): 0.0,
    }
    eventually(asked.shows(wanted))
    worker.signal(signal.SIGTERM)
    eventually(lambda: "worker: FAILS, it is ending" in asked.get("/readyz").text)
    assert asked.get("/healthz").status == 200
    gate.touch()

    assert worker.process.wait(timeout=20) == 0
    assert state(running) in (State.WAITING, State.FINISHED)


@on_postgresql
def test_a_child_that_is_killed_takes_nothing_of_the_counts_with_it(begin: Begin) -> None:
    _, asked = begin("--threads", "1")
    create_programs([{"jobs": ["noop"]}] * 5)
    counted: Read = {("programs_job_attempts_total", "noop", "succeeded"): 5.0}
    eventually(asked.is_ready, within=30)
    eventually(asked.shows(counted))
    create_program(["behave"], {"how": ["kill_process", "succeed"]})

    died: Read = {("programs_leases_lost_total", "died"): 1.0}
    eventually(asked.shows({**counted, **died}), within=30)
    eventually(asked.is_ready, within=30)
    succeeded: Read = {("programs_job_attempts_total", "behave", "succeeded"): 1.0}
    eventually(asked.shows({**counted, **succeeded}))
    assert asked.metrics()["programs_worker_child_deaths_total",] == 1.0


@on_postgresql
def test_who_took_over_and_who_came_back_too_late_both_tell(site: Site, begin: Begin) -> None:
    gate = site.folder / "gate"
    first, asked = begin("--threads", "1", TEST_LEASE="3")
    eventually(asked.is_ready, within=30)
    program = create_program(["behave"], {"how": "wait_for_file", "file": str(gate)})
    wait_for(program, State.RUNNING)
    pids = [first.process.pid, *first.children]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    _, other = begin("--threads", "1", TEST_LEASE="3")
    eventually(lambda: other.get("/readyz").status, within=30)
    eventually(other.shows({("programs_leases_lost_total", "expired"): 1.0}), within=30)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    gate.touch()

    eventually(asked.shows({("programs_leases_lost_total", "refused"): 1.0}), within=30)
    wait_for(program, State.FINISHED)


@on_rabbitmq
def test_a_worker_with_a_broker_is_ready_once_it_hears_hints(begin: Begin) -> None:
    _, asked = begin("--processes", "2")
    eventually(asked.is_ready, within=30)
    assert "broker: 2 of 2 children hear hints" in asked.get("/readyz").text

    program = create_program(["noop"])

    wait_for(program, State.FINISHED)
    assert asked.metrics()["programs_consumers", "live"] == 2.0


@on_postgresql
def test_a_worker_that_cannot_reach_its_broker_works_and_says_that_it_is_not_ready(
    begin: Begin,
) -> None:
    program = create_program(["noop"])

    _, asked = begin("--threads", "1", AMQP_URL="amqp://127.0.0.1:1/")

    wait_for(program, State.FINISHED)
    eventually(lambda: "children: 1 of 1" in asked.get("/readyz").text)
    answer = asked.get("/readyz")
    assert answer.status == 503
    assert "broker: FAILS, 0 of 1 children hear hints; programs are found in the" in answer.text
    assert asked.get("/healthz").status == 200


@on_sqlite
def test_a_port_that_is_taken_ends_the_worker_with_the_reason(site: Site, begin: Begin) -> None:
    _, asked = begin()
    eventually(lambda: asked.get("/healthz").status == 200, within=30)

    second = site.worker("--health-port", str(asked.browser.port))

    assert second.process.wait(timeout=20) == 1
    assert "argument --health-port: " in second.output
    assert "cannot be had" in second.output


# The web --------------------------------------------------------------------------------------


@on_postgresql
def test_the_web_answers_probes_and_gives_metrics_to_who_may_have_them(
    site: Site, start_web: Start
) -> None:
    create_program(["noop"], queue="reports")
    web = start_web(**TOKEN)
    asked = Asked(web.port)

    for path in ("/healthz", "/readyz"):
        answer = asked.browser.get(path, Host="10.1.2.3", **{"X-Forwarded-Proto": "http"})
        assert answer.status == 200, answer.text
    assert asked.browser.get("/metrics").status == 401
    assert web.client("right").get("/metrics").status == 200
    assert asked.metrics()["programs_open", "reports", "waiting"] == 1.0


@on_postgresql
def test_the_web_is_alive_but_not_ready_without_its_database(start_web: Start) -> None:
    web = start_web(**TOKEN, DATABASE_URL="postgres://ada:s3cr3t@127.0.0.1:1/nowhere")
    asked = Asked(web.port)

    answer = asked.get("/readyz")

    assert (asked.get("/healthz").status, answer.status) == (200, 503)
    assert answer.text.startswith("not ready\ndatabase: FAILS, it does not answer")
    assert asked.metrics() == {("programs_database_up",): 0.0}


@on_rabbitmq
def test_several_web_processes_tell_one_sum_of_what_they_have_sent(
    site: Site, start_web: Start
) -> None:
    web = start_web(**TOKEN, GUNICORN_CMD_ARGS="--workers 2")
    ada = web.client("right")
    asked = Asked(web.port)
    ada.get("/admin/")

    def both_have_sent() -> bool:
        assert ada.post("/api/programs/", {"jobs": ["noop"]}).status == 201
        return asked.metrics().get(("programs_publishers", "connected")) == 2.0

    eventually(both_have_sent, within=30)
    created = float(Program.objects.count())
    eventually(asked.shows({("programs_hints_total", "confirmed"): created}))
    assert len({asked.metrics()["programs_hints_total", "confirmed"] for _ in range(8)}) == 1
    assert asked.metrics()["programs_broker_up",] == 1.0
    assert shared_by(web)
    web.end()
    assert not shared_by(web)


def shared_by(web: Web) -> list[Path]:
    """Return the folders in which the web server's processes share what they count."""
    places = ("/dev/shm", tempfile.gettempdir())  # noqa: S108 (looked at, not written to)
    name = f"program-executor-metrics-{web.process.pid}-*"
    return [folder for place in places for folder in Path(place).glob(name)]
