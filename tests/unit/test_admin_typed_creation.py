"""The console: a program's data typed into forms that serializers draw, or as raw JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers

from programs.models import Program
from tests.browsing import Page, job, page
from tests.console import page_of
from tests.typed import DAY, REGION, serializer_of, typed_job

__all__ = ["job", "page"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]


FILLED = {
    "program__region": "north",
    "job0__day": "2026-11-24",
    "job0__mode": "full",
    "job0__items.json": "",
}
RAW = {"program_data": json.dumps(REGION), "job_data": json.dumps({"import_day": DAY})}


# Forms ------------------------------------------------------------------------------------------


def test_the_form_is_offered_once_a_job_says_what_its_data_is(admin_client: Client) -> None:
    assert "Draw the form" not in Page(admin_client).html
    with typed_job():
        assert "Draw the form" in Page(admin_client).html


def test_the_form_shows_what_the_serializers_say(page: Page) -> None:
    assert not Program.objects.exists()
    assert page.errors() == {}
    assert "<bdi>Data of import_day</bdi>" in page.html
    assert "Which day is imported." in page.html
    assert "At least 1, at most 1000." in page.html
    assert '<option value="part">A part</option>' in page.html
    assert page.value("job0-limit") == "100"
    assert "program_data" not in page.fields
    assert "job_data" not in page.fields


def test_a_program_is_created_from_the_form(page: Page) -> None:
    page.send(program__region="north", job0__day="2026-11-24", job0__mode="full")

    program = Program.objects.get()
    assert page.answer["Location"] == page_of(program)
    assert program.program_data == REGION
    assert program.job_data == {"import_day": {**DAY, "limit": 100, "is_dry": False}}


def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(page: Page) -> None:
    page.send(job0__day="tomorrow", job0__limit="many", job0__items='[{"name": "a"}]')

    assert not Program.objects.exists()
    assert page.errors() == {
        "program-region": ["This field is required."],
        "job0-day": ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."],
        "job0-mode": ["This field is required."],
        "job0-limit": ["A valid integer is required."],
        "job0-items": ["[0].price: This field is required."],
    }
    assert page.value("job0-limit") == "many"
    assert page.value("job0-items") == '[{"name": "a"}]'


def test_json_in_the_form_that_is_none_stands_beside_it(page: Page) -> None:
    page.send(program__region="north", job0__items="[1,")

    assert list(page.errors()) == ["job0-items"]
    assert page.value("job0-items") == "[1,"
    assert page.value("program-region") == "north"
    assert not Program.objects.exists()


def test_an_error_of_the_whole_stands_above_its_form(admin_client: Client) -> None:
    def validate(self: Any, values: Any) -> Any:
        raise serializers.ValidationError("The end is before the start.")

    with typed_job(data_class=serializer_of(validate=validate, n=serializers.IntegerField())):
        page = Page(admin_client)
        page.send(jobs="import_day", draw="form")
        page.send(program__region="north", job0__n="1")

    assert page.errors() == {"job0*": ["The end is before the start."]}
    assert "The end is before the start." in page.html


def test_an_error_of_another_field_leaves_the_form_as_it_is_typed(page: Page) -> None:
    page.send(program__region="north", job0__day="2026-11-24", queue="")

    assert list(page.errors()) == ["queue"]
    assert (page.value("program-region"), page.value("job0-day")) == ("north", "2026-11-24")


def test_jobs_may_change_after_the_form_is_drawn(page: Page) -> None:
    with typed_job("other_day", program_data_class=None):
        page.send(jobs="noop\nother_day", program__region="north", job0__mode="full", draw="form")

        assert page.value("job0-mode") == ""  # of the other job
        assert json.loads(page.value("program_data")) == REGION
        assert json.loads(page.value("job_data"))["import_day"]["mode"] == "full"


def test_data_of_jobs_without_a_form_stays_json_beside_it(page: Page) -> None:
    page.send(jobs="import_day, count", draw="form")
    page.send(**{**FILLED, "job_data": '{"count": {"n": 3}}'})

    program = Program.objects.get()
    assert program.job_data["count"] == {"n": 3}
    assert program.job_data["import_day"]["day"] == "2026-11-24"


def test_json_beside_the_form_that_is_none_is_kept_with_all_else(page: Page) -> None:
    page.send(jobs="import_day, count", draw="form")

    for button in ({"draw": "raw"}, {"draw": "form"}, {}):
        page.send(**{**FILLED, "job_data": '{"count": ', **button})

        assert list(page.errors()) == ["job_data"]
        assert page.value("job_data") == '{"count": '
        assert page.value("job0-day") == "2026-11-24"
    assert not Program.objects.exists()


# Raw JSON and back ------------------------------------------------------------------------------


def test_raw_json_shows_what_was_typed_even_if_it_is_wrong(page: Page) -> None:
    page.send(job0__limit="many", job0__items="[1,", program__region="", draw="raw")

    raw = json.loads(page.value("job_data"))["import_day"]
    assert raw == {"limit": "many", "is_dry": False, "items": "[1,"}
    assert page.value("jobs") == "import_day"
    assert page.errors() == {}

    page.send(draw="form")

    assert page.value("job0-limit") == "many"
    assert page.value("job0-items") == "[1,"


def test_keys_that_the_form_does_not_know_go_through_it(page: Page) -> None:
    data = {"import_day": {**DAY, "page": 3}, "count": {"n": 1}}
    page.send(draw="raw")
    page.send(jobs="import_day\ncount", program_data=RAW["program_data"], job_data=json.dumps(data))
    Program.objects.all().delete()
    page = Page(page.client)
    page.send(
        jobs="import_day\ncount",
        program_data='{"region": "north", "more": [1]}',
        job_data=json.dumps(data),
        draw="form",
    )

    assert "Kept as it is: <bdi>page</bdi>" in page.html
    page.send(job0__mode="part")

    program = Program.objects.get()
    assert program.program_data == {"region": "north", "more": [1]}
    assert program.job_data["import_day"]["page"] == 3
    assert program.job_data["import_day"]["mode"] == "part"
    assert program.job_data["count"] == {"n": 1}


def test_everything_else_that_was_typed_stays_through_both(page: Page) -> None:
    rest = {"queue": "reports", "run_at": "2050-01-31T12:30", "idempotency_key": "orders"}

    for wanted in ("raw", "form", "raw"):
        page.send(**rest, draw=wanted)
        assert {name: page.value(name) for name in rest} == rest
        assert page.errors() == {}


@pytest.mark.parametrize("text", ["{no json", "[1]", '"x"', "[" * 100_000])
def test_raw_json_that_cannot_be_read_stays_with_its_error(page: Page, text: str) -> None:
    page.send(draw="raw")
    page.send(program_data=text, draw="form")

    assert list(page.errors()) == ["program_data"]
    assert page.value("program_data") == text
    assert page.answer.context["entry"].forms is None


def test_jobs_without_types_have_no_form(page: Page) -> None:
    page = Page(page.client)
    page.send(jobs="noop", program_data='{"x": 1}', draw="form")

    assert "None of these jobs says what its data is" in page.html
    assert page.value("program_data") == '{"x": 1}'


def test_raw_json_is_checked_like_the_form(page: Page) -> None:
    page.send(draw="raw")
    page.send(program_data="{}", job_data='{"import_day": {"mode": "all"}}')

    errors = page.errors()
    assert errors["program_data"] == ["Program_data.region: This field is required."]
    assert errors["job_data"] == [
        "Job_data.import_day.day: This field is required.",
        'Job_data.import_day.mode: "all" is not a valid choice.',
    ]


def test_the_call_of_a_form_is_that_of_its_data(page: Page) -> None:
    page.send(program__region="north", job0__day="2026-11-24", show="1")

    assert "&#x27;region&#x27;: &#x27;north&#x27;" in page.html
    assert page.value("job0-day") == "2026-11-24"
    assert not Program.objects.exists()
