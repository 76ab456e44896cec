"""The programs of the demonstration: one real, watched to its end, and others to look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import transaction

from jobs.airports import PROGRAM
from jobs.airports.definition import NAME
from programs.data import JsonObject
from programs.definition import start_program
from programs.models import Attempt, Ending, Program, Schedule, State
from programs.models.state import ENDED
from programs.operations import pause_program, stop_program
from programs.scheduling import create_schedule
from programs.submission import create_program

US = "make run"


def run_real_program(watch: Callable[[], None], say: Callable[[str], None]) -> None:
    """Create the program of the airports and tell of each attempt until the program has ended."""
    program = start_program(NAME, created_by=US)
    say(f"A real program, the airports of the world, as {program.run_id}:")
    told = 0
    while True:
        program.refresh_from_db()  # before the attempts: its end is told after all of them
        for attempt in program.attempts.filter(pk__gt=told).order_by("pk"):
            say(f"  {line(attempt, program.data_of(attempt.job))}")
            told = attempt.pk
        if program.state in ENDED:
            break
        watch()
    if program.state is State.FINISHED:
        say(f"Its report: {Path(program.data_of(PROGRAM[-1])['report']).as_uri()}\n")
    else:
        say(f"It ended {program.state.label}: {program.error_message or 'by an operator'}\n")


def line(attempt: Attempt, data: JsonObject) -> str:
    """Return an attempt in one line: its job, its outcome with the job's counts, its seconds."""
    text = attempt.message or ", ".join(
        f"{value:,} {name}" for name, value in data.items() if isinstance(value, int)
    )
    outcome = "done" if attempt.outcome == Ending.SUCCEEDED else attempt.outcome
    started_at = attempt.started_at or attempt.ended_at
    seconds = (attempt.ended_at - started_at).total_seconds()
    return f"{attempt.job:<19} {outcome:<9} {seconds:5.2f} s  {text}".rstrip()


def create_examples(say: Callable[[str], None]) -> None:
    """Create programs in all states, so that the console has something to show."""

    def example(
        what: str, jobs: list[str], data: JsonObject, run_at: datetime | None = None
    ) -> Program:
        program = create_program(jobs, data, run_at=run_at, created_by=US)
        say(f"  {program.run_id}  {what}")
        return program

    say("More programs for the console:")
    example("fails at its second job", ["succeed", "fail", "succeed"], {"message": "out of paper"})
    example("fails, which is ignored", ["succeed", "ignore"], {"message": "nobody subscribed"})
    example("is retried every 20 s", ["retry_n_times", "succeed"], {"times": 9, "delay": 20})
    example("sleeps for a minute", ["sleep", "succeed"], {"seconds": 60})
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    example("starts in an hour", ["succeed"], {}, in_an_hour)
    with transaction.atomic():  # no worker sees it before it is paused
        program = example("is paused", ["succeed", "sleep"], {})
        pause_program(program, by=US, reason="to be resumed in the console")
    program = example("is stopped", ["sleep", "succeed"], {"seconds": 60})
    stop_program(program, by=US, reason="to show a program that was stopped")
    if not Schedule.objects.filter(definition=NAME).exists():  # another run of this made it
        create_schedule(
            NAME,
            cron="30 2 * * *",
            time_zone="Europe/Berlin",
            description="The airports, every night",
            by=US,
        )
    say(f"And a schedule that starts the definition {NAME} every night.")
    say("")
