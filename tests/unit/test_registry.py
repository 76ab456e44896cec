"""What may be registered as a job, and what is said of what may not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from programs import registry
from programs.checks import jobs_can_be_imported
from programs.errors import InvalidJob
from programs.job import Job, JobData
from programs.message import Message


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[str, type[Job]]:
    """The registered jobs, which a test may add to."""
    jobs = dict(registry._jobs)
    monkeypatch.setattr(registry, "_jobs", jobs)
    monkeypatch.setattr(registry, "_failures", {})
    return jobs


def job(base: Any = Job, **attributes: Any) -> Any:
    """Return a class of this kind, as a project may have written it."""

    def execute(self: Any, message: Message, job_data: JobData) -> None:
        pass

    return type("Imported", (base,), {"name": "imported", "execute": execute, **attributes})


def test_a_job_is_found_by_its_name() -> None:
    imported = registry.register(job())
    assert registry.find("imported") is imported
    assert registry.registered()["imported"] is imported


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (5, "5 is no subclass of programs.job.Job"),
        (job(object), "no subclass of programs.job.Job"),
        (job(name=None), "Imported.name must be a text of 1 to 255 characters, not None"),
        (job(name=" "), "Imported.name must be a text"),
        (job(name="x" * 256), "Imported.name must be a text"),
        (job(name="a\0b"), "Imported.name must be a text"),
        (job(execute=Job.execute), r"Imported \(job 'imported'\) has no execute method"),
        (job(data_class=dict), "Imported.data_class must be a serializer class"),
        (job(program_data_class=5), "Imported.program_data_class must be a serializer class"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_reason(
    registered: dict[str, type[Job]], refused: Any, told: str
) -> None:
    before = dict(registered)
    with pytest.raises(InvalidJob, match=told):
        registry.register(refused)
    assert registered == before


def test_a_name_is_one_jobs_alone_but_its_module_may_be_imported_anew() -> None:
    registry.register(job())
    again = registry.register(job())
    assert registry.find("imported") is again
    with pytest.raises(InvalidJob, match="two jobs are named 'imported': .*rename one"):
        registry.register(job(__qualname__="Other"))


# Modules ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("of_jobs", "of_jobs.bad"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("import json\n\nraise ValueError('no such thing')", "ValueError: no such thing", 3),
        ("def run(:\n    pass", "SyntaxError: invalid syntax", 1),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_with_its_line_and_harms_no_other(
    settings: Any, folder: Path, text: str, told: str, line: int
) -> None:
    package = folder / "of_jobs"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "bad.py").write_text(text)
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "JOB_MODULES": ["of_jobs"]}

    found = registry.discover()

    assert "of_jobs" in [module.__name__ for module in found]
    (error,) = jobs_can_be_imported(None)
    assert error.id == "programs.E010"
    assert f"of_jobs.bad cannot be imported: {told}" in error.msg
    assert str(error.hint).endswith(f"bad.py:{line}.")
    assert "of_jobs.bad failed to import" in str(registry.unknown("of_bad"))
