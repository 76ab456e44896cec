"""A job's name is looked up and nothing else: none that comes with data is ever imported."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from programs.models import Program, State
from programs.submission import create_program
from programs.transport.hint import Hint
from tests.clients import ADD, VIEW, client_of, post
from tests.running import carry, claim, fresh

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

NAMES = [
    "planted",
    "planted.Job",
    "planted:Job",
    "planted/Job",
    "jobs.planted",
    "programs.job.Job",
    "../planted",
    "__import__('planted')",
    "os.system",
]


@pytest.fixture(autouse=True)
def _planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module that can be imported, and was not when the test is over."""
    (tmp_path / "planted.py").write_text("Job = object")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    imported = [name for name in sys.modules if "planted" in name]
    for name in imported:
        del sys.modules[name]  # or the next test could not see that it is imported again
    assert imported == []


@pytest.mark.parametrize("name", NAMES)
def test_the_api_refuses_a_name_that_nobody_registered(name: str) -> None:
    answer = post(client_of(VIEW, ADD), "/api/programs/", {"jobs": [name]})

    assert answer.status_code == 400
    assert not Program.objects.exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_with_such_a_name_waits_for_a_worker_that_knows_it(name: str) -> None:
    program = create_program(["noop"])
    Program.objects.update(jobs=[name])

    claimed = claim(program)
    assert claimed is not None
    carry(claimed)

    assert fresh(program).state is State.SCHEDULED
    assert "no job named" in str(fresh(program).error_message)


@pytest.mark.parametrize("name", NAMES)
def test_of_a_hint_nothing_but_the_run_id_is_read(name: str) -> None:
    body = {"jobs": [name], "runId": "r1", "class": name, "py/object": name}

    assert Hint.decode(json.dumps(body).encode()) == Hint("r1")
