"""How `make docs` builds the documents into a site: those in docs/, and those in the root.

The root of the checkout is Sphinx's source folder, so that a link that a code host follows is
followed here as well. What stands where in the contents is read off the lists of links in
index.md; a document that no list names fails the build.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import django
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent

# The reference is made from the docstrings, so the code is imported: with settings of no machine's.
sys.path.insert(0, str(ROOT))
os.environ.update(
    DJANGO_SETTINGS_MODULE="executor_project.settings",
    DEBUG="1",
    DATABASE_URL="sqlite://:memory:",
    AMQP_URL="",
)
django.setup()

from programs import __version__  # noqa: E402 (the path leads to it)

project = "Program Executor"
author = "Program Executor contributors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "build", "dist", "htmlcov", "media", "node_modules", "staticfiles"]

myst_heading_anchors = 6  # the anchors that code hosts make
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header"]  # an answer that is told of may begin below the first level

# Docstrings say `this` for code, as the documents do.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "furo"
html_title = f"{project} {release}"
html_favicon = "../static/favicon.svg"
html_copy_source = False
html_show_sphinx = False

SECTION = re.compile(r"^## (?P<caption>.+)\n(?P<body>(?:(?!## ).*\n?)*)", re.MULTILINE)
PAGE = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<path>[\w./-]+)\.md\)", re.MULTILINE)
CHECK = re.compile(r"^<!-- check\n.*?-->", re.MULTILINE | re.DOTALL)


def add_contents(app: Sphinx, document: str, source: list[str]) -> None:
    """Add to the index the contents that its lists of links say, a part for each heading."""
    if document != root_doc:
        return
    for section in SECTION.finditer(source[0]):
        pages = PAGE.findall(section["body"])
        if pages:
            listed = "\n".join(f"{title} <{path}>" for title, path in pages)
            source[0] += (
                f"\n```{{toctree}}\n:hidden:\n:caption: {section['caption']}\n\n{listed}\n```\n"
            )


def leave_out_what_tests_read(app: Sphinx, document: str, source: list[str]) -> None:
    """Put empty lines in the place of the checks behind blocks of code."""
    source[0] = CHECK.sub(lambda found: "\n" * found[0].count("\n"), source[0])


def lead_to_the_index(app: Sphinx, failure: Exception | None) -> None:
    """Let the site's address lead to the index, which is a folder below."""
    page = f'<meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
    (Path(app.outdir) / "index.html").write_text(page)


def setup(app: Sphinx) -> None:
    app.connect("source-read", leave_out_what_tests_read)
    app.connect("source-read", add_contents)
    app.connect("build-finished", lead_to_the_index)
