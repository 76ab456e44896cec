"""What the backend of Django's tasks accepts, what becomes a job, and what the checks say."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import Client
from pytest_django.fixtures import Settings

from programs import registry, signals
from programs.apps import tasks_are_ours
from programs.checks import tasks_can_be_run
from programs.errors import InvalidJob
from programs.job import Job
from programs.models import Program
from programs.tasks import ProgramsBackend, backend, retries
from programs.tasks.framework import InvalidTask, Task, task
from programs.tasks.job import know, know_all
from programs.tasks.result import task_named
from programs.testing import run_inline
from tests import tasks
from tests.console import CREATE, page_of

OURS = "programs.tasks.ProgramsBackend"


def job_named(name: str) -> type[Job]:
    found = registry.find(name)
    assert found is not None
    return found


def function(name: str = "work", module: str = "shop.tasks") -> Any:
    """Return a new function that stands in a module, as far as anybody can tell."""

    def work() -> None:
        pass

    work.__qualname__ = work.__name__ = name
    work.__module__ = module
    return work


@pytest.fixture(autouse=True)
def _own_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget, after the test, what it registers and was warned of."""
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))
    monkeypatch.setattr(backend, "_warned_of", set())


# Tasks as jobs --------------------------------------------------------------------------------


def test_a_task_in_a_module_of_jobs_is_known_from_the_start() -> None:
    job = job_named("tests.tasks.add")
    assert (job.name, job.__module__, job.__qualname__) == ("tests.tasks.add", "tests.tasks", "add")
    assert job.__doc__ is not None
    assert job.__doc__.startswith("Adds two numbers.")
    assert know(tasks.add) is job
    assert know(tasks.add.using(queue_name="mail")) is job


def test_a_task_is_known_once_its_decorator_has_run() -> None:
    task(function())
    assert job_named("shop.tasks.work").max_retries == Job.max_retries


def test_retries_are_those_that_the_task_says() -> None:
    task(retries(max_retries=None, retry_delay=60, retry_backoff=1)(function()))
    job = job_named("shop.tasks.work")
    assert (job.max_retries, job.retry_delay, job.retry_backoff) == (None, 60, 1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"max_retries": -1}, "max_retries must be a number from 0 on, or None, not -1"),
        ({"max_retries": True}, "max_retries"),
        ({"max_retries": "3"}, "max_retries"),
        ({"retry_delay": -0.1}, "retry_delay must be a number from 0 on, not -0.1"),
        ({"retry_delay": float("nan")}, "retry_delay"),
        ({"retry_backoff": None}, "retry_backoff"),
    ],
)
def test_retries_that_cannot_be_meant_are_refused(given: Any, told: str) -> None:
    with pytest.raises(InvalidJob, match=told):
        retries(**given)


def test_retries_above_the_decorator_of_the_task_are_refused() -> None:
    with pytest.raises(InvalidJob, match="put it below, at the function itself"):
        retries(max_retries=1)(tasks.add)  # type: ignore[type-var]  # types tell as well


def test_a_module_that_is_loaded_again_takes_the_place_of_its_tasks() -> None:
    task(function())
    again: Task[..., Any] = task(function())
    assert task_named("shop.tasks.work") is again


@pytest.mark.parametrize("name", ["job_started", "job_finished"])
def test_the_steps_of_tasks_are_listened_to_and_those_of_other_jobs_are_not(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = Signal()
    monkeypatch.setattr(signals, name, signal)
    task(function())
    assert signal.has_listeners(job_named("shop.tasks.work"))
    assert not signal.has_listeners(job_named("succeed"))
    assert not signal.has_listeners(None)  # of a job that is not known


def test_all_tasks_of_a_module_become_jobs_and_nothing_else_does() -> None:
    module = ModuleType("shop.tasks")
    one: Task[..., Any] = task(function("one"))
    registry._jobs.pop("shop.tasks.one")
    vars(module).update(one=one, two=function("two"), name="text")

    know_all([module])

    assert job_named("shop.tasks.one") is know(one)
    assert registry.find("shop.tasks.two") is None


# Validation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: task(lambda: None), "must be defined at a module level"),
        (lambda: task(priority=1)(function()), "does not support setting priority"),
        (lambda: task(queue_name="nowhere")(function()), "Queue 'nowhere' is not valid"),
        (lambda: task(function("x" * 256)), "must be a text of 1 to 255 characters"),
        (lambda: task(function("add", "tests.jobs.taken")), "two jobs are named"),
    ],
)
def test_a_task_that_cannot_run_here_is_refused_where_it_is_made(made: Any, told: str) -> None:
    class Taken(Job):
        name = "tests.jobs.taken.add"

        def execute(self, message: Any, job_data: Any) -> None:
            pass

    registry.register(Taken)
    with pytest.raises(InvalidTask, match=told):
        made()


@pytest.mark.django_db
def test_who_enqueues_a_task_that_workers_may_not_know_is_warned_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hidden: Task[..., Any] = task(function(module="shop.views"))
    with caplog.at_level(logging.WARNING, "programs.tasks"), run_inline():
        hidden.enqueue()
        hidden.enqueue()
        tasks.add.enqueue(1)
    (told,) = [record.getMessage() for record in caplog.records if "not imported" in record.message]
    assert "task shop.views.work stands in a module" in told
    assert "PROGRAM_EXECUTOR['JOB_MODULES']" in told


@pytest.mark.django_db
def test_a_task_runs_inline_in_the_tests_of_a_project() -> None:
    with run_inline():
        result = tasks.add.enqueue(40, 2)
    result.refresh()
    assert result.return_value == 42


@pytest.mark.django_db
@pytest.mark.filterwarnings("ignore:No directory at")  # nobody has collected static files
def test_the_console_offers_tasks_and_shows_what_became_of_one(admin_client: Client) -> None:
    with run_inline():
        result = tasks.add.enqueue("forty-", b="two")

    offered = admin_client.get(CREATE).content.decode()
    program = Program.objects.get(run_id=result.id)
    page = admin_client.get(page_of(program))

    assert "tests.tasks.add" in offered
    assert "Adds two numbers." in offered
    assert "forty-two" in page.content.decode()


# Checks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({}, []),
        ({"QUEUES": []}, []),
        ({"QUEUES": ["mail", "default"]}, []),
        ({"QUEUES": "default"}, ["programs.E013"]),
        ({"QUEUES": ["x" * 101]}, ["programs.E013"]),
        ({"QUEUES": ["", "a\nb"]}, ["programs.E013"]),
        ({"QUEUES": [7]}, ["programs.E013"]),
        ({"OPTIONS": {"retries": 3}}, ["programs.E012"]),
    ],
)
def test_what_the_backend_cannot_take_fails_its_check(params: Any, ids: list[str]) -> None:
    checked = ProgramsBackend("default", params).check()
    assert [message.id for message in checked] == ids


def test_a_backend_that_is_spelt_wrong_fails_the_check(settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": "programs.tasks.ProgrammsBackend"}}
    (found,) = tasks_can_be_run(None)
    assert found.id == "programs.E011"
    assert "TASKS['default'] cannot be used" in found.msg


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ({"default": {"BACKEND": OURS}}, True),
        ({"default": {"BACKEND": "nowhere.Backend"}, "other": {"BACKEND": OURS}}, True),
        ({"default": {"BACKEND": "nowhere.Backend"}}, False),
        ({"default": {}}, False),
        ({}, False),
        (None, False),
        ("nonsense", False),
    ],
)
def test_tasks_are_looked_for_only_where_a_backend_is_ours(
    settings: Settings, given: Any, ours: bool
) -> None:
    settings.TASKS = given
    assert tasks_are_ours() is ours


# A project ------------------------------------------------------------------------------------

PROJECT = """
import sys
for absent in {absent!r}:
    sys.modules[absent] = None  # as if it were not installed

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["programs", "shop"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    TASKS={{"default": {{"BACKEND": {backend!r}}}}},
)
django.setup()

from django.core.management import call_command
from programs.registry import registered

print([name for name in registered() if name.startswith("shop")])
call_command("check")
"""

SHOP_TASKS = """
from programs.tasks.framework import task

@task
def {name}():
    pass
"""


def run_project(folder: Path, backend: str, *absent: str) -> subprocess.CompletedProcess[str]:
    for path in ("shop/__init__.py", "shop/tasks/__init__.py"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).touch()
    for name in ("mail", "report"):
        (folder / "shop" / "tasks" / f"{name}.py").write_text(
            SHOP_TASKS.format(name=f"send_{name}")
        )
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROJECT.format(absent=absent, backend=backend)],
        cwd=folder,
        env={"PYTHONPATH": f"{root}:{folder}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tasks_of_every_app_are_found(tmp_path: Path) -> None:
    done = run_project(tmp_path, OURS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        "['shop.tasks.mail.send_mail', 'shop.tasks.report.send_report']"
    )


def test_a_task_that_is_refused_fails_the_check_with_the_line_that_makes_it(
    tmp_path: Path,
) -> None:
    broken = tmp_path / "shop" / "jobs.py"
    broken.parent.mkdir()
    broken.write_text(SHOP_TASKS.format(name="later").replace("@task", "@task(priority=5)"))
    done = run_project(tmp_path, OURS)
    assert done.returncode == 1
    assert "(programs.E010) The jobs in shop.jobs cannot be imported" in done.stderr
    assert f"Mend {broken}:4." in done.stderr


def test_modules_of_tasks_are_left_alone_where_tasks_are_not_ours(tmp_path: Path) -> None:
    framework = type(tasks.add).__module__.partition(".base")[0]
    done = run_project(tmp_path, f"{framework}.backends.immediate.ImmediateBackend")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "[]"


def test_a_missing_framework_is_told_of_with_the_remedy(tmp_path: Path) -> None:
    done = run_project(tmp_path, OURS, "django_tasks", "django.tasks")
    assert done.returncode == 1
    assert "(programs.E011) TASKS['default'] cannot be used" in done.stderr
