"""Every supported Python with every supported Django: `make test-all`.

An interpreter that this machine does not have is named, and its session is skipped.
"""

import nox

nox.options.error_on_missing_interpreters = False

# Django 6.0 and later need Python 3.12.
PAIRS = [
    (python, django)
    for python in ("3.11", "3.12", "3.13", "3.14")
    for django in ("5.2", "6.0", "6.1")
    if (python, django[0]) != ("3.11", "6")
]

# As `make test` runs them: what is timed one after the other, and the rest beside each other.
PROCESSES = ("tests/acceptance",)
AT_ONCE = ("--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
REST = (*AT_ONCE, "tests/integration", "tests/unit")


@nox.session
@nox.parametrize("python,django", PAIRS)
def tests(session: nox.Session, django: str) -> None:
    """Run the tests, or those that are named behind `--`."""
    session.install("-r", "requirements-dev.txt", f"Django~={django}.0")
    for named in [session.posargs] if session.posargs else [REST, PROCESSES]:
        session.run("python", "-m", "pytest", *named)
