"""Which programs a selection means, and how far one page of it looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from programs.api.listing import Listing
from programs.errors import InvalidProgram
from programs.inspection import Count, Selection, counts, selection
from programs.models import Program, State
from programs.submission import create_program
from tests.console import program_in
from tests.running import fresh

pytestmark = pytest.mark.usefixtures("bookkeeping")

DAY = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = ("100%", "a_b", "%", "_", "\\", "'", '"', "[x]", "*", "é", "日本", "\u202e", "a\\b", "🎉")


def at(day: int, **fields: object) -> Program:
    """Return a program that was created on this day of January, with these columns."""
    program = create_program(["noop"])
    moment = DAY + timedelta(days=day - 1)
    Program.objects.filter(pk=program.pk).update(created_at=moment, **fields)
    return program


def found(wanted: Selection) -> set[str]:
    """Return the run ids of all that match, asked for in each way."""
    listed = {program.run_id for program in wanted.page(100).programs}
    assert listed == {program.run_id for program in wanted.every()}
    assert wanted.count() == Count(len(listed), True)
    return listed


# What is meant --------------------------------------------------------------------------------


def test_without_filters_all_are_meant() -> None:
    assert found(Selection()) == set()
    made = {at(1).run_id, at(2).run_id}
    assert found(Selection()) == made


@pytest.mark.parametrize("state", list(State))
def test_a_state_means_those_that_say_that_they_are_in_it(state: State) -> None:
    programs = {other: program_in(other).run_id for other in State}

    assert found(Selection(state=state)) == {programs[state]}
    assert all(program.state is state for program in Selection(state=state).page(9).programs)
    assert counts() == dict.fromkeys(State, Count(1, True))


@pytest.mark.parametrize("offset", ["+17:26", "-23:59"])
def test_a_moment_may_be_of_a_zone_that_the_database_does_not_know(offset: str) -> None:
    wanted = at(9)
    at(1)

    assert found(Selection.parse({"since": f"2026-01-05T00:00{offset}"})) == {wanted.run_id}


@pytest.mark.parametrize("offset", ["+17:26", "-23:59"])
def test_so_may_the_moment_behind_which_a_page_begins(offset: str) -> None:
    at(9)
    wanted = at(1)
    behind = f"2026-01-05T00:00{offset}~5"

    older = Selection().page(9, behind).programs
    created = Listing(Selection(), Q(), "-created_at", 9).page(behind).programs

    assert [program.run_id for program in older] == [wanted.run_id]
    assert [program.run_id for program in created] == [wanted.run_id]


@pytest.mark.parametrize("offset", ["+17:26", "-23:59"])
def test_so_may_the_moment_at_which_a_program_is_to_run(offset: str) -> None:
    run_at = datetime.fromisoformat(f"2026-01-05T00:00{offset}")
    program = create_program(["noop"], run_at=run_at)
    assert fresh(program).run_at == fresh(program).due_at == run_at


def test_a_definition_is_meant_as_it_is_spelt() -> None:
    wanted = at(1, definition="import")
    at(2, definition="import-2")
    at(3)

    assert found(Selection(definition="import")) == {wanted.run_id}
    assert Selection(definition="import").is_indexed
    assert found(Selection(definition="imp")) == set()


def test_a_definition_is_found_within_a_state_and_dates() -> None:
    wanted = at(2, definition="import", errored_at=DAY + timedelta(days=5), due_at=None)
    at(3, definition="import")
    at(3, definition="other", errored_at=DAY + timedelta(days=5), due_at=None)
    at(1, definition="import")

    errored = Selection(definition="import", state=State.ERRORED)
    dated = Selection(definition="import", since=DAY + timedelta(days=1))

    assert found(errored) == {wanted.run_id}
    assert not errored.is_indexed  # an index has the errored ones, another the definition's
    assert len(found(dated)) == 2
    assert len(found(Selection(definition="import", state=State.WAITING))) == 2


def test_a_queue_is_meant_as_it_is_spelt() -> None:
    wanted = create_program(["noop"], queue="reports")
    create_program(["noop"], queue="reports-2")

    assert found(Selection(queue="reports")) == {wanted.run_id}
    assert found(Selection(queue="report")) == set()


def test_a_job_is_found_anywhere_in_a_program_by_its_whole_name() -> None:
    first, last = create_program(["noop", "behave"]), create_program(["behave", "noop"])
    create_program(["behave"])

    assert found(Selection(job="noop")) == {first.run_id, last.run_id}
    assert found(Selection(job="noo")) == set()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_job_of_any_name_is_found(name: str) -> None:
    wanted = at(1, jobs=[name, "noop"])
    at(2, jobs=["other"])

    assert found(Selection(job=name)) == {wanted.run_id}


def test_a_worker_means_what_its_slots_hold() -> None:
    wanted = at(1, worker="w1/0.3")
    at(2, worker="w11/0.3")
    at(3)

    assert found(Selection(worker="w1")) == {wanted.run_id}
    assert found(Selection(worker="w")) == set()


@pytest.mark.parametrize("words", ["No Such", "HOPPER", "behav"])
def test_words_are_a_part_of_the_error_the_creator_or_a_job(words: str) -> None:
    wanted = at(1, jobs=["behave"], error_message="there is no such order", created_by="hopper")
    at(2)

    assert found(Selection(q=words)) == {wanted.run_id}


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("column", ["error_message", "created_by"])
def test_words_are_meant_to_the_letter(column: str, words: str) -> None:
    wanted = at(1, **{column: f"x{words}x"})
    at(2, **{column: "x-x-x"})

    assert found(Selection(q=f"x{words}x")) == {wanted.run_id}


def test_words_are_the_beginning_of_a_run_id_or_all_of_it() -> None:
    wanted = at(1)
    at(2, run_id="order-2026-11")

    assert found(Selection(q=wanted.run_id)) == {wanted.run_id}
    assert found(Selection(q="order-2026")) == {"order-2026-11"}
    assert found(Selection(q="2026-11")) == set()


def test_filters_are_meant_together() -> None:
    wanted = at(2, queue="reports", created_by="ada", error_message="broken")
    at(2, queue="reports", created_by="ada")
    at(2, queue="other", created_by="ada", error_message="broken")
    at(5, queue="reports", created_by="ada", error_message="broken")

    both = Selection(q="broken", queue="reports", until=DAY + timedelta(days=3))

    assert found(both) == {wanted.run_id}


def test_dates_are_about_when_a_program_came_into_the_state() -> None:
    ended = at(1, errored_at=DAY + timedelta(days=9), due_at=None)
    since = DAY + timedelta(days=8)

    assert found(Selection(since=since)) == set()
    assert found(Selection(since=since, state=State.ERRORED)) == {ended.run_id}
    assert found(Selection(until=since, state=State.ERRORED)) == set()


def test_since_is_inclusive_and_until_is_not() -> None:
    first, second = at(1), at(2)

    assert found(Selection(since=DAY, until=DAY + timedelta(days=1))) == {first.run_id}
    assert found(Selection(since=DAY + timedelta(microseconds=1))) == {second.run_id}


def test_programs_that_others_inserted_are_found() -> None:
    Program.objects.create(run_id="odd", jobs="noop")
    Program.objects.create(run_id="odder", jobs=[None, 7, {"a": "noop"}])

    assert found(Selection()) == {"odd", "odder"}
    assert found(Selection(q="odd")) == {"odd", "odder"}
    assert "odd" in found(Selection(job="noop"))


# Pages ----------------------------------------------------------------------------------------


def pages(wanted: Selection, size: int) -> list[list[str]]:
    """Go through all pages."""
    older, gone_through = "", []
    while True:
        page = wanted.page(size, older)
        gone_through.append([program.run_id for program in page.programs])
        if not page.older:
            return gone_through
        assert page.older != older
        older = page.older


def flat(gone_through: list[list[str]]) -> list[str]:
    return [run_id for page in gone_through for run_id in page]


@pytest.mark.parametrize("state", [None, State.WAITING, State.ERRORED])
def test_pages_hold_each_program_once_the_newest_first(state: State | None) -> None:
    made = [at(day, **_of(state, day)).run_id for day in (1, 2, 3, 3, 3, 4)]

    for size in (1, 2, 3, 6):
        gone_through = pages(Selection(state=state), size)
        assert flat(gone_through) == made[::-1], size
        assert all(len(page) == size for page in gone_through[:-1])
        assert gone_through[-1]


def test_what_comes_meanwhile_moves_nothing_to_another_page() -> None:
    made = [at(day).run_id for day in (1, 2, 3, 4)]
    first = Selection().page(2)

    at(9)
    Program.objects.filter(run_id=made[3]).delete()

    assert [each.run_id for each in Selection().page(2, first.older).programs] == made[1::-1]


def test_data_is_not_read() -> None:
    at(1)
    (program,) = Selection().page(5).programs
    assert program.get_deferred_fields() == {"program_data", "job_data"}


@pytest.mark.parametrize("field", ["q", "queue", "job"])
def test_a_search_looks_at_a_window_and_goes_on_behind_it(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    monkeypatch.setattr(selection, "WINDOW", 3)
    hit = {"error_message": "rare", "queue": "rare", "jobs": ["rare"]}
    made = [at(day, **(hit if day in (1, 7) else {})).run_id for day in range(1, 12)]
    wanted = Selection(**{field: "rare"})

    first = wanted.page(5)
    gone_through = pages(wanted, 5)

    assert first.programs == []
    assert first.searched_back_to == DAY + timedelta(days=7)
    assert flat(gone_through) == [made[6], made[0]]
    assert len(gone_through) <= 4
    assert wanted.count() == Count(0, False)
    assert {program.run_id for program in wanted.every()} == {made[6], made[0]}


def test_a_window_that_ends_among_equals_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "WINDOW", 2)
    made = [at(1, error_message="broken").run_id for _ in range(7)]

    assert flat(pages(Selection(q="broken"), 2)) == made[::-1]


@pytest.mark.parametrize("state", [State.SCHEDULED, State.WAITING, State.RUNNING])
def test_of_many_in_a_state_without_an_order_all_are_found(
    monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    monkeypatch.setattr(selection, "COUNTED", 2)
    monkeypatch.setattr(selection, "WINDOW", 3)
    made = []
    for day in range(1, 12):
        is_one = day % 3 == 0
        program = program_in(state if is_one else State.PAUSED)
        Program.objects.filter(pk=program.pk).update(created_at=DAY + timedelta(days=day))
        made += [program.run_id] if is_one else []

    assert flat(pages(Selection(state=state), 2)) == made[::-1]
    assert counts()[state] == Count(2, False)


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "~", "~1", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00~1"),
        *("2026-01-01T00:00:00+00:00~", "2026-01-01T00:00:00+00:00~x", "9~9~9"),
        *("2026-01-01T00:00:00+00:00~-1", f"2026-01-01T00:00:00+00:00~{2**63}", "\0~1"),
    ],
)
def test_a_cursor_that_no_page_has_given_is_refused(cursor: str) -> None:
    at(1)
    with pytest.raises(InvalidProgram) as refusal:
        Selection().page(5, cursor)
    assert refusal.value.field == "older"


# News and numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"q": "noop"}, {"state": State.WAITING}, {"job": "noop"}])
def test_news_are_what_came_since(given: dict[str, object]) -> None:
    for day in (1, 2, 3):
        at(day)
    at(4, paused_at=DAY, jobs=["other"])
    wanted = Selection(**given)
    others = 0 if given else 1

    assert wanted.newer(DAY) == Count(2 + others, True)
    assert wanted.newer(DAY + timedelta(days=2)) == Count(others, True)
    assert wanted.newer(DAY + timedelta(days=3)) == Count(0, True)


def test_the_latest_is_the_newest_that_a_search_looks_at() -> None:
    assert Selection(q="x").latest() is None
    at(1)
    at(3, errored_at=DAY, due_at=None)
    assert Selection(q="x").latest() == DAY + timedelta(days=2)
    assert Selection(q="x", state=State.ERRORED).latest() == DAY


def test_counting_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "COUNTED", 2)
    for _ in range(3):
        at(1)

    assert Selection().count(3) == Count(3, True)
    assert Selection().count(2) == Count(2, False)
    assert Selection().newer(DAY - timedelta(days=1)) == Count(2, False)
    assert counts()[State.WAITING] == Count(2, False)
    assert counts()[State.PAUSED] == Count(0, True)


def test_no_question_counts_the_whole_table(bookkeeping: str) -> None:
    at(1)
    with CaptureQueriesContext(connections[bookkeeping]) as queries:
        for wanted in (Selection(), Selection(q="x"), Selection(state=State.WAITING)):
            wanted.page(5)
            wanted.count()
            wanted.newer(DAY)
        counts()

    asked = [query["sql"] for query in queries.captured_queries]
    counting = [sql for sql in asked if "COUNT(" in sql]
    assert counting
    assert all("LIMIT" in sql for sql in asked)


def _of(state: State | None, day: int) -> dict[str, object]:
    if state is not State.ERRORED:
        return {}
    return {"errored_at": DAY + timedelta(days=day), "due_at": None}
