"""Every block of code in the documents is run, or held against what it is about.

Python is executed, in the order of a document, in one namespace, against the test database; so is
what `<!-- check … -->` holds, which readers do not see. After each block all programs that a worker
would run are run. Blocks of settings are put into a project, which is checked. Of shell, each
command and option must exist; data must parse. SQL has tests/integration/test_document_sql.py.
"""

from __future__ import annotations

import json
import operator
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from programs import registry
from programs.definition import code as definitions_in_code
from programs.models import Program
from tests.blocks import DOCUMENTS, EVERY_DOCUMENT, ROOT, Block, all_blocks, blocks, each
from tests.project import Project
from tests.running import SLOT, carry, make_due
from tests.shell import faults

# Why a block of Python is compiled only, by the document and a line of it.
NOT_RUN = {
    ("alerting.md", "sentry_sdk.init("): "tests/acceptance/test_alerts.py runs it, in a worker",
    ("tracing.md", "from opentelemetry import trace"): "a process has one provider, for good",
}

# Documents that are carried out in a project of their own, and by which test.
CARRIED_OUT = {"tutorial.md": "tests/acceptance/test_newcomer.py"}

# What is no code of ours.
SHOWN = {
    "text": "output, or a tree of files",
    "javascript": "the Node original's, for comparison",
    "{eval-rst}": "`make docs` builds it, with warnings as errors",
}

# The one that the documents keep files in: Django 6.1 opens a SQLite that it checks.
FOLDER = "/var/lib/shop"

RUN = ("python", "check", "sh", "json", "yaml", "toml", "sql")

NAME = operator.attrgetter("name")
document = pytest.mark.parametrize("path", DOCUMENTS, ids=NAME)


def why_not_run(block: Block) -> str | None:
    if block.path.name in CARRIED_OUT:
        return CARRIED_OUT[block.path.name]
    for (name, line), reason in NOT_RUN.items():
        if block.path.name == name and line in block.code.splitlines():
            return reason
    return None


# Python ---------------------------------------------------------------------------------------


@pytest.fixture
def own_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget, after the test, the jobs and definitions that it registers."""
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))
    own = dict(definitions_in_code._definitions)
    monkeypatch.setattr(definitions_in_code, "_definitions", own)


@document
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_jobs")
def test_python_does_what_the_document_says(path: Path) -> None:
    namespace: dict[str, Any] = {"__name__": f"documents.{path.stem}"}
    for block in blocks(path):
        if block.language in ("python", "check") and not block.is_of_settings:
            code = compile(block.padded, path.name, "exec")
            if why_not_run(block) is None:
                exec(code, namespace)  # noqa: S102 (our documents)
                run_programs()


def run_programs() -> None:
    """Run what workers would run, without waiting for the time of a retry."""
    for _ in range(1000):
        open_programs = Program.objects.open().filter(paused_at__isnull=True)
        for program in open_programs.filter(attempts__isnull=False).distinct():
            make_due(program)
        due = open_programs.due(*open_programs.values_list("queue", flat=True)).first()
        if due is None:
            return
        claimed = Program.objects.filter(pk=due.pk).claim(SLOT, 60.0)
        assert claimed is not None
        carry(claimed)
    raise AssertionError("programs of the document run without end")


# Settings -------------------------------------------------------------------------------------


def settings_of(path: Path) -> list[Block]:
    return [block for block in blocks(path) if block.is_of_settings and not why_not_run(block)]


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if settings_of(path)], ids=NAME)
def test_a_project_with_the_settings_of_the_document_passes_the_checks(
    path: Path, tmp_path: Path
) -> None:
    project = Project(tmp_path, Path(sys.executable))
    project.environment["PYTHONPATH"] = str(ROOT)
    project.run("django", "startproject", "mysite", ".")
    for module in (
        "shop/__init__",
        "mysite/jobs",
        "another_package/__init__",
        "another_package/tasks",
    ):
        project.write(f"{module}.py", "")
    if not any('"programs"' in block.code for block in settings_of(path)):
        project.install("programs")
    for block in settings_of(path):
        name = "urls" if "urlpatterns" in block.code else "settings"
        with (tmp_path / "mysite" / f"{name}.py").open("a") as file:
            file.write(f"\n# {block}\n{block.code.replace(FOLDER, str(tmp_path))}")
    project.manage("check")


# Shell and data -------------------------------------------------------------------------------


@each("sh")
def test_every_command_and_option_exists(block: Block) -> None:
    assert faults(block.code) == []


@each("json", "yaml", "toml")
def test_data_parses(block: Block) -> None:
    parse: Any = {"json": json.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}
    assert parse[block.language](block.code)


# All of them ----------------------------------------------------------------------------------


def test_every_block_says_a_language_that_is_run_or_shown() -> None:
    every = [block for path in EVERY_DOCUMENT for block in blocks(path)]
    others = [block for block in every if block.language not in (*RUN, *SHOWN)]
    assert [f"{block}: {block.language}" for block in others] == []  # of output, say `text`


def test_every_reason_not_to_run_a_block_is_of_a_block_that_is_there() -> None:
    python = all_blocks("python")
    needed = {
        key
        for key in NOT_RUN
        for block in python
        if block.path.name == key[0] and key[1] in block.code.splitlines()
    }
    assert needed == set(NOT_RUN)
