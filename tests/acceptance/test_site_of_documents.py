"""`make docs`: the documents as a site."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.blocks import DOCUMENTS, ROOT
from tests.project import execute

INDEX = ROOT / "docs" / "index.md"


def build(source: Path, into: Path) -> str:
    """Build a checkout's documents as the Makefile does, and return what it warns of."""
    (line,) = re.findall(r"^\t@\$\(BIN\)/sphinx-build (.+)$", (ROOT / "Makefile").read_text(), re.M)
    options = line.replace("build/", f"{into}/").split()
    return execute(sys.executable, "-m", "sphinx", *options, cwd=source)


def test_the_documents_build_without_a_warning_and_link_to_each_other(tmp_path: Path) -> None:
    build(ROOT, tmp_path)

    site = tmp_path / "docs"
    assert f"{INDEX.stem}.html" in (site / "index.html").read_text()
    for path in DOCUMENTS:
        assert (site / path.relative_to(ROOT)).with_suffix(".html").exists()
    contents = (site / "docs" / "glossary.html").read_text()
    assert 'href="../SECURITY.html"' in contents
    reference = (site / "docs" / "reference.html").read_text()
    assert 'id="programs.submission.create_program"' in reference
