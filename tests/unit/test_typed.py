"""Typed data: what a job says of its data is held against what it is given, and what is stored."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework import serializers

from programs import registry
from programs.errors import IdempotencyConflict, InvalidJob, InvalidProgram
from programs.job import Job
from programs.models import Program
from programs.submission import create_program, create_programs
from programs.testing import run_inline
from programs.typed import FieldError, checked, errors_of
from tests.typed import DAY, REGION, DayData, Item, serializer_of, typed_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> Iterator[type[Job]]:
    with typed_job() as job:
        yield job


def created(**given: Any) -> Program:
    day = {"program_data": REGION, "job_data": {"import_day": DAY}}
    return create_program(["import_day"], **{**day, **given})


def refusal(**given: Any) -> dict[str, str]:
    """Return the errors with which the program is refused."""
    with pytest.raises(InvalidProgram) as refused:
        created(**given)
    assert not Program.objects.exists()
    return dict(refused.value.errors)


# Creation -------------------------------------------------------------------------------------


def test_defaults_are_filled_in_and_values_have_one_form(job: type[Job]) -> None:
    given = {"day": "2026-11-24", "mode": "full", "is_dry": "yes", "limit": "7"}

    program = created(
        program_data={"region": " north ", "since": "2026-11-24T10:00+02:00"},
        job_data={"import_day": given},
    )

    assert program.job_data == {"import_day": {**given, "is_dry": True, "limit": 7}}
    assert program.program_data == {"region": "north", "since": "2026-11-24T08:00:00Z"}
    program.refresh_from_db()
    assert program.job_data["import_day"]["limit"] == 7


def test_what_the_serializer_does_not_know_stays(job: type[Job]) -> None:
    items = [{"name": "a", "price": "1.50", "colour": "red"}]

    program = created(
        program_data={**REGION, "more": {"x": None}},
        job_data={"import_day": {**DAY, "page": 3, "items": items}},
    )

    assert program.program_data == {"region": "north", "more": {"x": None}}
    assert program.job_data["import_day"]["page"] == 3
    assert program.job_data["import_day"]["items"] == items


def test_each_error_names_its_field(job: type[Job]) -> None:
    items = [{"name": "a", "price": "1"}, {"price": "dear"}]

    errors = refusal(
        program_data={"region": "x" * 11},
        job_data={"import_day": {"day": "tomorrow", "limit": 0, "mode": "full", "items": items}},
    )

    assert list(errors) == [
        "program_data.region",
        "job_data.import_day.day",
        "job_data.import_day.limit",
        "job_data.import_day.items[1].name",
        "job_data.import_day.items[1].price",
    ]
    assert errors["job_data.import_day.items[1].name"] == "This field is required."


def test_the_error_is_the_first_and_its_text_names_some(job: type[Job]) -> None:
    with pytest.raises(InvalidProgram) as refused:
        created(program_data={}, job_data={"import_day": {"limit": "x", "is_dry": 5}})

    assert refused.value.field == "program_data.region"
    assert refused.value.reason == "This field is required."
    assert str(refused.value).endswith("; and 2 more")


def test_data_that_is_missing_as_a_whole_is_checked_as_well(job: type[Job]) -> None:
    assert list(refusal(program_data=None, job_data=None)) == [
        "program_data.region",
        "job_data.import_day.day",
        "job_data.import_day.mode",
    ]


def test_a_job_without_a_class_takes_any_object(job: type[Job]) -> None:
    data = {"noop": {"x": [1, None]}, "import_day": DAY}

    program = create_program(["noop", "import_day"], REGION, data)

    assert program.job_data["noop"] == {"x": [1, None]}


def test_two_jobs_may_read_the_program_data() -> None:
    shops = serializer_of(shops=serializers.ListField(child=serializers.IntegerField()))
    with typed_job(data_class=None), typed_job("count_shops", None, shops):
        with pytest.raises(InvalidProgram) as refused:
            create_program(["import_day", "count_shops"], {"shops": ["x"]})
        program = create_program(["import_day", "count_shops"], {**REGION, "shops": ["1", 2]})

    assert [field for field, _ in refused.value.errors] == [
        "program_data.region",
        "program_data.shops[0]",
    ]
    assert program.program_data == {"region": "north", "shops": [1, 2]}
    assert program.job_data == {}


def test_many_are_checked_like_one(job: type[Job]) -> None:
    good = {"jobs": ["import_day"], "program_data": REGION, "job_data": {"import_day": DAY}}
    bad = {**good, "program_data": {}, "job_data": {"import_day": {"day": "x", "mode": "full"}}}

    with pytest.raises(InvalidProgram) as refused:
        create_programs([good, bad])

    fields = [field for field, _ in refused.value.errors]
    assert fields == ["[1].program_data.region", "[1].job_data.import_day.day"]
    assert not Program.objects.exists()
    assert create_programs([good])[0].job_data["import_day"]["limit"] == 100


def test_a_key_is_for_what_was_asked_and_not_for_what_is_filled_in() -> None:
    numbers = iter(range(10))
    counted = serializer_of(number=serializers.IntegerField(default=lambda: next(numbers)))
    with typed_job(data_class=counted, program_data_class=None):
        first = create_program(["import_day"], idempotency_key="once")
        again = create_program(["import_day"], idempotency_key="once")
        with pytest.raises(IdempotencyConflict):
            create_program(["import_day"], {"x": 1}, idempotency_key="once")

    assert again.pk == first.pk
    assert again.job_data == {"import_day": {"number": 0}}


def test_a_key_finds_its_program_though_the_data_would_not_fit_now() -> None:
    with typed_job(data_class=None, program_data_class=None):
        first = create_program(["import_day"], idempotency_key="once")
    with typed_job():
        assert create_program(["import_day"], idempotency_key="once").pk == first.pk


def test_a_program_run_inline_is_checked_as_any_other(job: type[Job]) -> None:
    with run_inline(), pytest.raises(InvalidProgram, match="job_data.import_day.day"):
        created(job_data={"import_day": {"mode": "full"}})
    with run_inline():
        program = created()

    program.refresh_from_db()
    assert program.state == "finished"
    assert program.job_data["import_day"] == {**DAY, "limit": 100, "is_dry": False, "done": True}


# Serializers of all kinds ---------------------------------------------------------------------


KINDS: list[tuple[Any, Any, Any]] = [
    (serializers.UUIDField(), uuid.UUID(int=1).hex, str(uuid.UUID(int=1))),
    (serializers.DurationField(), "90", "00:01:30"),
    (serializers.TimeField(), "7:30", "07:30:00"),
    (serializers.DateTimeField(format=None), "2026-11-24T10:00Z", "2026-11-24T10:00:00Z"),
    (serializers.DecimalField(5, 2, coerce_to_string=False), 1.5, "1.50"),
    (serializers.MultipleChoiceField(choices=["a", "b"]), ["a", "b", "a"], ["a", "b"]),
    (serializers.ChoiceField([(1, "one")]), "1", 1),
    (serializers.DictField(child=Item()), {"x": {"name": "a", "price": 1, "y": 2}}, None),
    (serializers.DateField(input_formats=["%d.%m.%Y"]), "24.11.2026", "24.11.2026"),
    (serializers.CharField(write_only=True), " as given ", " as given "),
    (serializers.IntegerField(source="other"), "5", 5),
    (serializers.IntegerField(allow_null=True), None, None),
    (serializers.JSONField(), {"x": [1, {"y": None}]}, {"x": [1, {"y": None}]}),
]


@pytest.mark.parametrize(("field", "given", "stored"), KINDS, ids=lambda each: type(each).__name__)
def test_what_is_stored_is_json_that_the_serializer_takes_again(
    field: Any, given: Any, stored: Any
) -> None:
    data_class = serializer_of(value=field)
    if stored is None and given is not None:
        stored = {"x": {"name": "a", "price": "1.00", "y": 2}}

    kept = checked(data_class, {"value": given}, "program_data")

    assert kept == {"value": stored}
    assert checked(data_class, kept, "program_data") == kept


def test_fields_that_are_read_only_are_neither_asked_for_nor_stored() -> None:
    data_class = serializer_of(
        shown=serializers.SerializerMethodField(), get_shown=lambda self, row: row.pk
    )

    assert checked(data_class, {"x": 1}, "program_data") == {"x": 1}


def test_an_error_of_the_whole_is_the_parts_error() -> None:
    def validate(self: Any, values: Any) -> Any:
        raise serializers.ValidationError("The end is before the start.")

    assert errors_of(serializer_of(validate=validate), {}) == [
        FieldError((), "The end is before the start.")
    ]
    with (
        typed_job(data_class=serializer_of(validate=validate), program_data_class=None),
        pytest.raises(InvalidProgram, match=r"job_data\.import_day: The end is before"),
    ):
        create_program(["import_day"])


def broken(self: Any, *args: Any, **options: Any) -> None:
    raise KeyError("day")


@pytest.mark.parametrize("method", ["__init__", "validate", "get_fields", "to_internal_value"])
def test_a_serializer_that_raises_refuses_the_data_and_is_logged(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        typed_job(data_class=serializer_of(**{method: broken}), program_data_class=None),
        caplog.at_level(logging.WARNING),
        pytest.raises(InvalidProgram) as refused,
    ):
        create_program(["import_day"])

    assert refused.value.field == "job_data.import_day"
    assert refused.value.reason == "could not be checked: MadeData raised KeyError: 'day'"
    (line,) = [each for each in caplog.records if each.name == "programs.typed"]
    assert "tests.typed.MadeData raised KeyError at" in line.getMessage()


def test_a_default_that_does_not_fit_refuses_the_data() -> None:
    data_class = serializer_of(limit=serializers.IntegerField(default="many"))

    with pytest.raises(InvalidProgram, match="could not be checked"):
        checked(data_class, {}, "program_data")


def test_errors_are_told_up_to_a_number() -> None:
    data_class = serializer_of(days=serializers.ListField(child=serializers.DateField()))

    assert len(errors_of(data_class, {"days": ["x"] * 10_000})) == 100


def test_no_message_repeats_a_secret() -> None:
    def validate(self: Any, values: Any) -> Any:
        raise RuntimeError(f"cannot log in with {self.initial_data['login']}")

    by_field = errors_of(DayData, {**DAY, "token": "s3cr3t"})
    by_whole = errors_of(serializer_of(validate=validate), {"login": {"password": "s3cr3t"}})

    assert by_field == [FieldError(("token",), '"***" is not a valid choice.')]
    assert "***" in by_whole[0].message
    assert "s3cr3t" not in by_whole[0].message


@pytest.mark.parametrize("wrong", [5, "DayData", dict, DayData(), Program])
def test_what_cannot_check_data_is_no_data_class(wrong: Any) -> None:
    with (
        pytest.raises(InvalidJob, match="data_class must be a serializer class"),
        typed_job(data_class=wrong),
    ):
        pass
    assert registry.find("import_day") is None
