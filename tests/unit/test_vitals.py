"""Whether a worker lives and is ready, what its children report, and the port that tells it."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from programs.lease import lease_clock
from programs.monitoring import catalogue as known
from programs.monitoring.counts import Counts
from programs.monitoring.tally import Tally
from programs.worker import endpoint, vitals
from programs.worker.control import Plan
from programs.worker.endpoint import Endpoint
from programs.worker.reporting import Report, Reports
from programs.worker.vitals import Vitals
from tests.servers.server import free_port
from tests.waiting import eventually

PLANS = [Plan(f"w/{number}", ("default",), 4) for number in (1, 2)]


def report(hears: bool | None = True, **attempts: int) -> Report:
    counts = Counts()
    for job, number in attempts.items():
        counts.attempts[job, "succeeded"] = number
    return Report(counts, 1, "idle", hears)


class Site:
    """A supervisor's parts, and pipes to its children."""

    def __init__(self) -> None:
        self.keeper: Any = SimpleNamespace(renewed_at=lease_clock(), is_alive=lambda: True)
        self.plans = list(PLANS)
        self.vitals = Vitals("w", self.keeper, self._plans, wanted=2, hinted=True, told=True)
        self.pipes: dict[str, int] = {}
        for plan in PLANS:
            with self.vitals.pipe(plan.name) as pipe:
                assert pipe is not None
                self.pipes[plan.name] = os.dup(pipe)

    def _plans(self) -> list[Plan]:
        return self.plans

    def say(self, child: str, line: bytes) -> None:
        os.write(self.pipes[child], line)

    def report(self, child: str, said: Report) -> None:
        """Report as a child does, and wait until it was heard."""
        self.say(child, said.encode())
        reports = self.reports
        eventually(lambda: (heard := reports.of(child)) is not None and heard.report == said)

    @property
    def reports(self) -> Reports:
        assert self.vitals._reports is not None
        return self.vitals._reports

    def die(self, child: str, *, is_loss: bool = True) -> None:
        os.close(self.pipes.pop(child))
        self.plans = [plan for plan in self.plans if plan.name != child]
        self.vitals.death(child, is_loss=is_loss)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(Tally, "listen", lambda tally: None)  # it would until the session's end
    site = Site()
    yield site
    for pipe in site.pipes.values():
        os.close(pipe)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass for the vitals."""

    def pass_by(seconds: float) -> None:
        monkeypatch.setattr(vitals, "monotonic", lambda: time.monotonic() + seconds)

    return pass_by


# Ready ----------------------------------------------------------------------------------------


def test_a_worker_is_ready_when_it_renews_and_all_children_hear_hints(site: Site) -> None:
    site.report("w/1", report())
    assert "FAILS, 1 of 2 look for programs" in site.vitals.readiness().text
    site.report("w/2", report())

    checkup = site.vitals.readiness()

    assert checkup.status == 200, checkup.text
    assert "children: 2 of 2 look for programs\nbroker: 2 of 2 children hear hints" in checkup.text


def test_a_child_that_has_never_heard_hints_is_given_no_grace(site: Site) -> None:
    site.report("w/1", report())
    site.report("w/2", report(hears=False))
    text = site.vitals.readiness().text
    assert "broker: FAILS, 1 of 2 children hear hints; programs are found in the datab" in text


def test_a_broker_may_be_away_for_a_while(site: Site, later: Callable[[float], None]) -> None:
    for child in site.pipes:
        site.report(child, report())
        site.report(child, report(hears=False))

    assert site.vitals.readiness().is_well
    later(vitals.GRACE + 1)
    for child in site.pipes:  # still there
        site.report(child, report(hears=False, noop=1))
    text = site.vitals.readiness().text

    assert "broker: FAILS, 0 of 2 children hear hints" in text


def test_a_child_may_be_silent_for_a_while(site: Site, later: Callable[[float], None]) -> None:
    for child in site.pipes:
        site.report(child, report())
    later(vitals.GRACE + 1)
    assert "children: FAILS, 0 of 2 look for programs" in site.vitals.readiness().text


def test_without_renewal_for_a_lease_or_when_ending_no_worker_is_ready(
    site: Site, settings: Settings
) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "LEASE": 15}
    for child in site.pipes:
        site.report(child, report())

    for renewed_at, words in ((None, "no lease was renewed yet"), (lease_clock() - 16, "16.0 s")):
        site.keeper.renewed_at = renewed_at
        assert words in site.vitals.readiness().text
        assert not site.vitals.readiness().is_well
    site.keeper.renewed_at = lease_clock()
    assert site.vitals.readiness().is_well
    site.vitals.is_ending = True
    assert "worker: FAILS, it is ending" in site.vitals.readiness().text


# Alive ----------------------------------------------------------------------------------------


def test_a_worker_is_dead_when_its_supervisor_stands_or_its_keeper_has_ended(
    site: Site, later: Callable[[float], None]
) -> None:
    site.keeper.renewed_at = None  # no database is no reason
    assert site.vitals.life().is_well
    later(vitals.STUCK + 1)
    assert "supervisor: FAILS" in site.vitals.life().text
    later(0)
    site.vitals.turn()
    site.keeper.is_alive = lambda: False
    assert "keeper: FAILS" in site.vitals.life().text
    site.vitals.is_ending = True
    assert site.vitals.life().is_well


# Counts ---------------------------------------------------------------------------------------


def test_what_a_child_has_counted_outlives_it(site: Site) -> None:
    site.report("w/1", report(noop=3))
    site.report("w/2", report(noop=4, count=1))
    site.say("w/1", report(noop=5).encode() + b'[{"attempts": [["no')  # and is killed
    site.die("w/1")
    site.report("w/2", report(noop=6, count=1))

    found = site.vitals.metrics()

    assert found[known.ATTEMPTS] == {("noop", "succeeded"): 11, ("count", "succeeded"): 1}
    assert (found[known.CHILD_DEATHS], found[known.CHILDREN]) == ({(): 1}, {(): 1})
    assert (found[known.SLOTS], found[known.SLOTS_BUSY]) == ({(): 4}, {(): 1})
    assert found[known.CONSUMERS] == {("live",): 1, ("away",): 1}


def test_a_child_that_was_asked_to_end_is_no_death(site: Site) -> None:
    site.die("w/1", is_loss=False)
    assert site.vitals.metrics()[known.CHILD_DEATHS] == {(): 0}


def test_rubbish_from_a_child_is_no_report(site: Site) -> None:
    for line in (b"\n", b"{}\n", b"\xff\n", b"[1, 2]\n", b"[{}, 0, 0, 0]\n"):
        site.say("w/1", line)
    site.report("w/1", report(noop=1))
    assert site.reports.counted().attempts == {("noop", "succeeded"): 1}


def test_without_a_port_no_pipe_is_opened_and_nothing_counted() -> None:
    keeper: Any = SimpleNamespace(renewed_at=None, is_alive=lambda: True)
    silent = Vitals("w", keeper, lambda: PLANS, wanted=2, hinted=False, told=False)
    with silent.pipe("w/1") as pipe:
        assert pipe is None
    silent.death("w/1", is_loss=True)


# The port -------------------------------------------------------------------------------------


@pytest.fixture
def port(site: Site) -> Iterator[int]:
    port = free_port()
    served = Endpoint(port, site.vitals)
    served.start()
    yield port
    served.end()


def ask(
    port: int, path: str, method: str = "GET", host: str = "127.0.0.1", **headers: str
) -> tuple[int, str]:
    with closing(HTTPConnection(host, port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_port_answers_probes_and_prometheus(port: int) -> None:
    assert ask(port, "/healthz")[0] == 200
    status, text = ask(port, "/readyz?verbose")
    assert (status, text.splitlines()[0]) == (503, "not ready")
    status, text = ask(port, "/metrics")
    families = {family.name for family in text_string_to_metric_families(text)}
    assert status == 200
    assert {"programs_worker_info", "programs_job_attempts"} <= families
    assert ask(port, "/healthz", "HEAD") == (200, "")
    assert ask(port, "/healthz", "POST")[0] == 501
    assert ask(port, "/")[0] == 404


def test_with_a_token_metrics_are_for_who_has_it_and_probes_for_all(
    port: int, settings: Settings
) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "METRICS_TOKEN": "s3cret"}
    assert ask(port, "/metrics")[0] == 401
    assert ask(port, "/metrics", Authorization="Bearer s3cret")[0] == 200
    assert ask(port, "/healthz")[0] == 200


def test_without_the_extra_the_port_says_what_to_install(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    status, text = ask(port, "/metrics")
    assert (status, "[metrics]" in text) == (501, True)
    assert ask(port, "/healthz")[0] == 200


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_ipv6_is_answered(port: int) -> None:
    assert ask(port, "/healthz", host="::1")[0] == 200


def test_where_there_is_no_ipv6_the_port_is_taken_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **named: object) -> socket.socket:
        if named:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return create_server(*given)

    create_server = socket.create_server
    monkeypatch.setattr(socket, "create_server", refuse)
    with closing(endpoint.listen(free_port())) as listening:
        assert listening.family is socket.AF_INET


def test_who_says_nothing_keeps_nobody_out_for_long(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "PATIENCE", 0.2)
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(endpoint.ASKERS)]
    try:
        for each in silent:
            each.sendall(b"GET /hea")

        def answered() -> bool:
            try:
                return ask(port, "/healthz")[0] == 200
            except OSError:
                return False  # sent away

        assert eventually(answered)
    finally:
        for each in silent:
            each.close()


def test_a_port_that_is_taken_cannot_be_had(site: Site) -> None:
    with closing(socket.create_server(("", 0))) as taken, pytest.raises(OSError, match="in use"):
        Endpoint(taken.getsockname()[1], site.vitals)
