"""Definitions in the table: saved, changed and deleted, with who and why."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from programs import registry
from programs.definition import (
    change_definition,
    definitions,
    delete_definition,
    find_definition,
    save_definition,
    start_program,
)
from programs.errors import (
    InvalidDefinition,
    InvalidProgram,
    OperationRefused,
)
from programs.models import Definition, Operation, Program
from tests.running import fresh
from tests.scheduling import Defined, define, scheduled

__all__ = ["define"]

pytestmark = pytest.mark.usefixtures("bookkeeping")


class DaySerializer(serializers.Serializer):
    day = serializers.DateField()
    limit = serializers.IntegerField(default=10)


def test_a_definition_is_saved_with_who_and_why(define: Defined) -> None:
    row = save_definition(
        "weekly",
        ["noop", "count"],
        program_data={"a": 1},
        description=" every week ",
        by="ada",
        reason="asked for",
    )
    assert row == Definition.objects.get()
    found = find_definition("weekly")
    assert found is not None
    assert (found.jobs, found.program_data, found.is_in_code) == (
        ["noop", "count"],
        {"a": 1},
        False,
    )
    assert (row.description, row.created_by, row.queue) == ("every week", "ada", "default")
    deed = Operation.objects.get()
    assert (deed.verb, deed.subject, deed.by) == ("add_definition", "weekly", "ada")
    assert (deed.reason, deed.detail) == ("asked for", {"jobs": ["noop", "count"]})
    assert start_program("weekly").definition == "weekly"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "nightly"}, "name"),  # in code
        ({"name": "taken"}, "name"),
        ({"name": "../x"}, "name"),
        ({"jobs": ["noop", "gone"]}, "jobs[1]"),
        ({"jobs": ["programs.webhook"]}, "jobs[0]"),
        ({"jobs": []}, "jobs"),
        ({"job_data": {"noop": 5}}, "job_data.noop"),
    ],
)
def test_what_cannot_be_saved_is_refused_with_the_name_of_the_field(
    define: Defined, given: dict[str, Any], field: str
) -> None:
    define("nightly")
    save_definition("taken", ["noop"])
    with pytest.raises(InvalidDefinition) as refused:
        save_definition(**{"name": "new", "jobs": ["noop"], **given})
    assert refused.value.field == field
    assert Definition.objects.count() == 1


def test_what_is_given_must_fit_and_the_rest_may_come_later(
    define: Defined, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = registry.find("noop")
    monkeypatch.setattr(job, "program_data_class", DaySerializer)
    monkeypatch.setattr(job, "data_class", DaySerializer)

    saved = save_definition("weekly", ["noop"], program_data={"limit": 5})
    with pytest.raises(InvalidDefinition) as refused:
        save_definition(
            "other",
            ["noop"],
            program_data={"limit": "many"},
            job_data={"noop": {"day": "someday"}},
        )

    assert saved.program_data == {"limit": 5}
    assert [field for field, _ in refused.value.errors] == [
        "program_data.limit",
        "job_data.noop.day",
    ]


def test_a_change_is_for_programs_to_come(define: Defined) -> None:
    row = save_definition("weekly", ["noop"])
    before = start_program("weekly")

    changed = change_definition(row, jobs=["count"], description="new", by="eve", reason="better")

    assert (changed.jobs, changed.description) == (["count"], "new")
    assert fresh(before).jobs == ["noop"]
    assert start_program("weekly").jobs == ["count"]
    deed = Operation.objects.get(verb="change_definition")
    assert (deed.by, deed.reason) == ("eve", "better")
    assert deed.detail == {"changed": ["description", "jobs"], "jobs": ["count"]}


def test_two_who_change_one_definition_at_a_time_get_what_each_asked_for(define: Defined) -> None:
    save_definition("weekly", ["noop", "count"], queue="slow")
    first, second = Definition.objects.get(), Definition.objects.get()
    change_definition(first, jobs=["noop"], queue="quick")

    with pytest.raises(InvalidDefinition, match="none of the jobs"):
        change_definition(second, job_data={"count": {"page": 1}})
    changed = change_definition(second, queue="slow")

    assert (changed.jobs, changed.job_data, changed.queue) == (["noop"], {}, "slow")


def test_a_change_to_what_cannot_be_changes_nothing(define: Defined) -> None:
    row = save_definition("weekly", ["noop"])
    with pytest.raises(InvalidDefinition, match="gone"):
        change_definition(row, jobs=["gone"], description="new")
    assert Definition.objects.get().description == ""


def test_a_definition_with_schedules_is_not_deleted(define: Defined) -> None:
    row = save_definition("weekly", ["noop"])
    program = start_program("weekly")
    schedules = [scheduled("weekly"), scheduled("weekly")]
    with pytest.raises(OperationRefused, match="weekly has 2 schedules: delete them first"):
        delete_definition(row)
    for schedule in schedules:
        schedule.delete()

    delete_definition(row, by="ada", reason="no longer wanted")

    assert find_definition("weekly") is None
    assert fresh(program).definition == "weekly"
    deed = Operation.objects.get(verb="delete_definition")
    assert (deed.subject, deed.by, deed.reason) == ("weekly", "ada", "no longer wanted")


def test_one_that_is_gone_can_be_neither_changed_nor_deleted(define: Defined) -> None:
    row = save_definition("weekly", ["noop"])
    Definition.objects.all().delete()
    with pytest.raises(OperationRefused, match="is gone: it cannot be changed"):
        change_definition(row, description="new")
    with pytest.raises(OperationRefused, match="is gone already"):
        delete_definition(row)
    assert [deed.verb for deed in Operation.objects.all()] == ["add_definition"]


def test_a_row_is_hidden_by_code_of_the_same_name_and_says_so(define: Defined) -> None:
    save_definition("nightly", ["count"])
    save_definition("weekly", ["noop"])
    define("nightly", "noop")

    found = find_definition("nightly")
    known = [each for each in definitions() if each.name in ("nightly", "weekly")]

    assert found is not None
    assert (found.is_in_code, found.jobs) == (True, ["noop"])
    assert [(each.name, each.is_in_code, each.is_shadowed) for each in known] == [
        ("nightly", True, False),
        ("nightly", False, True),
        ("weekly", False, False),
    ]


@pytest.mark.parametrize("jobs", [{}, [], ["noop", 5, None], "noop", [["noop"]]])
def test_a_row_that_somebody_wrote_by_hand_opens_and_does_not_start(
    define: Defined, jobs: Any
) -> None:
    Definition.objects.create(name="strange", jobs=jobs, program_data=[], job_data={"noop": 5})

    found = find_definition("strange")

    assert found is not None
    assert (found.program_data, found.job_data) == ({}, {})
    assert isinstance(found.missing_jobs(), list)
    with pytest.raises(InvalidProgram) as refused:
        start_program("strange")
    assert refused.value.field.startswith("jobs")
    assert Program.objects.count() == 0
