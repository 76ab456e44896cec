"""Projects of somebody else's: made by `startproject`, with the wheel in a clean environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import eventually

ROOT = Path(__file__).parent.parent
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")

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
program = Program.objects.latest("pk")
print(program.state.value, program.job_data["greet"]["said"], program.attempts.get().outcome)
"""
GREETED = "finished hello ada succeeded"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `make wheel` does it: from the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    execute(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def bare_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, and what it cannot do without."""
    return _environment(tmp_path_factory.mktemp("bare"), str(wheel))


@pytest.fixture(scope="session")
def full_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, its extras, and a web server of each kind."""
    servers = ("gunicorn>=23,<28", "uvicorn>=0.30,<1")
    extras = f"{wheel}[api,console,schedules]"
    return _environment(tmp_path_factory.mktemp("full"), extras, *servers)


def _environment(folder: Path, *requirements: str) -> Path:
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    execute(*PIP, "--python", str(python), "install", *requirements)
    return python


@pytest.fixture(scope="session")
def fresh_project(bare_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project as Django makes it, with an app `shop` that has a job."""
    folder = tmp_path_factory.mktemp("fresh") / "site"
    folder.mkdir()
    project = Project(folder, bare_python)
    project.run("django", "startproject", "mysite", ".")
    project.manage("startapp", "shop")
    (folder / "shop" / "jobs.py").write_text(JOBS)
    return folder


@pytest.fixture
def project(fresh_project: Path, bare_python: Path, tmp_path: Path) -> Project:
    """A fresh project, in an environment with nothing but the wheel, Django and pika."""
    return Project(_copy(fresh_project, tmp_path), bare_python)


@pytest.fixture
def full_project(fresh_project: Path, full_python: Path, tmp_path: Path) -> Project:
    """A fresh project, in an environment with all extras."""
    return Project(_copy(fresh_project, tmp_path), full_python)


def _copy(fresh: Path, folder: Path) -> Path:
    return Path(shutil.copytree(fresh, folder / "site"))


class Project:
    """A folder with a `manage.py`, and the Python that runs it."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.python = python
        ours = ("DJANGO", "PYTHON", "PROGRAM", "COVERAGE")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        # Settings that are rewritten within a second, at the same length, would be read from
        # their compiled file, as they were before.
        self.environment = {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error"}

    def install(self, *apps: str, drop: str = "") -> None:
        """List these apps first in `INSTALLED_APPS`, and strike out another."""
        settings = self.folder / "mysite" / "settings.py"
        listed = "".join(f"    '{app}',\n" for app in apps)
        text = settings.read_text().replace(f"    '{drop}',\n", "")
        text = text.replace("INSTALLED_APPS = [\n", f"INSTALLED_APPS = [\n{listed}")
        settings.write_text(text)

    def configure(self, text: str) -> None:
        """Append to the settings."""
        with (self.folder / "mysite" / "settings.py").open("a") as settings:
            settings.write(f"\n{text}\n")

    def write(self, name: str, text: str) -> None:
        """Write a file of the project, in the place of one that is there."""
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def run(self, module: str, *arguments: str) -> str:
        """Run a module to its end and return what it printed."""
        command = (str(self.python), "-m", module, *arguments)
        return execute(*command, cwd=self.folder, env=self.environment)

    def manage(self, *arguments: str) -> str:
        command = (str(self.python), "manage.py", *arguments)
        return execute(*command, cwd=self.folder, env=self.environment)

    def refusal(self, *arguments: str) -> str:
        """Return the standard error of a command that is refused."""
        done = subprocess.run(
            (str(self.python), "manage.py", *arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr

    def shell(self, code: str) -> str:
        """Run code in Django's shell and return the last line that it printed."""
        return self.manage("shell", "-c", code).strip().splitlines()[-1]

    @contextmanager
    def serving(self, module: str, *arguments: str) -> Iterator[int]:
        """Let a web server run, and yield the port that it took."""
        log = self.folder / f"{module}.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                (str(self.python), "-m", module, *arguments),
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            told = eventually(lambda: re.findall(r"http://127.0.0.1:(\d+)", log.read_text()), 30)
            yield int(told[0])
        finally:
            server.terminate()
            server.wait(timeout=30)


def execute(
    *command: str, cwd: Path = ROOT, env: dict[str, str] | None = None, within: float = 100.0
) -> str:
    """Run a command to its end and return its standard output; fail with all that it said."""
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=within, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
