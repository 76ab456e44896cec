"""Programs of Program Executor JS, taken over from its own table, made and filled as it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from programs.management import importing, original_table
from programs.models import Program, State
from tests.commands import Done, manage
from tests.node import insert, insert_row
from tests.running import carry, claim, fresh, on_sqlite
from tests.site import connect, disconnect

TABLE = "js_programs"
NODE = "node"  # the alias of another database, where Node has its table
DAY = datetime(2024, 2, 29, 12, 0, 0, 123000, tzinfo=UTC)

# As knex makes it on PostgreSQL, and its like elsewhere.
AS_ON_POSTGRESQL = f"""
    CREATE TABLE {TABLE} (
        id serial PRIMARY KEY,
        run_id varchar(255) NOT NULL,
        jobs jsonb NOT NULL,
        step integer,
        finished_at timestamptz,
        errored_at timestamptz,
        error_message varchar(255),
        step_retry_count integer DEFAULT 0,
        job_data jsonb DEFAULT ('{{}}'),
        program_data jsonb DEFAULT ('{{}}'),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    )"""
OTHERWISE = {
    "sqlite": {"serial": "integer", "now()": "CURRENT_TIMESTAMP"},
    "mysql": {"jsonb": "json", "timestamptz": "datetime(6)", "now()": "CURRENT_TIMESTAMP(6)"},
}


def execute(alias: str, *statements: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def js(bookkeeping: str) -> Iterator[str]:
    """The alias of the database in which the original's table stands beside ours."""
    make_table(bookkeeping)
    yield bookkeeping
    execute(bookkeeping, f"DROP TABLE {TABLE}")


def make_table(alias: str) -> None:
    made = AS_ON_POSTGRESQL
    for there, here in OTHERWISE.get(connections[alias].vendor, {}).items():
        made = made.replace(there, here)
    execute(alias, f"DROP TABLE IF EXISTS {TABLE}", made)


def put(alias: str, run_id: str, *jobs: str, **given: Any) -> None:
    insert(alias, run_id, *jobs, table=TABLE, **given)


def stored(alias: str, run_id: str, *columns: str) -> tuple[Any, ...]:
    """Return what the original's row holds now."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM {TABLE} WHERE run_id = %s", [run_id])
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def take_over(*options: str) -> Done:
    return manage("importprograms", "--from-table", TABLE, *options)


def counts(done: Done) -> dict[str, str]:
    return dict(line.split(": ") for line in done.lines if ": " in line)


# What has ended --------------------------------------------------------------------------------


def test_what_has_ended_is_here_with_all_that_its_row_held(js: str) -> None:
    put(
        *(js, "r1", "noop", "gone"),
        step=1,
        program_data={"shop": 7},
        job_data={"gone": {"page": 3}},
        finished_at=DAY,
        created_at=DAY,
    )
    put(js, "r2", "gone", errored_at=DAY, error_message="it broke", step_retry_count=2)

    done = take_over()

    assert done.status == 0, done.err
    assert done.lines[-1] == "2 programs imported"
    finished, errored = Program.objects.get(run_id="r1"), Program.objects.get(run_id="r2")
    assert (finished.state, finished.step, finished.jobs) == (State.FINISHED, 1, ["noop", "gone"])
    assert (finished.program_data, finished.job_data) == ({"shop": 7}, {"gone": {"page": 3}})
    assert (finished.finished_at, finished.created_at, finished.due_at) == (DAY, DAY, None)
    assert (errored.state, errored.error_message) == (State.ERRORED, "it broke")
    assert (errored.step_retry_count, errored.queue) == (2, "default")


def test_a_second_run_finds_all_of_it_here(js: str) -> None:
    put(js, "r1", "noop", finished_at=DAY)
    put(js, "r2", "noop")
    assert take_over("--open").status == 0
    before = list(Program.objects.order_by("run_id").values())

    again = take_over("--open")

    assert counts(again)["here already"] == "2"
    assert again.lines[-1] == "0 programs imported"
    assert list(Program.objects.order_by("run_id").values()) == before


def test_a_dry_run_counts_the_same_and_changes_nothing(js: str) -> None:
    put(js, "r1", "noop", finished_at=DAY)
    put(js, "r2", "noop")

    tried = take_over("--open", "--dry-run")

    assert not Program.objects.exists()
    assert stored(js, "r2", "errored_at") == (None,)
    assert tried.lines[-1] == "2 programs would be imported"
    assert counts(tried) == counts(take_over("--open"))


def test_more_rows_than_one_batch_are_all_taken(js: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(original_table, "BATCH", 3)
    for number in range(10):
        put(js, f"r{number}", "noop", finished_at=DAY)

    assert take_over().lines[-1] == "10 programs imported"
    assert Program.objects.count() == 10


# What is open ----------------------------------------------------------------------------------


def test_open_ones_stay_nodes_unless_they_are_asked_for(js: str) -> None:
    put(js, "r1", "noop")

    done = take_over()

    assert done.status == 0
    assert counts(done)["open, left"] == "1"
    assert "end its workers" in done.err
    assert not Program.objects.exists()
    assert stored(js, "r1", "errored_at") == (None,)


def test_an_open_one_is_carried_on_at_its_step_and_thrown_away_by_node(js: str) -> None:
    put(js, "r1", "fail_never", "count", step=1, step_retry_count=4, job_data={"count": {"n": 5}})

    done = take_over("--open")

    assert done.status == 0, done.err
    errored_at, message = stored(js, "r1", "errored_at", "error_message")
    assert errored_at is not None  # by which Node knows that its message is to be thrown away
    assert message == importing.MARK
    program = Program.objects.get(run_id="r1")
    assert (program.state, program.step, program.step_retry_count) == (State.WAITING, 1, 4)
    claimed = claim(program)
    assert claimed is not None
    carry(claimed)
    after = fresh(program)
    assert after.state is State.FINISHED
    assert after.job_data["count"]["n"] == 6
    assert [attempt.step for attempt in after.attempts.all()] == [1]


def test_a_later_import_does_not_take_the_mark_for_an_error(js: str) -> None:
    put(js, "r1", "noop")
    take_over("--open")
    Program.objects.all().delete()  # purged, say

    again = take_over("--open")

    assert counts(again)["here already"] == "1"
    assert not Program.objects.exists()


def test_an_import_that_died_before_the_mark_is_completed(js: str) -> None:
    put(js, "r1", "noop", "count")
    begin(js)
    assert not Program.objects.due("default").exists()
    execute(js, f"UPDATE {TABLE} SET step = 1")  # Node goes on meanwhile

    assert counts(take_over("--open"))["open, carried on"] == "1"

    program = Program.objects.due("default").get()
    assert program.step == 1


def test_an_import_that_died_behind_the_mark_is_completed_without_being_asked(js: str) -> None:
    put(js, "r1", "noop")
    begin(js)
    execute(js, f"UPDATE {TABLE} SET errored_at = created_at, error_message = '{importing.MARK}'")

    assert counts(take_over())["open, carried on"] == "1"

    assert Program.objects.due("default").count() == 1


def test_what_node_ended_after_its_import_had_begun_ends_here(js: str) -> None:
    put(js, "r1", "noop")
    begin(js)
    execute(js, f"UPDATE {TABLE} SET finished_at = created_at")

    assert counts(take_over())["finished"] == "1"

    assert Program.objects.get().state is State.FINISHED


def begin(alias: str) -> None:
    """Let an import die once it has made its copies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing.Import, "_carry_on", lambda self, rows: None)
        take_over("--open")


def test_open_ones_whose_jobs_nobody_knows_stay_where_they_are(js: str) -> None:
    put(js, "r1", "charge", "noop", step=1)  # what is over need not be known
    put(js, "r2", "noop", "charge", "ship")

    done = take_over("--open")

    assert done.status == 1
    assert counts(done)["open, jobs unknown"] == "1"
    assert "job 'charge' is not known here, and 1 open programs need it" in done.err
    assert stored(js, "r2", "errored_at") == (None,)
    assert [program.run_id for program in Program.objects.all()] == ["r1"]


# What cannot be taken --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("jobs", {"a": 1}, "jobs is no list of names"),
        ("jobs", [], "jobs is no list of names"),
        ("jobs", ["noop", 7], r"jobs\[1\] is no name"),
        ("program_data", [1], "program_data must be a JSON object"),
        ("job_data", {"a": "x" * 2**20}, "job_data is .* bytes long"),
        ("step", -1, "step is no count"),
        ("run_id", "", "run_id has not 1 to 255"),
        ("run_id", "a\nb", "run_id has not 1 to 255"),
    ],
)
def test_what_cannot_be_stored_is_left_out_with_its_reason(
    js: str, column: str, value: Any, told: str
) -> None:
    row = {"run_id": "bad", "jobs": ["noop"], "step": 0, "finished_at": DAY, column: value}
    insert_row(js, TABLE, row)
    put(js, "good", "noop", finished_at=DAY)

    done = take_over()

    assert done.status == 1
    assert re.search(told, done.err), done.err
    assert [program.run_id for program in Program.objects.all()] == ["good"]


def test_nulls_are_what_they_mean(js: str) -> None:
    put(js, "r1", "noop", step=None, job_data=None, step_retry_count=None, finished_at=DAY)

    assert take_over().status == 0

    program = Program.objects.get()
    assert (program.step, program.job_data, program.program_data) == (0, {}, {})


def test_a_run_id_that_occurs_twice_is_told(js: str) -> None:
    put(js, "r1", "noop", finished_at=DAY)
    put(js, "r1", "noop", finished_at=DAY)

    done = take_over()

    assert done.status == 1
    assert "another row has this run_id" in done.err


def test_steps_that_two_chains_counted_end_at_the_last(js: str) -> None:
    put(js, "r1", "noop", "noop", step=3, finished_at=DAY)
    put(js, "r2", "noop", "noop", step=3)

    done = take_over("--open")

    assert Program.objects.get().step == 1
    assert "step is 3, of 2 jobs" in done.err


@on_sqlite
def test_text_that_is_no_json_and_dates_as_nodes_driver_writes_them(js: str) -> None:
    put(js, "r1", "noop", finished_at=1709208000123, created_at="2024-02-29 12:00:00")
    execute(js, f"INSERT INTO {TABLE} (run_id, jobs) VALUES ('r2', 'noop')")
    put(js, "r3", "noop", finished_at="yesterday")

    done = take_over()

    assert Program.objects.get().finished_at == DAY
    assert "jobs is no JSON" in done.err
    assert "finished_at is no moment" in done.err


# Tables and options ----------------------------------------------------------------------------


def test_a_table_that_is_none_of_the_originals_is_refused(bookkeeping: str) -> None:
    done = manage("importprograms", "--from-table", "programs_worker")

    assert done.status == 1
    assert "no column run_id, step, finished_at" in done.err
    assert "--from-table" in done.err


def test_a_table_that_is_not_there_is_refused(bookkeeping: str) -> None:
    done = manage("importprograms", "--from-table", "nothing")

    assert "there is no table 'nothing'" in done.err
    assert "--from-table" in done.err


@pytest.mark.usefixtures("bookkeeping")
def test_a_database_that_is_not_there_is_refused() -> None:
    assert "no alias 'nowhere'" in manage("importprograms", "--from-database", "nowhere").err


def test_the_table_may_stand_in_another_database(bookkeeping: str, tmp_path: Path) -> None:
    connect(f"sqlite:///{tmp_path / 'js.sqlite3'}", NODE)
    make_table(NODE)
    put(NODE, "r1", "noop", finished_at=DAY)
    put(NODE, "r2", "noop")

    done = take_over("--from-database", NODE, "--open")

    assert done.status == 0, done.err
    assert Program.objects.using(bookkeeping).count() == 2
    assert stored(NODE, "r2", "error_message") == (importing.MARK,)
    disconnect(NODE)


def test_a_table_of_an_older_original_has_fewer_columns(js: str) -> None:
    for column in original_table.OPTIONAL:
        execute(js, f"ALTER TABLE {TABLE} DROP COLUMN {column}")
    execute(
        js,
        f"INSERT INTO {TABLE} (run_id, jobs, step, finished_at) "
        f"""VALUES ('r1', '["noop"]', 0, '2024-02-29 12:00:00')""",
    )

    assert take_over().status == 0
    assert Program.objects.get().state is State.FINISHED


def test_what_node_left_in_our_own_table_is_adopted_once_that_is_asked_for(
    bookkeeping: str,
) -> None:
    lost = Program.objects.create(run_id="r1", jobs=["noop"], queue=None)
    Program.objects.create(run_id="r2", jobs=["charge"], queue=None)
    Program.objects.create(run_id="r3", jobs=["noop"], queue=None, finished_at=DAY)

    looked = manage("importprograms")
    assert (counts(looked)["open, left"], fresh(lost).due_at) == ("2", None)
    done = manage("importprograms", "--open", "--queue", "from_node")

    assert done.status == 1
    assert "job 'charge' is not known here" in done.err
    assert [each.run_id for each in Program.objects.due("from_node")] == ["r1"]
