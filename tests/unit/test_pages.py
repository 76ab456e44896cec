"""The project's own pages: the landing page and those that say what went wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")  # of collected static files

ROOT = Path(__file__).parents[2]


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("broken")


urlpatterns = [path("broken/", fail)]


def test_the_landing_page_leads_to_the_console_and_the_api(client: Client) -> None:
    page = client.get("/").content.decode()  # without a database: this test may use none

    assert 'href="/admin/programs/program/"' in page
    assert 'href="/api/programs/"' in page


def test_a_page_that_is_not_there_says_so(client: Client) -> None:
    response = client.get("/nowhere/")

    assert response.status_code == 404
    assert "There is no page at this address." in response.content.decode()


@pytest.mark.urls(__name__)
def test_a_failure_is_told_by_a_page_that_needs_nothing() -> None:
    response = Client(raise_request_exception=False).get("/broken/")

    assert response.status_code == 500
    assert "Something failed" in response.content.decode()
    assert "{%" not in (ROOT / "templates/500.html").read_text()


@pytest.mark.django_db
def test_the_console_bears_the_name_and_the_logo(client: Client) -> None:
    client.force_login(User.objects.create_superuser("ada"))

    page = client.get("/admin/").content.decode()

    assert "/static/logo.svg" in page
    assert "Program Executor" in page
