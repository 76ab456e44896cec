"""Django's tasks, run as programs: a backend for `TASKS`, and tasks as jobs of any program."""

from programs.tasks.backend import ProgramsBackend
from programs.tasks.job import retries

__all__ = ["ProgramsBackend", "retries"]
