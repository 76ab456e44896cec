"""The blocks of code in the documents: all of them, in the order in which they stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])  # those of the site
EVERY_DOCUMENT = [*DOCUMENTS, ROOT / "benchmarks" / "README.md"]

# A fence with its language, or a comment that readers do not see: Python that looks at what the
# blocks before it did.
PIECE = re.compile(
    r"^(?P<indent>[ ]*)```(?P<language>\S*)\n(?P<code>.*?)^(?P=indent)```$"
    r"|^<!-- check\n(?P<check>.*?)-->",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One block: where it stands, its language, and what it says."""

    path: Path
    line: int  # of its first line of code
    language: str
    code: str

    @property
    def padded(self) -> str:
        """Return the code behind so many empty lines that an error names the document's line."""
        return "\n" * (self.line - 1) + self.code

    @property
    def is_of_settings(self) -> bool:
        """Tell whether it is Python that changes settings or URLs, and nothing else."""
        if self.language != "python":
            return False
        rest = [
            statement
            for statement in ast.parse(self.code).body
            if not isinstance(statement, (ast.Import, ast.ImportFrom))
        ]
        return bool(rest) and all(_sets(statement) for statement in rest)

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


def _sets(statement: ast.stmt) -> bool:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign):
        targets = [statement.target]
    names = [
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    ]
    return bool(names) and all(name.isupper() or name == "urlpatterns" for name in names)


def blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of one document."""
    text = path.read_text()
    for found in PIECE.finditer(text):
        group = "code" if found["check"] is None else "check"
        line = text.count("\n", 0, found.start(group)) + 1
        yield Block(path, line, found["language"] or group, dedent(found[group]))


def all_blocks(*languages: str) -> list[Block]:
    """Return the blocks of all documents in these languages."""
    return [
        block for path in EVERY_DOCUMENT for block in blocks(path) if block.language in languages
    ]


def each(*languages: str) -> pytest.MarkDecorator:
    """Let a test take each block in these languages, as `block`."""
    return pytest.mark.parametrize("block", all_blocks(*languages), ids=str)
