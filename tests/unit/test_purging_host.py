"""`purgeprograms` in a project whose own rows point to programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

MODELS = """
from django.db import models

class Invoice(models.Model):
    program = models.ForeignKey("programs.Program", on_delete=models.PROTECT)

class Note(models.Model):
    program = models.ForeignKey("programs.Program", on_delete=models.CASCADE)
"""

PURGE = """
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["programs", "host"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
    PROGRAM_EXECUTOR={"JOB_MODULES": ["tests.jobs"]},
)
django.setup()

from datetime import UTC, datetime, timedelta

from django.core.management import call_command
from host.models import Invoice, Note

from programs.models import Attempt, Program
from programs.submission import create_program
from programs.testing import run_inline

call_command("migrate", run_syncdb=True, verbosity=0)
with run_inline():
    kept, noted, alone = (create_program(["noop"]) for _ in range(3))
Invoice.objects.create(program=kept)
Note.objects.create(program=noted)
Program.objects.update(finished_at=datetime.now(UTC) - timedelta(days=9))

call_command("purgeprograms", "--older-than", "1d", "--dry-run")
call_command("purgeprograms", "--older-than", "1d")
assert list(Program.objects.all()) == [kept]
assert Attempt.objects.get().program == kept
assert not Note.objects.exists()
"""


def test_a_program_that_the_projects_own_rows_protect_stays_with_its_history(
    tmp_path: Path,
) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "__init__.py").touch()
    (tmp_path / "host" / "models.py").write_text(MODELS)

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PURGE],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert [told[3], told[-1]] == ["2 programs would be deleted", "2 programs deleted"]
