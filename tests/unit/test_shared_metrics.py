"""What several web processes share of themselves: added up, whichever of them is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from programs.monitoring import catalogue, processes
from programs.transport import publisher
from tests.project import ROOT

# One process: it sends so many hints as `told` says, over one publisher after the other, and prints
# what a scrape of it would show.
PROCESS = """
import json, sys
from collections import Counter
import django
django.setup()
from programs.monitoring import processes
from programs.monitoring.exposition import render
from programs.transport import publisher
processes.share()
for state, confirmed in json.loads(sys.argv[1]):
    publisher.state = lambda: state
    publisher.fates = lambda: Counter(confirmed=confirmed)
    publisher._tell()
print(render({}, "", processes.Shared())[0].decode())
"""


def scraped(folder: Path, told: str) -> dict[tuple[str, ...], float]:
    """Let a process share that, and return the samples that it shows."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, told],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PROMETHEUS_MULTIPROC_DIR": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(done.stdout)
        for sample in family.samples
    }


def test_what_processes_have_sent_is_added_up_though_one_begins_anew(tmp_path: Path) -> None:
    first = scraped(tmp_path, '[["idle", 0], ["connected", 3], ["connected", 5], ["failing", 2]]')
    assert first["programs_hints_total", "confirmed"] == 7  # the second publisher's 2 as well
    assert (first["programs_publishers", "failing"], first["programs_publishers", "idle"]) == (1, 0)

    second = scraped(tmp_path, '[["connected", 10]]')

    assert second["programs_hints_total", "confirmed"] == 17
    assert second["programs_publishers", "connected"] == 1


def test_a_folder_that_is_not_there_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "nowhere"))
    assert processes.Shared().collect() == []
    assert "metrics without what the processes share" in caplog.text


def test_one_process_tells_of_itself(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    assert processes.Shared().collect() == []
    assert processes.own_metrics() == {}  # no broker
    url = "amqp://127.0.0.1:1/"
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "AMQP_URL": url}
    monkeypatch.setattr(publisher, "state", lambda: "failing")
    monkeypatch.setattr(publisher, "fates", lambda: Counter(dropped=4))

    found = processes.own_metrics()

    assert found[catalogue.PUBLISHERS]["failing",] == 1
    assert found[catalogue.HINTS] == {("confirmed",): 0, ("given_up",): 0, ("dropped",): 4}


def test_a_watcher_that_fails_is_logged_and_ends_no_sending(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(publisher, "_watcher", None)
    publisher.watch(fail)
    publisher._tell()
    assert "How hints stand is not told." in caplog.text
