"""The app in a fresh project of somebody else's, through INSTALLED_APPS and nothing more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

JOBS = '''
from programs.job import Job
from programs.registry import register


@register
class Greet(Job):
    """Says hello."""

    name = "greet"

    def execute(self, message, job_data):
        job_data.set({"said": f"hello {message.program_data['whom']}"})
'''

CREATE = """
from programs.submission import create_program
print(create_program(["greet"], {"whom": "ada"}).run_id)
"""

LOOK = """
from programs.models import Program
program = Program.objects.get()
print(program.state.value, program.job_data["greet"]["said"], program.attempts.get().outcome)
"""


class Project:
    """A project made by `startproject`, with an app `shop` that has jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "site"
        self.folder.mkdir()
        packages = folder / "packages"
        packages.mkdir()
        (packages / "programs").symlink_to(ROOT / "programs")  # and nothing else of ours
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO")}
        # Settings that are rewritten within a second, at the same length, would be read from
        # their compiled file, as they were before.
        kept["PYTHONDONTWRITEBYTECODE"] = "1"
        self.environment = {**kept, "PYTHONPATH": str(packages)}
        self.run(sys.executable, "-m", "django", "startproject", "site_of_mine", ".")
        self.manage("startapp", "shop")
        (self.folder / "shop" / "jobs.py").write_text(JOBS)

    @property
    def settings(self) -> Path:
        return self.folder / "site_of_mine" / "settings.py"

    def install(self, *apps: str, drop: tuple[str, ...] = ()) -> None:
        text = self.settings.read_text()
        for app in drop:
            text = text.replace(f"    '{app}',\n", "")
        listed = "".join(f"    '{app}',\n" for app in apps)
        self.settings.write_text(
            text.replace("INSTALLED_APPS = [\n", f"INSTALLED_APPS = [\n{listed}")
        )

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage(self, *arguments: str) -> str:
        return self.run(sys.executable, "manage.py", *arguments)

    def shell(self, code: str) -> str:
        return self.manage("shell", "-c", code).strip().splitlines()[-1]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_fresh_project_runs_a_job_of_its_own(project: Project) -> None:
    project.install("programs", "shop")
    project.manage("check")
    project.manage("migrate")
    project.manage("makemigrations", "--check")
    project.shell(CREATE)

    first_line = project.manage("runworker", "--burst", "--threads", "2").splitlines()[0]

    assert "looks into the database only" in first_line
    assert project.shell(LOOK) == "finished hello ada succeeded"


def test_the_app_loads_without_the_admin_and_without_the_rest_framework(project: Project) -> None:
    project.install("programs", "shop", drop=("django.contrib.admin",))
    urls = project.folder / "site_of_mine" / "urls.py"
    urls.write_text("urlpatterns = []\n")
    blocked = project.folder / "rest_framework.py"
    blocked.write_text("raise ImportError('not installed')\n")
    project.manage("migrate")
    project.shell(CREATE)
    project.manage("runworker", "--burst")
    assert project.shell(LOOK) == "finished hello ada succeeded"


def test_a_broken_jobs_module_fails_the_check_and_names_the_file(project: Project) -> None:
    project.install("programs", "shop")
    (project.folder / "shop" / "jobs.py").write_text("import no_such_module\n")
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "programs.E010" in done.stderr
    assert "no_such_module" in done.stderr
    assert str(project.folder / "shop" / "jobs.py") + ":1" in done.stderr


@pytest.mark.parametrize(
    ("setting", "id_"),
    [
        ("'text'", "programs.E001"),
        ("{'AMPQ_URL': None}", "programs.E002"),
        ("{'THREADS': 0}", "programs.E003"),
        ("{'LEASE': '15'}", "programs.E003"),
        ("{'DATABASE': 'elsewhere'}", "programs.E004"),
    ],
)
def test_a_wrong_setting_fails_the_check(project: Project, setting: str, id_: str) -> None:
    project.install("programs", "shop")
    with project.settings.open("a") as settings:
        settings.write(f"\nPROGRAM_EXECUTOR = {setting}\n")
    for command in ("check", "runworker"):
        done = subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=project.folder,
            env=project.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert id_ in done.stderr
