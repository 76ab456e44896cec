"""What is true of the site: asked from the database and the broker, in time or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.db.backends.utils import CursorWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from programs import operations
from programs.models import Program, Queue, Worker
from programs.models.clock import Utc, now
from programs.monitoring import catalogue as known
from programs.monitoring import reading, site
from programs.monitoring.catalogue import Found
from programs.monitoring.reading import Reading, Unanswered
from programs.submission import create_program, create_programs
from tests.messages import hints, make_classic, send
from tests.running import claimed, on_postgresql
from tests.servers import RabbitMQ
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def found_out_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test hear what another one's database has said."""
    monkeypatch.setattr(site, "_facts", Reading(site.find_out, site.FRESH))
    monkeypatch.setattr(site, "_migrations", Reading(site.find_missing_migrations, 0.0))
    monkeypatch.setattr(site, "_are_applied", False)


# Programs, queues and workers -----------------------------------------------------------------


def test_programs_are_told_by_queue_and_state(bookkeeping: str) -> None:
    create_programs([{"jobs": ["noop"]}] * 3)
    create_program(["noop"], queue="reports")
    create_program(["noop"], run_at=now(bookkeeping) + timedelta(hours=1))
    operations.pause_program(create_program(["noop"], queue="reports"))
    claimed("noop")
    operations.stop_program(claimed("noop", slot="tests/1.2"))

    found = site.find_out()[known.OPEN]

    counted = {key: number for key, number in found.items() if number}
    assert counted == {
        ("default", "waiting"): 3,
        ("default", "scheduled"): 1,
        ("default", "running"): 1,
        ("default", "stopping"): 1,
        ("reports", "waiting"): 1,
        ("reports", "paused"): 1,
    }


def test_the_age_is_that_of_the_one_that_has_waited_longest(bookkeeping: str) -> None:
    program = create_program(["noop"])
    create_program(["noop"])
    create_program(["noop"], queue="later", run_at=now(bookkeeping) + timedelta(hours=1))
    Program.objects.filter(pk=program.pk).update(due_at=Utc(after=-3600.0))

    found = site.find_out()[known.OLDEST_DUE]

    assert found["default",] == pytest.approx(3600.0, abs=60.0)
    assert found["later",] == 0.0


def test_programs_that_ended_are_told_for_five_minutes(bookkeeping: str) -> None:
    for column, ago in (
        *(("finished_at", 10.0), ("finished_at", 20.0), ("finished_at", 400.0)),
        *(("errored_at", 299.0), ("stopped_at", 3600.0)),
    ):
        program = Program.objects.create(jobs=["noop"])
        Program.objects.filter(pk=program.pk).update(**{column: Utc(after=-ago)})

    found = site.find_out()[known.ENDED_RECENTLY]

    assert found == {("finished",): 2, ("errored",): 1, ("stopped",): 0}


def test_workers_and_pauses_are_told_by_queue(bookkeeping: str) -> None:
    for number, queues in enumerate((["default"], ["default", "reports"])):
        Worker.register(
            name=f"w{number}", host="h", pid=1, queues=queues, slots=8, jobs=[], version="1"
        )
    Worker.register(name="gone", host="h", pid=1, queues=["default"], slots=8, jobs=[], version="1")
    Worker.sign_off("gone")
    Queue.objects.create(name="reports", paused_at=now(bookkeeping))

    found = site.find_out()

    assert found[known.QUEUE_WORKERS] == {("default",): 2, ("reports",): 1}
    assert found[known.QUEUE_PAUSED] == {("default",): False, ("reports",): True}
    assert (found[known.LIVE_WORKERS], found[known.LIVE_SLOTS]) == ({(): 2}, {(): 16})
    assert known.BROKER_UP not in found  # none is configured


def test_a_long_history_costs_no_statement_more_and_is_found_by_indexes(bookkeeping: str) -> None:
    def cost() -> list[str]:
        with CaptureQueriesContext(connections[bookkeeping]) as captured:
            site.find_out()
        return [query["sql"] for query in captured]

    create_program(["noop"])
    before = cost()
    old = create_programs([{"jobs": ["noop"]}] * 2000)
    Program.objects.filter(pk__in=[program.pk for program in old]).update(
        finished_at=Utc(after=-7200.0), due_at=None
    )
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute("ANALYZE TABLE programs" if cursor.db.vendor == "mysql" else "ANALYZE")
        statements = cost()
        assert len(statements) == len(before)
        for statement in statements:
            if cursor.db.ops.quote_name("programs") not in statement:
                continue
            plan = plan_of(statement, cursor)
            assert "_idx" in plan, f"{statement}\n{plan}"


def plan_of(statement: str, cursor: CursorWrapper) -> str:
    """Return how the database goes about a statement: nothing of what it only thought of."""
    vendor = cursor.db.vendor
    cursor.execute(f"EXPLAIN {'QUERY PLAN ' if vendor == 'sqlite' else ''}{statement}")
    names = [column[0] for column in cursor.description]
    left_out = {"possible_keys"}  # of MySQL's, beside the key that it takes
    return "\n".join(
        str([value for name, value in zip(names, row, strict=True) if name not in left_out])
        for row in cursor.fetchall()
    )


# The broker -----------------------------------------------------------------------------------


@pytest.fixture
def broker(rabbitmq: RabbitMQ, settings: Settings, bookkeeping: str) -> str:
    """The broker's name of the queue `default`, new for each test."""
    name = rabbitmq.new_queue("metrics")
    own = {**settings.PROGRAM_EXECUTOR, "AMQP_URL": rabbitmq.url, "QUEUE_NAME": name}
    settings.PROGRAM_EXECUTOR = own
    return name


@on_postgresql
def test_hints_that_nobody_has_taken_are_told(broker: str, rabbitmq: RabbitMQ) -> None:
    Queue.objects.create(name="reports", paused_at=now("postgresql"))
    make_classic(rabbitmq, f"{broker}.reports")
    send(rabbitmq, f"{broker}.reports", *hints("a", "b"))

    found = site.find_out()

    assert found[known.BROKER_UP] == {(): 1}
    assert found[known.BROKER_HINTS] == {("reports",): 2}
    assert found[known.BROKER_CONSUMERS] == {("reports",): 0}


@on_postgresql
def test_a_broker_that_is_away_is_told_and_hides_nothing(broker: str, settings: Settings) -> None:
    Queue.objects.create(name="reports", paused_at=now("postgresql"))
    url = "amqp://127.0.0.1:1/"
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "AMQP_URL": url}

    found = site.find_out()

    assert found[known.BROKER_UP] == {(): 0}
    assert known.BROKER_HINTS not in found
    assert found[known.QUEUE_PAUSED] == {("reports",): True}


# A database that does not answer --------------------------------------------------------------


@on_postgresql
def test_metrics_and_readiness_are_asked_by_a_thread_with_a_connection_of_its_own(
    bookkeeping: str,
) -> None:
    create_program(["noop"])

    found = site.metrics()
    checkup = site.readiness()

    assert found[known.DATABASE_UP] == {(): 1}
    assert found[known.OPEN]["default", "waiting"] == 1
    assert checkup.text == (
        "ready\ndatabase: answers\nmigrations: applied\nbroker: none is configured\n"
    )


@on_postgresql
def test_a_migration_that_is_missing_is_named(bookkeeping: str) -> None:
    recorder = MigrationRecorder(connections[bookkeeping])
    applied = [name for app, name in recorder.applied_migrations() if app == "programs"]
    last = max(applied)
    recorder.record_unapplied("programs", last)
    try:
        checkup = site.readiness()
    finally:
        recorder.record_applied("programs", last)

    assert checkup.status == 503
    assert f"FAILS, 1 not applied, the first is programs.{last}: run `manage.py mi" in checkup.text
    assert eventually(lambda: site.readiness().status == 200)


def test_an_outage_is_one_of_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Found:
        raise OperationalError("could not connect to 10.0.0.7 as programs")

    monkeypatch.setattr(site, "_facts", Reading(fail, 5.0))
    monkeypatch.setattr(site, "_migrations", Reading(fail, 1.0))

    checkup = site.readiness()

    assert site.metrics() == {known.DATABASE_UP: {(): 0}}
    assert checkup.status == 503
    assert "10.0.0.7" not in checkup.text


# Readings -------------------------------------------------------------------------------------


class Slow:
    """A database that answers once it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()

    def find_out(self) -> int:
        self.asked += 1
        number = self.asked
        assert self.may_answer.wait(30)
        return number


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.may_answer.set()


def test_who_asks_waits_no_longer_than_he_can_and_all_wait_for_one(slow: Slow) -> None:
    found = Reading(slow.find_out, fresh=60.0)
    for _ in range(5):
        with pytest.raises(Unanswered, match="within 0.01 s"):
            found.get(within=0.01)

    slow.may_answer.set()

    assert [found.get(within=10) for _ in range(3)] == [1, 1, 1]
    assert slow.asked == 1


def test_an_answer_grows_old(slow: Slow) -> None:
    slow.may_answer.set()
    found = Reading(slow.find_out, fresh=0.0)
    assert [found.get(within=10) for _ in range(3)] == [1, 2, 3]


def test_an_inquiry_that_hangs_is_given_up_but_not_without_end(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HANGING", 0.0)
    found = Reading(slow.find_out, fresh=60.0)

    for _ in range(10):
        with pytest.raises(Unanswered):
            found.get(within=0.01)

    assert slow.asked == 1 + reading.GIVEN_UP_AT_MOST
    slow.may_answer.set()
    assert found.get(within=10) == slow.asked


@on_postgresql
def test_a_connection_that_hangs_is_shut_down(
    bookkeeping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def hang_once() -> int:
        asked.append(1)
        with connections[bookkeeping].cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [600 if len(asked) == 1 else 0])
        return len(asked)

    found = Reading(hang_once, fresh=60.0)
    with pytest.raises(Unanswered):
        found.get(within=0.01)
    inquiry = found._inquiry
    assert inquiry is not None
    eventually(lambda: inquiry._connection is not None and inquiry._connection.connection)

    monkeypatch.setattr(reading, "HANGING", 0.0)

    assert found.get(within=10) == 2
    assert inquiry.done.wait(10)
    assert isinstance(inquiry.error, OperationalError)
    with connections[bookkeeping].cursor() as cursor:  # the server goes on sleeping, unaware
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE 'SELECT pg_sleep(600)' AND pid <> pg_backend_pid()"
        )
