"""Traces over processes: a worker with an SDK of its project's, killed and ended in good order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from programs.models import Program, State
from programs.submission import create_program
from tests.site import Site, wait_for
from tests.spans import Recorded, recorded
from tests.waiting import eventually

__all__ = ["recorded"]


@pytest.fixture
def spans(site: Site) -> Path:
    """Where the workers of this site write their spans."""
    path = site.folder / "spans"
    site.environment.update(
        DJANGO_SETTINGS_MODULE="tests.traced_settings", TEST_SPANS=str(path), LOG_FORMAT="json"
    )
    return path


def read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return sorted(map(json.loads, lines), key=lambda span: str(span["start_time"]))


def names(path: Path) -> list[str]:
    return [span["name"] for span in read(path)]


def trace_of(program: Program) -> str:
    assert program.trace_parent is not None
    return f"0x{program.trace_parent[3:35]}"


@pytest.mark.parametrize("site", ["rabbitmq"], indirect=True)
def test_a_worker_goes_on_in_the_trace_that_began_elsewhere(
    site: Site, spans: Path, recorded: Recorded
) -> None:
    program = create_program(["noop", "behave"], {"how": "log"})
    worker = site.worker().started()
    wait_for(program, State.FINISHED)

    assert worker.terminate() == 0

    told = read(spans)
    assert [span["name"] for span in told] == ["process default", "execute noop", "execute behave"]
    assert {span["context"]["trace_id"] for span in told} == {trace_of(program)}
    created = recorded.one("create default").context
    assert told[0]["parent_id"] == f"0x{created.span_id:016x}"
    lines = map(json.loads, (line for line in worker.output.splitlines() if line.startswith("{")))
    hello = next(line for line in lines if line["message"] == "hello from behave")
    assert hello["worker"] == worker.name
    assert (f"0x{hello['trace_id']}", f"0x{hello['span_id']}") == (
        trace_of(program),
        told[2]["context"]["span_id"],
    )


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_a_job_that_kills_its_process_is_lost_in_the_trace_that_goes_on(
    site: Site, spans: Path, recorded: Recorded
) -> None:
    program = create_program(["behave"], {"how": ["kill_process", "succeed"]})
    worker = site.worker().started()
    wait_for(program, State.FINISHED)
    assert worker.terminate() == 0

    told = read(spans)
    assert [span["name"] for span in told] == ["lose behave", "process default", "execute behave"]
    assert {span["context"]["trace_id"] for span in told} == {trace_of(program)}
    assert told[0]["status"]["status_code"] == "ERROR"
    assert told[2]["attributes"]["program_executor.attempt"] == 2


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_a_killed_workers_program_goes_on_in_its_trace_elsewhere(
    site: Site, spans: Path, recorded: Recorded
) -> None:
    site.environment["TEST_LEASE"] = "2"
    gate = site.folder / "gate"
    program = create_program(["noop", "behave"], {"how": "wait_for_file", "file": str(gate)})
    first = site.worker().started()
    eventually(lambda: "execute noop" in names(spans))
    first.kill()
    gate.touch()
    site.worker()
    wait_for(program, State.FINISHED)

    eventually(lambda: "process default" in names(spans))
    told = read(spans)
    assert [span["name"] for span in told] == [
        "execute noop",
        "lose behave",
        "process default",
        "execute behave",
    ]
    assert {span["context"]["trace_id"] for span in told} == {trace_of(program)}


@pytest.mark.parametrize("site", ["rabbitmq"], indirect=True)
def test_a_program_that_gives_way_is_hinted_in_its_trace(
    site: Site, spans: Path, recorded: Recorded
) -> None:
    site.worker("--threads", "1").started()
    program = create_program(["behave"], {"how": "count_slowly", "to": 2, "max_execution_time": 0})
    wait_for(program, State.FINISHED)

    queue = site.environment["TEST_QUEUE_NAME"]
    eventually(lambda: names(spans).count("process default") == 3)
    eventually(lambda: f"send {queue}" in names(spans))
    assert {span["context"]["trace_id"] for span in read(spans)} == {trace_of(program)}
    assert recorded.tree[0] == ("create default", None)
    assert (f"send {queue}", "create default") in recorded.tree
