"""The console: forms that serializers draw, of clones with secrets and of what is hostile."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers

from programs.models import Program
from programs.submission import create_program
from tests.browsing import Page, job, page
from tests.clients import ADD, VIEW, client_of
from tests.console import CREATE
from tests.typed import DAY, REGION, DayData, serializer_of, typed_job

__all__ = ["job", "page"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]


# Clones -----------------------------------------------------------------------------------------


def secret_job() -> Any:
    login = serializer_of(user=serializers.CharField(), password=serializers.CharField())
    data_class = serializer_of(
        day=serializers.DateField(),
        token=serializers.ChoiceField(["good-token"]),
        pin_token=serializers.IntegerField(),
        tokens=serializers.ListField(required=False),
        is_secret=serializers.BooleanField(),
        login=login(required=False),
    )
    return typed_job(data_class=data_class, program_data_class=None)


SECRETS = {
    "day": "2026-11-24",
    "token": "good-token",
    "pin_token": 1234,
    "tokens": ["one-token"],
    "is_secret": True,
    "login": {"user": "ada", "password": "s3cr3t-word"},
    "api_key": "s3cr3t-key",
}


def clone_page(client: Client, program: Program) -> Page:
    return Page(client, f"{CREATE}?clone={program.pk}")


def test_a_clone_begins_with_the_form(job: None, admin_client: Client) -> None:
    source = create_program(["import_day"], REGION, {"import_day": {**DAY, "page": 3}})

    page = clone_page(admin_client, source)
    assert page.value("job0-day") == "2026-11-24"
    page.send(job0__day="2026-11-25")

    clone = Program.objects.exclude(pk=source.pk).get()
    assert clone.job_data == {"import_day": {**source.job_data["import_day"], "day": "2026-11-25"}}


@pytest.mark.parametrize("buttons", [[], ["raw"], ["raw", "form"], ["form", "raw", "raw"]])
def test_masked_secrets_go_through_the_form_unseen(buttons: list[str]) -> None:
    with secret_job():
        source = create_program(["import_day"], job_data={"import_day": SECRETS})
        page = clone_page(client_of(VIEW, ADD), source)
        seen = [page.html]
        for wanted in buttons:
            page.send(draw=wanted)
            seen.append(page.html)
        page.send()

        clone = Program.objects.exclude(pk=source.pk).get()
    assert clone.job_data == source.job_data
    secrets = ("good-token", "1234", "one-token", "s3cr3t-word", "s3cr3t-key")
    options = '<option value="good-token">good-token</option>'  # what may be chosen is none
    for html in seen:
        assert not [each for each in secrets if each in html.replace(options, "")]


def test_a_secret_that_does_not_fit_any_more_is_not_told(job: None) -> None:
    old = {"import_day": {**DAY, "token": "s3cr3t"}}
    source = Program.objects.create(jobs=["import_day"], program_data=REGION, job_data=old)
    page = clone_page(client_of(VIEW, ADD), source)

    page.send()

    assert "s3cr3t" not in page.html
    told = next(iter(page.errors().values()))
    assert told == ['"***" is not a valid choice.']


def test_a_mask_in_a_form_that_hides_nothing_is_refused(job: None) -> None:
    source = create_program(["import_day"], REGION, {"import_day": DAY})
    page = clone_page(client_of(VIEW, ADD), source)

    page.send(**{"job0__token.json": '"***"'})

    assert page.errors() == {
        "*": [
            "Job data: import_day.token is masked, and there is no secret to put in its place: "
            "type it, or leave it out."
        ]
    }


def test_the_default_of_a_secret_is_filled_in_and_not_shown() -> None:
    data_class = serializer_of(
        token=serializers.CharField(default="hidden-one", allow_blank=True),
        page=serializers.IntegerField(default=7),
    )
    with typed_job("hush", data_class, None):
        page = Page(client_of(VIEW, ADD))
        page.send(jobs="hush", draw="form")
        drawn = page.html
        page.send()

    assert Program.objects.get().job_data == {"hush": {"token": "hidden-one", "page": 7}}
    assert "hidden-one" not in drawn
    assert "Empty: its default." in drawn


@pytest.mark.parametrize(
    "given",
    [
        {"note": ""},
        {"note": None},
        {"note": "x"},
        {},
        {"is_dry": None, "modes": []},
        {"token": ""},
        {"token": "t0psecret"},
    ],
)
def test_what_is_empty_in_a_clone_stays_as_it_is(
    admin_client: Client, given: dict[str, Any]
) -> None:
    data_class = serializer_of(
        note=serializers.CharField(required=False, allow_blank=True, allow_null=True),
        is_dry=serializers.BooleanField(required=False, allow_null=True),
        modes=serializers.MultipleChoiceField(choices=["a", "b"], required=False),
        token=serializers.CharField(default="hidden-one", allow_blank=True),
    )
    with typed_job("blank", data_class, None):
        source = create_program(["blank"], {}, {"blank": given})
        page = clone_page(admin_client, source)
        page.send(draw="raw")
        page.send(draw="form")
        page.send()

    clone = Program.objects.latest("pk")
    assert clone.pk != source.pk
    assert clone.job_data == source.job_data


# What is hostile --------------------------------------------------------------------------------


def broken(self: Any, *args: Any, **options: Any) -> None:
    raise ValueError("<b>broken</b>")


@pytest.mark.parametrize("method", ["__init__", "validate", "get_fields"])
def test_a_serializer_that_raises_leaves_the_page_open_and_is_told(
    admin_client: Client, method: str
) -> None:
    with typed_job(data_class=serializer_of(**{method: broken})):
        page = Page(admin_client)
        page.send(jobs="import_day", draw="form")
        page.send(**({"program__region": "north"} if "program-region" in page.fields else {}))

    assert page.answer.status_code == 200
    assert "MadeData raised ValueError: &lt;b&gt;broken&lt;/b&gt;" in page.html
    assert not Program.objects.exists()


def test_half_a_character_of_a_serializer_leaves_the_page_open(admin_client: Client) -> None:
    field = serializers.CharField(default="\ud800", help_text="\udfff", label="\ud800")
    with typed_job("half", serializer_of(name=field), None):
        page = Page(admin_client)
        page.send(jobs="half", draw="form")

    assert page.answer.status_code == 200
    assert "\\udfff." in page.html


def test_a_page_draws_no_more_fields_than_a_request_may_hold(admin_client: Client) -> None:
    many = {f"f{number}": serializers.CharField(required=False) for number in range(190)}
    names = [f"job_{number}" for number in range(5)]
    data_class = serializer_of(**many)
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(typed_job(name, data_class, None))
        page = Page(admin_client)
        page.send(jobs="\n".join(names), draw="form")

        assert "Data of job_3 cannot be drawn as a form: the page would have too" in page.html
        page.send(job2__f0="kept", job_data='{"job_4": {"f1": "x"}}')

    assert Program.objects.get().job_data == {"job_2": {"f0": "kept"}, "job_4": {"f1": "x"}}


def test_a_forged_list_of_what_was_drawn_is_harmless(page: Page) -> None:
    for forged in ("{", "5", "[5, {}]", '["noop", "gone"]', "[" * 100_000):
        page.send(drawn_for=forged)

        assert page.answer.status_code == 200
    assert not Program.objects.exists()


def test_the_form_of_a_job_with_a_strange_name_works(admin_client: Client) -> None:
    name = "a.b[0] <i>\u05d0"
    with typed_job(name, DayData, None):
        page = Page(admin_client)
        page.send(jobs=name, draw="form")
        page.send(job0__day="x")

        assert "Data of a.b[0] &lt;i&gt;" in page.html
        assert sorted(page.errors()) == ["job0-day", "job0-mode"]
