"""What is counted and measured for the overview and the queues, on both databases."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta

import pytest

import programs.admin.overview
from programs.inspection import queues as inspected
from programs.inspection import statistics
from programs.inspection.queues import queues, waiting_since
from programs.inspection.recent import Recent
from programs.inspection.statistics import endings, recent_attempts
from programs.models import Attempt, Ending, Program, Queue
from programs.models.clock import Utc, now
from programs.submission import create_program
from tests.running import claimed, make_due

pytestmark = pytest.mark.usefixtures("bookkeeping")


def ended(column: str, ago: timedelta, using: str) -> None:
    """Insert a program that ended so long ago."""
    at = now(using) - ago
    Program.objects.create(jobs=["noop"], **{column: at})


def attempt(job: str, took: float, outcome: Ending = Ending.SUCCEEDED, **fields: object) -> None:
    """Insert an attempt that took so many seconds."""
    program = Program.objects.first() or create_program(["noop"])
    at = now(program.alias)
    Attempt.objects.create(
        program=program,
        step=0,
        job=job,
        number=1,
        epoch=Attempt.objects.count(),
        worker="w/0.1",
        ended_at=at,
        outcome=outcome,
        **{"started_at": at - timedelta(seconds=took), **fields},
    )


# What ended -----------------------------------------------------------------------------------


def test_endings_are_counted_by_the_minute_and_by_the_quarter(bookkeeping: str) -> None:
    for column, ago in (
        *(("finished_at", timedelta(minutes=5)), ("finished_at", timedelta(minutes=5))),
        *(("errored_at", timedelta(minutes=5)), ("finished_at", timedelta(hours=20))),
        *(("errored_at", timedelta(hours=2)), ("finished_at", timedelta(hours=30))),
    ):
        ended(column, ago, bookkeeping)

    found = endings()

    assert (len(found.minutes), len(found.quarters)) == (60, 96)
    assert sum(minute.finished for minute in found.minutes) == 2
    assert sum(minute.errored for minute in found.minutes) == 1
    assert sum(quarter.finished for quarter in found.quarters) == 3
    assert sum(quarter.errored for quarter in found.quarters) == 2
    five_ago = next(minute for minute in found.minutes if minute.errored)
    assert timedelta(minutes=4) < now(bookkeeping) - five_ago.start <= timedelta(minutes=6)
    assert found.counted_from is None


def test_a_day_with_too_many_endings_is_counted_from_the_minute_that_it_tells(
    bookkeeping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "ENDINGS_COUNTED", 3)
    for hours in range(1, 6):
        ended("finished_at", timedelta(hours=hours), bookkeeping)

    found = endings()

    assert sum(quarter.finished for quarter in found.quarters) == 3
    assert found.counted_from is not None
    assert now(bookkeeping) - found.counted_from < timedelta(hours=4)


# How the jobs did -----------------------------------------------------------------------------


def test_run_times_are_told_by_their_median_and_95th_percentile() -> None:
    for took in range(1, 101):
        attempt("noop", float(took))

    (job,) = recent_attempts().jobs

    assert job.median == pytest.approx(50.5)
    assert job.percentile_95 == pytest.approx(95.0)
    assert job.longest == pytest.approx(100.0)
    assert (job.attempts, job.failures) == (100, 0)


@pytest.mark.parametrize("outcome", list(Ending))
def test_each_outcome_counts_for_what_it_is(outcome: Ending) -> None:
    attempt("behave", 1.0, outcome)

    jobs = recent_attempts().jobs

    failed = {Ending.RETRIED, Ending.ERRORED, Ending.IGNORED, Ending.LOST, Ending.ABANDONED}
    if outcome in (Ending.UNKNOWN, Ending.SKIPPED):  # nothing ran
        assert jobs == []
    else:
        assert [(job.attempts, job.failures) for job in jobs] == [(1, int(outcome in failed))]


def test_one_that_never_started_has_no_time() -> None:
    attempt("noop", 1.0, Ending.LOST, started_at=None)

    (job,) = recent_attempts().jobs

    assert (job.attempts, job.failures, job.median, job.percentile_95) == (1, 1, None, None)


def test_only_the_newest_attempts_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "ATTEMPTS_READ", 2)
    for job in ("old", "new", "newer"):
        attempt(job, 1.0)

    found = recent_attempts()

    assert {job.job for job in found.jobs} == {"new", "newer"}
    assert found.attempts == 2
    assert found.since is not None


# The queues -----------------------------------------------------------------------------------


def test_each_queue_is_found_once_with_its_oldest_due_time() -> None:
    for queue in ("b", "a", "b", "c"):
        create_program(["noop"], queue=queue)
    oldest = create_program(["noop"], queue="b")
    Program.objects.filter(pk=oldest.pk).update(due_at=Utc(after=-3600.0))
    oldest.refresh_from_db()

    found = dict(waiting_since())

    assert list(found) == ["a", "b", "c"]
    assert found["b"] == oldest.due_at
    assert [name for name, _ in waiting_since(limit=2)] == ["a", "b"]


def test_a_queue_tells_what_is_due_scheduled_and_running(bookkeeping: str) -> None:
    claimed("noop", lease=60.0)
    make_due(claimed("noop", slot="w/0.2"))  # its worker is silent: anyone may claim it
    create_program(["noop"])
    create_program(["noop"])
    create_program(["noop"], run_at=datetime.now(UTC) + timedelta(hours=1))
    Queue.objects.create(name="reports", paused_at=now(bookkeeping))

    found = queues()

    default, reports = found.shown
    assert (default.due.number, default.scheduled.number, default.running) == (3, 1, 1)
    assert default.oldest_due_at is not None
    assert (reports.name, reports.due.number, reports.oldest_due_at) == ("reports", 0, None)
    assert reports.paused_at is not None
    assert found.are_all


def test_paused_queues_are_shown_before_those_that_only_wait(
    bookkeeping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspected, "NAMES_AT_MOST", 2)
    for queue in ("a", "b", "c"):
        create_program(["noop"], queue=queue)
    Queue.objects.create(name="z", paused_at=now(bookkeeping))

    found = queues()

    assert [queue.name for queue in found.shown] == ["a", "z"]
    assert not found.are_all


# What is kept for a moment --------------------------------------------------------------------


def test_an_answer_is_kept_for_its_question_alone_and_an_error_is_none() -> None:
    recent, asked = Recent[int](60.0), []

    def find_out(answer: int) -> int:
        asked.append(answer)
        return 10 // answer

    with pytest.raises(ZeroDivisionError):
        recent.get("q", lambda: find_out(0))
    answers = [recent.get("q", lambda: find_out(2)), recent.get("q", lambda: find_out(5))]
    other = recent.get("another", lambda: find_out(1))

    assert (answers, other) == ([5, 5], 10)
    assert asked == [0, 2, 1]


def test_an_old_answer_is_found_out_anew() -> None:
    recent = Recent[int](0.0)

    assert [recent.get("q", lambda: 1), recent.get("q", lambda: 2)] == [1, 2]


def test_the_examples_are_true() -> None:
    result = doctest.testmod(programs.admin.overview)

    assert result.attempted
    assert not result.failed
