"""Calling a command as `manage.py` does, but in the test's own process."""

from __future__ import annotations

from io import StringIO
from typing import NamedTuple

from django.core.management import CommandError, call_command


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Terminal(StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def manage(name: str, *arguments: str, on_terminal: bool = False) -> Done:
    """Run a command; its error is the last of its standard error, as `manage.py` writes it.

    What argparse refuses has the status 1 here: that of the process is 2.
    """
    out, err = StringIO(), Terminal() if on_terminal else StringIO()
    status = 0
    try:
        call_command(name, *arguments, stdout=out, stderr=err)
    except CommandError as error:
        status = error.returncode
        err.write(str(error))
    return Done(status, out.getvalue(), err.getvalue())
