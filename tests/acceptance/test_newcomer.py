"""A newcomer's first project: what the README says, each command and block as it stands there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.blocks import ROOT, Block, blocks
from tests.project import Project

README = ROOT / "README.md"
SECTION = "## Use it in a project of your own\n"

# The environment is there, with the wheel in it: pip would ask the index again.
DONE = ("python3 -m venv", ". .venv/bin/activate", "pip install")

# What would ask, or wait for Ctrl-C.
UNATTENDED = {
    "python manage.py createsuperuser": "python manage.py createsuperuser --noinput",
    "python manage.py runworker": "python manage.py runworker --burst",
}

LOOK = """
from programs.models import Program
program = Program.objects.get(run_id="{run_id}")
"""


def section() -> list[Block]:
    text = README.read_text()
    start = text.index(SECTION)
    first = text.count("\n", 0, start)
    last = text.count("\n", 0, text.index("\n## ", start))
    return [block for block in blocks(README) if first < block.line < last]


def run(project: Project, block: Block) -> None:
    """Run a block of shell in the project's environment, line by line."""
    for line in block.code.splitlines():
        if not line.startswith(DONE):
            done = subprocess.run(
                ["sh", "-eu", "-c", UNATTENDED.get(line, line)],
                cwd=project.folder,
                env=project.environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_first_job_of_ones_own_runs_by_the_words_of_the_readme(
    bare_python: Path, tmp_path: Path
) -> None:
    project = Project(tmp_path, bare_python)
    project.environment |= {
        "PATH": f"{bare_python.parent}:{project.environment['PATH']}",
        "DJANGO_SUPERUSER_USERNAME": "ada",
        "DJANGO_SUPERUSER_EMAIL": "ada@example.org",
        "DJANGO_SUPERUSER_PASSWORD": "correct horse",
    }
    program = ""
    for block in section():
        if block.language == "sh":
            run(project, block)
        elif block.is_of_settings:
            project.configure(block.code)
        elif "@register" in block.code:
            project.write("shop/jobs.py", block.code)
        elif "create_program" in block.code:
            program = project.shell(block.code)  # which prints the run id
        else:
            project.shell(LOOK.format(run_id=program) + block.code + "print('as it says')")
            return
    pytest.fail("the section ends before it looks at what became of the program")
