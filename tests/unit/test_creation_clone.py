"""Cloning a program with edits: what is filled in, and what becomes of its secrets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from programs.models import Program
from programs.submission import create_program
from tests.clients import ADD, VIEW, client_of
from tests.console import CREATE, page_of

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

REVEAL = "reveal_secrets"
PARTS = ("jobs", "program_data", "job_data", "queue", "run_at", "idempotency_key", "clone")


@pytest.fixture
def source() -> Program:
    """A program with secrets in both kinds of its data."""
    return create_program(
        ["noop", "count", "noop"],
        {"year": 2024, "login": {"password": "s3cr3t"}, "hosts": [{"token": "one"}]},
        {"count": {"n": 3, "api_key": "s3cr3t too"}},
        queue="reports",
        run_at=datetime.now(UTC) + timedelta(days=1),
        idempotency_key="orders",
    )


def clone_page(program: Program) -> str:
    return f"{CREATE}?clone={program.pk}"


def filled_in(client: Client, program: Program) -> dict[str, Any]:
    """Return what the form begins with, as a browser would send it back."""
    form = client.get(clone_page(program)).context["form"]
    return {name: form[name].value() or "" for name in PARTS}


def clone_of(source: Program) -> Program:
    return Program.objects.exclude(pk=source.pk).get()


def test_the_form_begins_with_what_the_program_is_made_of(
    admin_client: Client, source: Program
) -> None:
    given = filled_in(admin_client, source)

    assert given["jobs"] == "noop\ncount\nnoop"
    assert json.loads(given["program_data"]) == source.program_data
    assert json.loads(given["job_data"]) == source.job_data
    assert given["queue"] == "reports"
    assert (given["run_at"], given["idempotency_key"]) == ("", "")


def test_a_clone_is_created_with_its_edits(admin_client: Client, source: Program) -> None:
    given = filled_in(admin_client, source)

    response = admin_client.post(CREATE, {**given, "jobs": "count\nnoop", "queue": "other"})

    clone = clone_of(source)
    assert response["Location"] == page_of(clone)
    assert (clone.jobs, clone.queue) == (["count", "noop"], "other")
    assert clone.program_data == source.program_data
    assert clone.job_data == source.job_data
    assert (clone.run_at, clone.idempotency_key) == (None, None)


def test_who_may_not_reveal_secrets_clones_them_unseen(source: Program) -> None:
    client = client_of(VIEW, ADD)
    page = client.get(clone_page(source)).content.decode()
    given = filled_in(client, source)
    data = json.loads(given["program_data"])
    data["year"] = 2025

    client.post(CREATE, {**given, "program_data": json.dumps(data)})

    assert "s3cr3t" not in page
    clone = clone_of(source)
    assert clone.program_data == {**source.program_data, "year": 2025}
    assert clone.job_data == source.job_data


def test_the_call_of_a_clone_shows_masks_to_who_may_not_reveal(source: Program) -> None:
    client = client_of(VIEW, ADD)
    given = filled_in(client, source)

    page = client.post(CREATE, {**given, "show": "1"}).content.decode()

    assert "s3cr3t" not in page
    assert "***" in page
    assert "Masked secrets stay masked" in page


def test_a_secret_that_is_typed_takes_the_place_of_a_mask(source: Program) -> None:
    client = client_of(VIEW, ADD)
    given = filled_in(client, source)

    client.post(CREATE, {**given, "program_data": '{"login": {"password": "new"}}'})

    assert clone_of(source).program_data == {"login": {"password": "new"}}


STRAY = [
    ("program_data", '{"token": "***"}', "token is masked"),
    ("program_data", '{"x": {"password": "***"}}', "x.password is masked"),
    ("program_data", '{"hosts": [{"token": "***"}, {"token": "***"}]}', "hosts[1].token is"),
    ("job_data", '{"noop": {"api_key": "***"}}', "noop.api_key is masked"),
]


@pytest.mark.parametrize(("part", "typed", "error"), STRAY)
def test_a_mask_that_hides_nothing_is_refused(
    source: Program, part: str, typed: str, error: str
) -> None:
    client = client_of(VIEW, ADD)
    given = filled_in(client, source)

    form = client.post(CREATE, {**given, part: typed}).context["form"]

    assert list(form.errors) == [part]
    assert error in str(form.errors[part])
    assert form[part].value() == typed
    assert Program.objects.count() == 1


def test_masks_of_a_program_that_is_gone_are_refused_and_the_rest_is_kept(source: Program) -> None:
    client = client_of(VIEW, ADD)
    given = filled_in(client, source)
    Program.objects.all().delete()

    form = client.post(CREATE, given).context["form"]

    assert list(form.errors) == ["program_data", "job_data"]
    assert form["jobs"].value() == given["jobs"]
    assert not Program.objects.exists()


def test_a_clone_without_secrets_outlives_its_source(source: Program) -> None:
    client = client_of(VIEW, ADD)
    given = {**filled_in(client, source), "program_data": '{"year": 1}', "job_data": ""}
    Program.objects.all().delete()

    client.post(CREATE, given)

    assert Program.objects.get().program_data == {"year": 1}


def test_who_may_reveal_secrets_stores_a_mask_as_it_is(source: Program) -> None:
    client = client_of(VIEW, ADD, REVEAL)
    given = filled_in(client, source)

    client.post(CREATE, {**given, "program_data": '{"token": "***"}'})

    assert clone_of(source).program_data == {"token": "***"}


def test_who_may_not_view_clones_nothing(source: Program) -> None:
    client = client_of(ADD)
    secrets = {"program_data": '{"login": {"password": "***"}}', "job_data": "{}"}
    given = {"jobs": "noop", "queue": "default", "clone": str(source.pk), **secrets}

    assert client.get(clone_page(source)).status_code == 403
    assert client.post(CREATE, given).status_code == 403
    assert Program.objects.count() == 1


@pytest.mark.parametrize("pk", ["0", "x", "9" * 40, "1_5F2"])
def test_a_program_that_is_not_there_is_not_found(admin_client: Client, pk: str) -> None:
    assert admin_client.get(f"{CREATE}?clone={pk}").status_code == 404


def test_a_name_that_holds_commas_stays_one_name(admin_client: Client) -> None:
    source = Program.objects.create(jobs=["a, b", "noop"], queue=None)
    given = filled_in(admin_client, source)

    page = admin_client.post(CREATE, {**given, "show": "1"})

    assert given["queue"] == "default"
    assert page.context["form"].cleaned_data["jobs"] == ["a, b", "noop"]


def test_a_row_that_holds_no_list_of_jobs_can_be_cloned(admin_client: Client) -> None:
    source = Program.objects.create(jobs={"not": "ours"}, program_data=[1], queue="default")

    given = filled_in(admin_client, source)

    assert given["jobs"] == ""
    assert json.loads(given["program_data"]) == [1]


def test_long_data_is_filled_in_no_longer_than_it_is_stored(admin_client: Client) -> None:
    source = create_program(["noop"], {"numbers": [1] * 60_000})

    given = filled_in(admin_client, source)
    admin_client.post(CREATE, given)

    assert len(given["program_data"]) < 130_000
    assert clone_of(source).program_data == source.program_data
