"""A newcomer's first project: what the README says, each command and block as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.blocks import ROOT, Block, blocks
from tests.project import Project, execute

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
SECTION = "## Use it in a project of your own\n"

# The environment is there, with the wheel in it: pip would ask the index again.
DONE = re.compile(r"^(python3 -m venv|\. \.venv/bin/activate|pip install).*$", re.MULTILINE)

# What would ask, or wait for Ctrl-C; and what would stay if the test were to fail.
UNATTENDED = {
    "createsuperuser": "createsuperuser --noinput",
    "runworker": "runworker --burst",
    "runserver": "check",
    "runworker &": "runworker --max-programs 1 &",
}

LOOK = """
from programs.models import Program
program = Program.objects.get(run_id="{run_id}")
"""


class Newcomer:
    """Somebody who does what a document says, in an environment that has the wheel."""

    def __init__(self, project: Project) -> None:
        self.project = project
        project.environment |= {
            "PATH": f"{project.python.parent}:{project.environment['PATH']}",
            "DJANGO_SUPERUSER_USERNAME": "ada",
            "DJANGO_SUPERUSER_EMAIL": "ada@example.org",
            "DJANGO_SUPERUSER_PASSWORD": "correct horse",
        }

    def type(self, block: Block) -> str:
        """Type a block into a shell that remembers its variables, and return what is printed."""
        code = DONE.sub("", block.code)
        for line, unattended in UNATTENDED.items():
            code = re.sub(rf"^(python manage.py) {line}$", rf"\1 {unattended}", code, flags=re.M)
        remembering = f"set -a; test ! -f .shell || . ./.shell\n{code}\nexport -p > .shell"
        project = self.project
        return execute(
            *("sh", "-eu", "-c", remembering), cwd=project.folder, env=project.environment
        )

    def follow_the_readme(self) -> None:
        """Do what its section says, to the end."""
        run_id = ""
        for block in section():
            if block.language == "sh":
                self.type(block)
            elif block.is_of_settings:
                self.project.configure(block.code)
            elif "@register" in block.code:
                self.project.write("shop/jobs.py", block.code)
            elif "create_program" in block.code:
                run_id = self.project.shell(block.code)  # which prints it
            else:
                self.project.shell(LOOK.format(run_id=run_id) + block.code + "print('so it is')")
                return
        pytest.fail("the section ends before it looks at what became of the program")

    def follow_the_tutorial(self) -> list[str]:
        """Do what it says, and return what its blocks of shell print."""
        printed = []
        for block in blocks(TUTORIAL):
            name, _, code = block.code.partition("\n")
            if block.language == "sh":
                printed.append(self.type(block))
            elif block.is_of_settings:
                self.project.configure(block.code)
            else:
                self.project.write(name.removeprefix("# "), code)
        return printed


def section() -> list[Block]:
    """Return the blocks of the README's section."""
    text = README.read_text()
    start = text.index(SECTION)
    first = text.count("\n", 0, start)
    last = text.count("\n", 0, text.index("\n## ", start))
    return [block for block in blocks(README) if first < block.line < last]


@pytest.fixture(scope="module")
def newcomer(bare_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    """Somebody with an empty folder, who comes to the tutorial by the README."""
    return Newcomer(Project(tmp_path_factory.mktemp("newcomer"), bare_python))


def test_the_first_job_of_ones_own_runs_by_the_words_of_the_readme(newcomer: Newcomer) -> None:
    newcomer.follow_the_readme()


def test_the_tutorial_shows_what_it_says(newcomer: Newcomer) -> None:
    if not (newcomer.project.folder / "shop").exists():  # this test runs alone
        newcomer.follow_the_readme()

    printed = newcomer.follow_the_tutorial()

    waiting, errored, mended, taken_over = (text for text in printed if "charge" in text)
    assert "waiting" in waiting
    assert "KeyError: 'item'" in errored
    assert "finished" in mended
    assert "worker lost" in taken_over
    assert "finished" in taken_over
