"""Definitions: in code and in the table, found by name, and programs started from them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django.fixtures import Settings
from rest_framework import serializers

from programs import registry
from programs.definition import (
    find_definition,
    register_definition,
    start_program,
)
from programs.errors import (
    IdempotencyConflict,
    InvalidDefinition,
    InvalidProgram,
    UnknownDefinition,
)
from programs.models import Program, State, Worker
from tests.running import carry, claim, fresh
from tests.scheduling import Defined, define

__all__ = ["define"]

pytestmark = pytest.mark.usefixtures("bookkeeping")


class DaySerializer(serializers.Serializer):
    day = serializers.DateField()
    limit = serializers.IntegerField(default=10)


# Starting --------------------------------------------------------------------------------------


def test_a_program_is_started_with_the_definitions_data_and_what_is_given_over_it(
    define: Defined,
) -> None:
    define(
        "nightly",
        *("noop", "count"),
        program_data={"day": "today", "deep": {"a": 1}},
        job_data={"count": {"n": 1, "m": 2}},
        queue="night",
    )

    program = start_program("nightly", {"deep": {"b": 2}}, {"count": {"n": 5}}, created_by="ada")

    assert program == Program.objects.get()
    assert program.jobs == ["noop", "count"]
    assert program.program_data == {"day": "today", "deep": {"b": 2}}
    assert program.job_data == {"count": {"n": 5, "m": 2}}
    assert (program.queue, program.definition, program.created_by) == ("night", "nightly", "ada")


def test_a_program_of_a_definition_runs_like_any_other(define: Defined) -> None:
    define("nightly", "count")
    program = claim(start_program("nightly"))
    assert program is not None
    carry(program)
    assert fresh(program).state is State.FINISHED
    assert fresh(program).job_data == {"count": {"n": 1}}


def test_a_start_takes_what_a_creation_takes(define: Defined) -> None:
    define()
    later = datetime.now(UTC) + timedelta(hours=1)
    given: dict[str, Any] = {"queue": "other", "run_at": later, "idempotency_key": "monday"}

    program = start_program("nightly", **given)

    assert (program.queue, program.run_at, program.state) == ("other", later, State.SCHEDULED)
    assert start_program("nightly", **given) == program
    with pytest.raises(IdempotencyConflict):
        start_program("nightly", {"other": "content"}, **given)


def test_two_programs_of_one_definition_share_no_data(define: Defined) -> None:
    definition = define("nightly", "count", job_data={"count": {"list": []}})
    first = start_program("nightly")
    first.job_data["count"]["list"].append(1)
    assert start_program("nightly").job_data == {"count": {"list": []}}
    assert definition.job_data == {"count": {"list": []}}


def test_the_definitions_own_serializer_checks_program_data_and_fills_in_defaults(
    define: Defined,
) -> None:
    define("nightly", "noop", data_class=DaySerializer, program_data={"kept": True})

    with pytest.raises(InvalidProgram) as refused:
        start_program("nightly", {"day": "someday"})
    assert refused.value.field == "program_data.day"

    program = start_program("nightly", {"day": "2026-11-24"})
    assert program.program_data == {"day": "2026-11-24", "limit": 10, "kept": True}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"program_data": []}, "program_data"),
        ({"job_data": {"count": {}}}, "job_data"),
        ({"job_data": {"noop": []}}, "job_data.noop"),
        ({"queue": ""}, "queue"),
        ({"idempotency_key": ""}, "idempotency_key"),
    ],
)
def test_what_cannot_be_started_is_refused_with_the_name_of_the_field(
    define: Defined, given: dict[str, Any], field: str
) -> None:
    define()
    with pytest.raises(InvalidProgram) as refused:
        start_program("nightly", **given)
    assert refused.value.field == field
    assert Program.objects.count() == 0


@pytest.mark.parametrize("name", ["gone", "", "NIGHTLY", None, 5, "a\0b"])
def test_a_name_that_nothing_has_is_told(define: Defined, name: Any) -> None:
    define()
    assert find_definition(name) is None
    with pytest.raises(UnknownDefinition, match="there is no definition"):
        start_program(name)


def test_a_definition_whose_job_has_vanished_says_so_and_does_not_start(define: Defined) -> None:
    definition = define("nightly", "noop", "gone", "noop")
    assert definition.missing_jobs() == ["gone"]
    with pytest.raises(InvalidProgram, match="names the job 'gone', which neither") as refused:
        start_program("nightly")
    assert refused.value.field == "jobs"


def test_a_job_that_only_a_live_worker_knows_is_not_missing(define: Defined) -> None:
    definition = define("nightly", "elsewhere")
    Worker.register(
        name="w", host="h", pid=1, queues=["default"], slots=1, jobs=["elsewhere"], version="0"
    )
    assert definition.missing_jobs() == []
    assert start_program("nightly").jobs == ["elsewhere"]


# In code ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "-x"}, "name"),
        ({"name": "with space"}, "name"),
        ({"name": "ü"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x\n"}, "name"),
        ({"name": None}, "name"),
        ({"jobs": []}, "jobs"),
        ({"jobs": "noop"}, "jobs"),
        ({"jobs": ["noop", ""]}, "jobs[1]"),
        ({"program_data": []}, "program_data"),
        ({"job_data": {"other": {}}}, "job_data"),
        ({"queue": "x" * 101}, "queue"),
        ({"description": 5}, "description"),
        ({"data_class": dict}, "data_class"),
    ],
)
def test_a_definition_that_cannot_be_is_refused_with_the_name_of_the_field(
    define: Defined, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        register_definition(**{"name": "new", "jobs": ["noop"], **given})
    assert refused.value.field == field
    assert find_definition("new") is None


def test_a_second_of_the_same_name_is_refused_and_both_places_told(define: Defined) -> None:
    register_definition("twice", ["noop"])
    with pytest.raises(InvalidDefinition, match=r"test_definitions:\d+ and .*test_definitions:\d+"):
        register_definition("twice", ["count"])
    found = find_definition("twice")
    assert found is not None
    assert found.jobs == ["noop"]


def test_a_broken_definition_fails_the_check_and_names_the_line(
    define: Defined, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "jobs_with_a_broken_definition.py"
    module.write_text(
        "from programs.definition import register_definition\n"
        "register_definition('fine', ['noop'])\n"
        "register_definition('no name', ['noop'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "JOB_MODULES": [module.stem]}
    try:
        registry.discover()
        with pytest.raises(SystemCheckError, match=f"(?s)InvalidDefinition: name: .*{module}:3"):
            call_command("check")
    finally:
        registry._failures.pop(module.stem)
        sys.modules.pop(module.stem, None)
    assert find_definition("fine") is not None
