"""What keeps the house in order: hooks at each commit, proposals of newer dependencies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADER = "test(*): see what the hooks say"


class Checkout:
    """A repository of its own with our hooks turned on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self.environment = {
            **kept,
            **{f"GIT_{who}_NAME": "ada" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "ada@example.org" for who in ("AUTHOR", "COMMITTER")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PRE_COMMIT_HOME": str(folder / "hooks"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        for name in (".pre-commit-config.yaml", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        (folder / ".gitignore").write_text(".venv\nhooks\n")
        shutil.copytree(ROOT / ".githooks", folder / ".githooks")
        (folder / ".venv").symlink_to(sys.prefix)
        assert self.run("git", "init", "--quiet").returncode == 0
        assert self.run("pre-commit", "install").returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    def commit(self, name: str, text: str, message: str = HEADER) -> str:
        """Return what is said against committing a file; empty if nothing is."""
        (self.folder / name).write_text(text)
        self.run("git", "add", name)
        done = self.run("git", "commit", "--quiet", "--message", message)
        return done.stdout if done.returncode else ""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


def test_a_commit_in_order_is_let_through(checkout: Checkout) -> None:
    assert checkout.commit("fine.py", "ANSWER = 42\n") == ""


@pytest.mark.parametrize(
    ("name", "text", "message", "hook"),
    [
        ("unused.py", "import os\n", HEADER, "ruff check"),
        ("shape.py", "a=1\n", HEADER, "ruff format"),
        ("blank.md", "text \n", HEADER, "no whitespace"),
        ("fine.md", "text\n", "I changed something", "the form of the commit message"),
    ],
)
def test_what_is_not_in_order_is_held_back(
    checkout: Checkout, name: str, text: str, message: str, hook: str
) -> None:
    told = checkout.commit(name, text, message)

    assert any(hook in line and "Failed" in line for line in told.splitlines()), told
    checkout.run("git", "rm", "--quiet", "--force", name)


def test_proposals_of_newer_dependencies_have_the_form_of_our_messages(tmp_path: Path) -> None:
    config = json.loads((ROOT / "renovate.json").read_text())
    message = tmp_path / "message"
    kind, scope = config["semanticCommitType"], config["semanticCommitScope"]
    message.write_text(f"{kind}({scope}): update dependency django to v7\n")
    hook = [sys.executable, str(ROOT / ".githooks" / "commit-msg"), str(message)]
    assert subprocess.run(hook, timeout=30, check=False).returncode == 0
