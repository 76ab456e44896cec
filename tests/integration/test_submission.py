"""Creating programs: what is refused, what is kept, and what is hinted."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from inspect import signature

import pytest
from django.db import connections, transaction
from django.db.models.signals import post_save, pre_save

from programs import operations, signals, specification, submission
from programs.conf import settings as executor_settings
from programs.errors import IdempotencyConflict, InvalidProgram
from programs.models import Program, State, Worker, creating
from programs.submission import create_program, create_programs
from tests.running import claim, fresh, listening, on_server, on_sqlite, run

pytestmark = pytest.mark.usefixtures("bookkeeping")


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The hints that were handed to the publisher."""
    hints: list[tuple[str, str]] = []
    monkeypatch.setattr(submission, "publish", lambda run_id, queue: hints.append((run_id, queue)))
    return hints


@pytest.mark.invariant(12)
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"jobs": []}, "jobs"),
        ({"jobs": "noop"}, "jobs"),
        ({"jobs": None}, "jobs"),
        ({"jobs": {"noop"}}, "jobs"),
        ({"jobs": ["noop", 7]}, "jobs[1]"),
        ({"jobs": ["noop", ""]}, "jobs[1]"),
        ({"jobs": ["n" * 256]}, "jobs[0]"),
        ({"jobs": ["no\0op"]}, "jobs[0]"),
        ({"jobs": ["noop", "unheard_of"]}, "jobs"),
        ({"jobs": ["noop"] * 1001}, "jobs"),
        ({"jobs": ["noop"], "program_data": []}, "program_data"),
        ({"jobs": ["noop"], "program_data": "{}"}, "program_data"),
        ({"jobs": ["noop"], "program_data": {"x": float("nan")}}, "program_data"),
        ({"jobs": ["noop"], "program_data": {"x": float("inf")}}, "program_data"),
        ({"jobs": ["noop"], "program_data": {"x": datetime.now(UTC)}}, "program_data"),
        ({"jobs": ["noop"], "program_data": {"x": "y" * 1024 * 1024}}, "program_data"),
        ({"jobs": ["noop"], "program_data": {"x": 10**5000}}, "program_data"),
        ({"jobs": ["noop"], "job_data": {"other": {}}}, "job_data"),
        ({"jobs": ["noop"], "job_data": {"noop": 1}}, "job_data.noop"),
        ({"jobs": ["noop"], "job_data": []}, "job_data"),
        ({"jobs": ["noop"], "jobsData": {"noop": {}}}, "job_data"),
        ({"jobs": ["noop"], "run_at": datetime(2026, 1, 1)}, "run_at"),  # noqa: DTZ001
        ({"jobs": ["noop"], "run_at": "tomorrow"}, "run_at"),
        ({"jobs": ["noop"], "queue": ""}, "queue"),
        ({"jobs": ["noop"], "queue": "q" * 101}, "queue"),
        ({"jobs": ["noop"], "queue": None}, "queue"),
        ({"jobs": ["noop"], "idempotency_key": ""}, "idempotency_key"),
        ({"jobs": ["noop"], "idempotency_key": 7}, "idempotency_key"),
        ({"jobs": ["noop"], "created_by": "a" * 256}, "created_by"),
    ],
)
def test_bad_input_is_refused_with_the_name_of_the_field(given: dict, field: str) -> None:
    with pytest.raises(InvalidProgram) as refused:
        create_program(**given)
    assert refused.value.field == field
    assert Program.objects.count() == 0


@pytest.mark.parametrize("levels", [101, 600, 100_000])
def test_data_that_nests_too_deeply_is_refused(levels: int) -> None:
    value: dict = {}
    for _ in range(levels - 1):
        value = {"a": value}
    with pytest.raises(InvalidProgram, match=r"program_data: is nested more than (100|30) levels"):
        create_program(["noop"], value)


def test_data_that_nests_as_deeply_as_may_be_runs() -> None:
    value: dict = {}
    for _ in range(executor_settings.data_levels - 1):
        value = {"a": value}
    assert run("count", program_data=value).state is State.FINISHED


def test_a_new_program_can_be_read_like_any_other() -> None:
    program = create_program(["noop"])
    assert program.state is State.WAITING
    assert program.due_at == fresh(program).due_at


def test_what_databases_refuse_in_texts_is_replaced_and_nothing_else() -> None:
    text = "zero \0 lone \ud800 slash \\u0000 both \\\0 café 🚀"
    program = fresh(create_program(["noop"], {text: text}))
    expected = "zero \ufffd lone \ufffd slash \\u0000 both \\\ufffd café 🚀"
    ((key, value),) = program.program_data.items()
    assert key == value == expected


def test_the_given_data_is_copied() -> None:
    data = {"list": [1]}
    program = create_program(["noop"], data)
    data["list"].append(2)
    assert program.program_data == {"list": [1]}


@pytest.mark.invariant(1)
def test_a_program_rolled_back_is_neither_there_nor_hinted(published: list) -> None:
    with pytest.raises(RuntimeError), transaction.atomic(using=executor_settings.DATABASE):
        create_program(["noop"])
        raise RuntimeError("changed my mind")
    assert Program.objects.count() == 0
    assert published == []


@pytest.mark.invariant(1)
def test_a_program_is_hinted_once_its_transaction_has_committed(published: list) -> None:
    with transaction.atomic(using=executor_settings.DATABASE):
        program = create_program(["noop"], queue="reports")
        assert published == []
    assert published == [(program.run_id, "reports")]


@pytest.mark.invariant(6)
def test_a_program_for_later_is_not_hinted_and_not_claimed_before_its_time(
    published: list,
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    program = create_program(["noop"], run_at=tomorrow)
    assert published == []
    assert fresh(program).state is State.SCHEDULED
    assert fresh(program).due_at == fresh(program).run_at == tomorrow
    assert claim(program) is None


def test_a_run_at_in_the_past_is_due_at_once() -> None:
    program = create_program(["noop"], run_at=datetime.now(UTC) - timedelta(days=1))
    assert claim(program) is not None


@on_server
def test_many_programs_are_created_in_few_statements(
    bookkeeping: str, published, django_assert_num_queries
) -> None:
    # BEGIN, 2, COMMIT; elsewhere Django asks for the time before, and on MySQL for the keys behind
    features = connections[bookkeeping].features
    statements = 4 if connections[bookkeeping].vendor == "postgresql" else 5
    statements += 0 if features.can_return_rows_from_bulk_insert else 2
    with django_assert_num_queries(statements, using=bookkeeping):
        created = create_programs({"jobs": ["noop"], "program_data": {"n": n}} for n in range(900))
    assert [program.program_data["n"] for program in created] == list(range(900))
    assert len({program.run_id for program in created}) == 900
    assert [run_id for run_id, _ in published] == [program.run_id for program in created]


LITTLE = {"jobs": ["noop"]}
# All that can be given: a column that is forgotten would be lost.
MUCH = {
    "jobs": ["noop", "count"],
    "program_data": {"a": [1, "ä%s", None, {"b": True}]},
    "job_data": {"count": {"n": 7}},
    "queue": "night",
    "run_at": datetime(2026, 11, 24, 3, 4, 5, 678901, tzinfo=UTC),
    "idempotency_key": "night-7",
    "created_by": "Ada",
    "definition": "orders",
}
OWN = {"id", "run_id", "created_at", "updated_at", "due_at", "idempotency_key"}  # of each row


def columns(program: Program) -> dict[str, object]:
    return {field.attname: getattr(program, field.attname) for field in program._meta.fields}


@pytest.mark.parametrize("given", [LITTLE, MUCH], ids=["little", "much"])
@pytest.mark.parametrize("number", [1, 3])
def test_what_is_stored_is_what_django_would_store(
    bookkeeping: str, given: dict, number: int
) -> None:
    def unsaved(**values: object) -> Program:
        program = specification.checked(bookkeeping, **values)
        program.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        return program

    ours = unsaved(**given)
    if number == 1:
        creating.store(ours, bookkeeping)
    else:
        with transaction.atomic(using=bookkeeping):
            creating.store_all([unsaved(**LITTLE), ours, unsaved(**LITTLE)], bookkeeping)
    other_key = {"idempotency_key": "night-8"} if "idempotency_key" in given else {}
    djangos = unsaved(**{**given, **other_key})
    djangos.save(using=bookkeeping)

    row, expected = columns(fresh(ours)), columns(fresh(djangos))
    assert {name: row[name] for name in row if name not in OWN} == {
        name: expected[name] for name in expected if name not in OWN
    }
    assert row["idempotency_key"] == given.get("idempotency_key")
    assert row["created_at"] == row["updated_at"]
    assert row["due_at"] == given.get("run_at", row["created_at"])


def test_what_is_compared_with_django_is_all_that_can_be_given() -> None:
    assert MUCH.keys() == signature(specification.checked).parameters.keys() - {"using"}


@pytest.mark.parametrize("number", [1, 3])
def test_the_instance_knows_all_of_its_row(bookkeeping: str, number: int) -> None:
    given = {name: value for name, value in MUCH.items() if name in specification.FIELDS}
    ours = create_program(**given) if number == 1 else create_programs([LITTLE, given, LITTLE])[1]

    assert columns(ours) == columns(fresh(ours))
    assert not ours._state.adding
    assert ours.alias == bookkeeping


def test_listeners_of_django_hear_of_one_new_program(bookkeeping: str) -> None:
    heard = []

    def before(instance: Program, **sent: object) -> None:
        heard.append((instance.pk, sent["using"]))

    def after(instance: Program, **sent: object) -> None:
        heard.append((instance.pk, sent["created"]))

    with listening(pre_save, before), listening(post_save, after):
        program = create_program(["noop"])

    assert heard == [(None, bookkeeping), (program.pk, True)]


def test_of_many_programs_all_are_created_or_none(published: list) -> None:
    with pytest.raises(InvalidProgram) as refused:
        create_programs([{"jobs": ["noop"]}, {"jobs": ["noop"], "program_data": 1}])
    assert refused.value.field == "[1].program_data"
    with pytest.raises(InvalidProgram, match=r"\[0\]\.job_data: is the name"):
        create_programs([{"jobs": ["noop"], "jobsData": {}}])
    with pytest.raises(InvalidProgram, match=r"\[0\]\.jobs"):
        create_programs([{}])
    assert Program.objects.count() == 0
    assert published == []


def test_the_same_key_and_content_returns_the_first_program(published: list) -> None:
    first = create_program(["noop"], {"a": 1}, idempotency_key="night-7")
    second = create_program(["noop"], {"a": 1}, idempotency_key="night-7")
    assert second == first
    assert len(published) == 1


def test_the_same_key_with_other_content_is_a_conflict() -> None:
    first = create_program(["noop"], {"a": 1}, idempotency_key="night-7")
    with pytest.raises(IdempotencyConflict, match=first.run_id):
        create_program(["noop"], {"a": 2}, idempotency_key="night-7")
    with pytest.raises(IdempotencyConflict):
        create_programs([{"jobs": ["noop"], "idempotency_key": "night-7"}])
    assert Program.objects.count() == 1


def test_a_key_is_kept_while_the_program_changes_its_data() -> None:
    first = create_program(["count"], job_data={"count": {"n": 1}}, idempotency_key="k")
    Program.objects.update(job_data={"count": {"n": 9}}, step=0)
    again = create_program(["count"], job_data={"count": {"n": 1}}, idempotency_key="k")
    assert again == first


def test_a_key_that_was_rolled_back_is_free() -> None:
    using = executor_settings.DATABASE
    with pytest.raises(RuntimeError), transaction.atomic(using=using):
        create_program(["noop"], idempotency_key="k")
        raise RuntimeError
    assert create_program(["noop"], {"other": 1}, idempotency_key="k").pk


@on_server
def test_of_many_creations_with_one_key_at_once_one_program_comes() -> None:
    start, created = threading.Barrier(6), []

    def create() -> None:
        start.wait()
        created.append(create_program(["noop"], idempotency_key="k").run_id)
        connections.close_all()

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(created) == 6
    assert len(set(created)) == 1


def test_a_job_that_a_live_worker_knows_is_accepted_where_it_is_not_registered() -> None:
    given = {"host": "h", "pid": 1, "queues": ["default"], "slots": 1, "version": "1"}
    Worker.register(name="w", jobs=["elsewhere"], **given)
    assert create_program(["noop", "elsewhere"]).pk
    with pytest.raises(InvalidProgram, match="nowhere"):
        create_program(["nowhere"])


def test_a_process_without_any_jobs_accepts_names_that_nobody_can_check(monkeypatch) -> None:
    monkeypatch.setattr("programs.registry._jobs", {})
    assert create_program(["elsewhere"]).pk


def test_a_listener_that_fails_and_has_no_name_fails_nobody_else() -> None:
    def listen(number: int, **sent: object) -> None:
        raise ZeroDivisionError

    nameless = partial(listen, 1)
    with (
        listening(signals.program_created, nameless),
        listening(signals.program_stopped, nameless),
    ):
        program = create_program(["noop"])
        operations.stop_program(program)

    assert fresh(program).state is State.STOPPED


@on_sqlite  # PostgreSQL would not even tell the key of its row
def test_the_moment_of_a_creation_is_known_where_the_database_returns_nothing(
    bookkeeping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connections[bookkeeping]
    monkeypatch.setattr(connection.features, "can_return_columns_from_insert", False)

    program = create_program(["noop"])

    stored = fresh(program)
    assert (program.created_at, program.due_at) == (stored.created_at, stored.created_at)
    assert program.updated_at == stored.updated_at
