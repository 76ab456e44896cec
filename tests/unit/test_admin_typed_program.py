"""The console: the page of a program says what of its data no longer fits, and always opens."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers

from programs.models import Program, Verb
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import page_for, page_of
from tests.typed import DAY, REGION, DayData, serializer_of, typed_job

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

HOSTILE = "<script>alert(1)</script>\u202e"
NOTE = "does not fit what the jobs say of theirs now"


def old_program(**data: Any) -> Program:
    return Program.objects.create(jobs=["import_day"], queue="default", **data)


def test_the_page_tells_what_no_longer_fits_by_field(admin_client: Client) -> None:
    program = old_program(job_data={"import_day": {"day": "x", "mode": "full"}})

    with typed_job():
        for url in (page_of(program), f"{page_of(program)}?live=1"):
            page = admin_client.get(url).content.decode()

            assert NOTE in page
            assert "<bdi>job_data.import_day.day</bdi></code>: <bdi>Date has wrong format." in page
            assert "<bdi>program_data.region</bdi></code>: <bdi>This field is required." in page
    assert NOTE not in admin_client.get(page_of(program)).content.decode()


def test_a_program_whose_data_fits_has_no_note(admin_client: Client) -> None:
    with typed_job():
        program = create_program(["import_day"], REGION, {"import_day": DAY})

        assert NOTE not in admin_client.get(page_of(program)).content.decode()


@pytest.mark.parametrize("data", [None, 5, "x", [1], {"import_day": [1]}, {HOSTILE: HOSTILE}])
def test_the_page_opens_whatever_the_row_holds(admin_client: Client, data: Any) -> None:
    program = old_program(program_data=data if data is not None else {}, job_data=data or {})

    with typed_job():
        page = admin_client.get(page_of(program))

    assert page.status_code == 200
    assert NOTE in page.content.decode()


def broken(self: Any, *args: Any, **options: Any) -> None:
    raise ValueError(HOSTILE)


@pytest.mark.parametrize("method", ["__init__", "validate", "get_fields"])
def test_the_page_opens_whatever_a_serializer_does(admin_client: Client, method: str) -> None:
    program = old_program()

    with typed_job(data_class=serializer_of(**{method: broken}), program_data_class=None):
        page = admin_client.get(page_of(program)).content.decode()

    assert "MadeData raised ValueError: &lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in page


def test_many_misfits_are_told_up_to_a_number(admin_client: Client) -> None:
    days = serializer_of(days=serializers.ListField(child=serializers.DateField()))
    program = old_program(job_data={"import_day": {"days": ["x"] * 50}})

    with typed_job(data_class=days, program_data_class=None):
        page = admin_client.get(page_of(program)).content.decode()

    assert page.count("Date has wrong format") == 20
    assert "and 30 more" in page


def test_the_note_tells_no_secret() -> None:
    program = old_program(program_data=REGION, job_data={"import_day": {**DAY, "token": "s3cr3t"}})

    with typed_job():
        page = client_of(VIEW).get(page_of(program)).content.decode()

    assert "&quot;***&quot; is not a valid choice." in page
    assert "s3cr3t" not in page


def test_an_edit_that_does_not_fit_is_told_on_its_field(admin_client: Client) -> None:
    program = old_program(program_data=REGION, job_data={"import_day": DAY})
    program.pause()
    program.refresh_from_db()
    given = {
        "program_data": '{"region": ""}',
        "job_data": '{"import_day": {"mode": "all"}}',
        "epoch": str(program.epoch),
    }

    with typed_job(data_class=DayData):
        form = admin_client.post(page_for(Verb.EDIT, program), given).context["form"]

    assert form.errors == {
        "program_data": ["Program_data.region: This field may not be blank."],
        "job_data": [
            "Job_data.import_day.day: This field is required.",
            'Job_data.import_day.mode: "all" is not a valid choice.',
        ],
    }
