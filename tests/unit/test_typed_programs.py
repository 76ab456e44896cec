"""Typed data of programs that are there: what no longer fits is told, and edits are checked."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rest_framework import serializers

from programs.definition import code, register_definition, start_program
from programs.errors import InvalidProgram
from programs.job import Job
from programs.models import Program
from programs.operations import edit_data, retry_program
from programs.typed import misfits
from tests.typed import DAY, REGION, serializer_of, typed_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> Iterator[type[Job]]:
    with typed_job() as job:
        yield job


def test_what_no_longer_fits_is_told_by_field() -> None:
    old = {"import_day": {"day": "yesterday", "mode": "full", "page": 3}}
    program = Program.objects.create(jobs=["import_day", "noop"], job_data=old)
    with typed_job():
        assert [(each.field, each.message) for each in misfits(program)] == [
            ("program_data.region", "This field is required."),
            (
                "job_data.import_day.day",
                "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.",
            ),
        ]
    assert misfits(program) == []


@pytest.mark.parametrize("jobs", [None, "import_day", 5, [5, None, {}], {"x": 1}])
def test_rows_of_others_are_looked_at_without_an_error(job: type[Job], jobs: Any) -> None:
    assert misfits(Program(jobs=jobs, program_data="x", job_data=[1])) == []


@pytest.mark.parametrize("data", [None, [], "x", {"import_day": 5}])
def test_data_that_is_no_object_does_not_fit(job: type[Job], data: Any) -> None:
    found = misfits(Program(jobs=["import_day"], program_data=data, job_data=data))

    assert {each.path[0] for each in found} == {"program_data", "job_data"}


def old_program() -> Program:
    """Return a program whose data does not fit, as it was created before its jobs had types."""
    old = {"import_day": {"day": "yesterday"}, "other_day": {"day": "yesterday"}}
    return Program.objects.create(
        jobs=["import_day", "other_day"],
        job_data=old,
        program_data={"region": ""},
        queue="default",
        errored_at=datetime.datetime.now(datetime.UTC),
    )


def test_an_edit_is_checked_where_it_differs_from_what_is_stored() -> None:
    program = old_program()
    other = program.job_data["other_day"]
    with typed_job(), typed_job("other_day"):
        with pytest.raises(InvalidProgram) as refused:
            edit_data(program, job_data={"import_day": {"day": "x"}, "other_day": other})
        edited = edit_data(program, job_data={"import_day": DAY, "other_day": other})

    assert [field for field, _ in refused.value.errors] == [
        "job_data.import_day.day",
        "job_data.import_day.mode",
    ]
    assert edited.job_data == {
        "import_day": {**DAY, "limit": 100, "is_dry": False},
        "other_day": other,
    }
    assert edited.program_data == {"region": ""}


def test_an_edit_of_the_program_data_is_checked() -> None:
    program = old_program()
    with typed_job(), typed_job("other_day"):
        with pytest.raises(InvalidProgram, match=r"program_data\.region: .* no more than 10"):
            edit_data(program, program_data={"region": "x" * 11})
        assert edit_data(program, program_data=REGION).program_data == REGION


def test_job_data_that_an_edit_takes_away_differs_too() -> None:
    program = old_program()
    with (
        typed_job(),
        typed_job("other_day"),
        pytest.raises(InvalidProgram, match=r"job_data\.other_day\.day"),
    ):
        edit_data(program, job_data={"import_day": DAY})


def test_an_old_program_is_retried_with_its_data_as_it_is() -> None:
    program = old_program()
    with typed_job(), typed_job("other_day"):
        retried = retry_program(program, 0)

    assert retried.state == "waiting"
    assert retried.job_data == program.job_data


def test_the_program_data_of_a_definition_stays_what_it_says() -> None:
    with typed_job(data_class=None), definition_of(serializer_of(shop=serializers.IntegerField())):
        program = start_program("typed", {**REGION, "shop": "5"})
        with pytest.raises(InvalidProgram, match=r"program_data\.shop: A valid integer"):
            edit_data(program, program_data={**REGION, "shop": "x"})
        edited = edit_data(program, program_data={**REGION, "shop": "6"})

    assert program.program_data == {**REGION, "shop": 5}
    assert edited.program_data == {**REGION, "shop": 6}


@contextmanager
def definition_of(data_class: type[Any]) -> Iterator[None]:
    """Register a definition whose program data has this class."""
    register_definition("typed", ["import_day"], data_class=data_class)
    try:
        yield
    finally:
        del code._definitions["typed"]
