"""The app without what it does not need: the admin, Django REST framework, OpenTelemetry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_EXTRAS = """
import sys
for absent in {absent!r}:
    sys.modules[absent] = None  # as if it were not installed

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["programs"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    PROGRAM_EXECUTOR={{"JOB_MODULES": ["tests.jobs"]}},
)
django.setup()

from django.core.management import call_command

call_command("check")
call_command("migrate", verbosity=0)

from programs.operations import stop_program
from programs.submission import create_program

print(stop_program(create_program(["noop"])).state)
"""

UNTRACED = """
from programs import execution, tracing

assert tracing.each_job(print) is print
assert not hasattr(execution.carry, "__wrapped__")
assert not hasattr(execution.run_job, "__wrapped__")
print("as they are")
"""


@pytest.mark.parametrize(
    "absent",
    [
        ["rest_framework"],
        ["drf_spectacular", "knox"],
        ["django.contrib.admin"],
        ["rest_framework", "django.contrib"],
        ["opentelemetry"],
    ],
)
def test_the_app_works_without_what_it_does_not_need(absent: list[str]) -> None:
    assert last_line_of(WITHOUT_EXTRAS.format(absent=absent)) == "stopped"


def test_without_opentelemetry_nothing_stands_between_the_engine_and_its_jobs() -> None:
    code = WITHOUT_EXTRAS.format(absent=["opentelemetry"]) + UNTRACED
    assert last_line_of(code) == "as they are"


def last_line_of(code: str) -> str:
    """Run Python in a process of its own; return the last line that it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]
