"""The project's settings in production, and the headers that its pages carry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.views.debug import get_default_exception_reporter_filter
from pytest_django.fixtures import Settings

from executor_project import settings as settings_of_the_project
from executor_project.policy import MENU, PolicyMiddleware, hash_of
from executor_project.settings import number, switch
from tests.clients import policy_of

ROOT = Path(__file__).parents[2]
OURS = ("AMQP_URL", "DATABASE_URL", "DEBUG", "DJANGO_SETTINGS_MODULE", "SECRET_KEY")
PRODUCTION = {"SECRET_KEY": "a-secret-of-more-than-50-characters-0123456789-abcdefghij"}
PAGES = ["/", "/nowhere/", "/admin/login/", "/admin/programs/program/", "/api/programs/"]

POLICY = {
    "default-src": "'none'",  # objects, frames and workers among them
    "script-src": "'self'",
    "style-src": "'self'",
    "style-src-attr": f"'unsafe-hashes' {hash_of(MENU)}",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")  # of collected static files


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an environment that names nothing of the developer's."""
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_deployment_check_finds_nothing_in_production() -> None:
    strictly = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")

    done = python(*strictly, ALLOWED_HOSTS="console.example.org", **PRODUCTION)

    assert "no issues" in done.stdout, done.stderr
    assert done.returncode == 0


def test_the_deployment_check_is_not_deaf() -> None:
    done = python(
        *("manage.py", "check", "--deploy", "--fail-level", "WARNING"),
        ALLOWED_HOSTS="console.example.org",
        SECURE_SSL_REDIRECT="0",
        **PRODUCTION,
    )

    assert "security.W008" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_a_server_refuses_to_start_without_a_secret(server: str) -> None:
    done = python("-c", f"import executor_project.{server}")

    assert "SECRET_KEY is not set" in done.stderr.splitlines()[-1]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("told", "believed"), [({}, None), ({"TRUSTED_PROXIES": "2"}, "HTTP_X_FORWARDED_PROTO")]
)
def test_a_proxy_is_believed_only_where_there_is_one(
    told: dict[str, str], believed: str | None
) -> None:
    code = "from django.conf import settings; print(settings.SECURE_PROXY_SSL_HEADER)"

    done = python("-c", code, DJANGO_SETTINGS_MODULE="executor_project.settings", **told)

    assert done.stdout.strip() == str(believed and (believed, "https")), done.stderr


NUMBERS = ("TRUSTED_PROXIES", "SECURE_HSTS_SECONDS")
SWITCHES = ("DEBUG", "SECURE_SSL_REDIRECT", "SECURE_HSTS_INCLUDE_SUBDOMAINS")


@pytest.mark.parametrize("told", ["one", "1y", "-5", "²", "9" * 10])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_is_none_is_refused_by_name(
    name: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, told)

    with pytest.raises(ImproperlyConfigured, match=f"^{name}={told} is no number: give digits"):
        number(name, 0)


@pytest.mark.parametrize("told", ["never", "2", "-"])
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_that_is_neither_on_nor_off_is_refused_by_name(
    name: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, told)

    with pytest.raises(ImproperlyConfigured, match=f"^{name}={told} is neither on nor off: give"):
        switch(name, True)


@pytest.mark.parametrize(
    ("told", "default", "meant"),
    [(" 1", False, True), ("Yes", False, True), ("false", True, False), ("0", True, False)]
    + [(nothing, default, default) for nothing in ("", " ") for default in (True, False)],
)
def test_a_switch_is_understood(
    told: str, default: bool, meant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWITCHED", told)

    assert switch("SWITCHED", default) is meant


@pytest.mark.parametrize(("told", "meant"), [(" 1", 1), ("0", 0), ("", 7), (" ", 7)])
def test_a_number_is_understood(told: str, meant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBERED", told)

    assert number("NUMBERED", 7) == meant


@pytest.mark.parametrize("name", [*NUMBERS, *SWITCHES])
def test_each_variable_is_read_so(name: str) -> None:
    wrong, empty = (python("manage.py", "check", **{name: told}) for told in ("wrong", ""))

    assert f"{name}=wrong is n" in wrong.stderr.splitlines()[-1]
    assert (wrong.returncode, empty.returncode) == (1, 0), empty.stderr


def test_no_other_checks_are_silenced_than_these() -> None:
    assert settings_of_the_project.SILENCED_SYSTEM_CHECKS == ["security.W021", "programs.W001"]


def test_a_connection_takes_no_longer_than_a_page_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://db/programs")

    assert settings_of_the_project.database()["OPTIONS"] == {"connect_timeout": 5}


@pytest.mark.django_db
@pytest.mark.parametrize("page", PAGES)
def test_every_page_carries_the_headers(page: str, client: Client) -> None:
    client.force_login(User.objects.create_superuser("ada"))

    headers = client.get(page).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert policy_of(client.get(page)) == POLICY


@pytest.mark.parametrize("status", [400, 404, 500])
def test_the_pages_of_errors_with_debug_keep_their_style(status: int, settings: Settings) -> None:
    settings.DEBUG = True
    page = HttpResponse(status=status)

    PolicyMiddleware(lambda _: page)(HttpRequest())

    assert "Content-Security-Policy" not in page.headers


@pytest.mark.django_db
@pytest.mark.parametrize("page", [*PAGES, "/api/login/login/", "/admin/programs/program/add/"])
def test_no_page_has_what_the_policy_refuses(page: str, client: Client) -> None:
    client.force_login(User.objects.create_superuser("ada"))

    text = client.get(page, headers={"accept": "text/html"}).content.decode()

    scripts = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", text)
    assert [script for script in scripts if 'type="application/json"' not in script] == []
    assert re.findall(r"<style|\son\w+=|javascript:", text) == []
    assert set(re.findall(r'\sstyle="([^"]*)"', text)) <= {MENU}


def test_reports_of_errors_mask_what_holds_a_password(settings: Settings) -> None:
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://ada:planted@broker/", "LOG_FORMAT": "json"}

    shown = get_default_exception_reporter_filter().get_safe_settings()

    assert "planted" not in str(shown)
    assert shown["PROGRAM_EXECUTOR"]["LOG_FORMAT"] == "json"


@pytest.mark.parametrize("page", ["500.html", "503.html"])
def test_the_pages_that_need_no_file_have_one_style(page: str) -> None:
    styles = [
        re.findall(r"<style>.*?</style>", (ROOT / "templates" / name).read_text(), re.DOTALL)
        for name in ("500.html", page)
    ]

    assert styles[0] == styles[1]
    assert len(styles[0]) == 1
