"""What the commands for operators have in common: how they end, and how they say so."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import Error as DatabaseError

from programs.conf import settings
from programs.errors import InvalidProgram, ProgramExecutorError, ProgramNotFound
from programs.legibility import in_one_line, legible
from programs.models import Program, State
from programs.worker.database import prepare_connections

# Exit statuses. What Python's argparse refuses ends with 2.
WRONG, ERRORED, STOPPED, TIMED_OUT = 1, 3, 4, 5
INTERRUPTED, BROKEN_PIPE = 130, 141  # as shells tell of the signals
ENDINGS = "exit status: 0 finished, 3 errored, 4 stopped, 5 not ended in time, 1 anything else"

AWAY = "see that it can be reached, and that `python manage.py migrate` was run"
LOCKED = "somebody has locked what is asked for: try again"

# The options that say what `create_program` and its like call otherwise.
OPTIONS = {"jobs": "JOB", "program_data": "--data", "created_by": "--by"}


class OperatorCommand(BaseCommand):
    """A command that ends without a traceback: what it may meet is told in one line.

    Subclasses write `act`, which gets the options by their names.
    """

    requires_system_checks = ()  # a warning about settings is nothing that scripts wait for
    named: ClassVar[Mapping[str, str]] = OPTIONS  # what the engine's arguments are called here

    def act(self, *args: Any, **options: Any) -> None:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.act(**options)
        except InvalidProgram as error:
            lines = (in_one_line(self._by_option(*each)) for each in error.errors)
            raise CommandError("\n".join(lines)) from error
        except ProgramExecutorError as error:
            raise CommandError(legible(error)) from error
        except DatabaseError as error:
            first = str(error).strip().partition("\n")[0]
            hint = LOCKED if "timeout" in first else AWAY
            told = f"the database {settings.DATABASE!r}: {legible(first)}; {hint}"
            raise CommandError(told) from error

    def run_from_argv(self, argv: Sequence[str]) -> None:
        prepare_connections()  # a monitor must not hang where packets vanish
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed, as by `>&-`: nobody wants to read it
                nowhere = open(os.devnull, "w")  # noqa: SIM115 (until the process ends)
                setattr(sys, name, nowhere)
                setattr(self, name, OutputWrapper(nowhere))
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a terminal may not have all letters
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                super().run_from_argv(list(argv))
            finally:
                sys.stdout.flush()
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # `| head` has seen enough
            _drop_output()
            sys.exit(BROKEN_PIPE)
        except OSError as error:  # a full disk
            _drop_output()
            sys.stderr.write(f"standard output cannot be written: {error.strerror}\n")
            sys.exit(WRONG)

    def say(self, line: str) -> None:
        """Write a line to standard output, for whoever reads along."""
        self.stdout.write(line)
        self.stdout.flush()

    def note(self, line: str) -> None:
        """Write a line to standard error, where it is in no script's way."""
        self.stderr.write(line, str)  # as it is: a note is no error, and not red

    def show_progress(self, text: str) -> None:
        """Put `text` in the place of what stood in the terminal's line before."""
        if self.is_watched:
            self.stderr.write(f"\r{text}", str, ending="")
            self.stderr.flush()

    def _by_option(self, field: str, reason: str) -> str:
        """Name the option in the place of the argument that the engine names."""
        name = re.split(r"[.\[]", field)[0]
        option = self.named.get(name, f"--{name.replace('_', '-')}")
        place = "" if f"--{field.replace('_', '-')}" == option else f" ({field})"
        return f"{option}{place}: {reason}"

    @property
    def is_watched(self) -> bool:
        """Whether standard error is a terminal, on which progress is shown."""
        return cast("TextIO", self.stderr).isatty()


def _drop_output() -> None:
    """Let what is still to be written vanish: Python would fail at it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def find(run_id: str) -> Program:
    """Return the program of this run id."""
    program = Program.objects.filter(run_id=run_id).first()
    if program is None:
        raise ProgramNotFound(f"there is no program with the run id {run_id!r}")
    return program


def tell_ending(program: Program) -> None:
    """End the command as the program stands: with 0 only if it is finished."""
    state = program.state
    if state is State.FINISHED:
        return
    where = f"program {program} is {state.label} at step {program.step + 1} of {len(program.jobs)}"
    if state is State.ERRORED:
        raise CommandError(legible(f"{where}: {program.error_message}"), returncode=ERRORED)
    if state is State.STOPPED:
        raise CommandError(legible(where), returncode=STOPPED)
    raise CommandError(legible(f"{where}: it has not ended in time"), returncode=TIMED_OUT)
