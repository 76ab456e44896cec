"""Every page of the console: for everybody, on every screen, in both themes, without a mouse."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import URLPattern
from playwright.sync_api import Browser, ConsoleMessage

from tests.every_page import every_page
from tests.site import Site
from tests.visiting import faults_of, visitor
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

WIDE, NARROW = 1280, 320  # pixels
PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0"}


@pytest.fixture
def paths(site: Site) -> dict[str, str]:
    return every_page()


@pytest.fixture
def address(start_web: Start, paths: dict[str, str]) -> str:
    return f"http://localhost:{start_web(ALLOWED_HOSTS='localhost', **PLAIN).port}"


@pytest.mark.parametrize(
    ("theme", "width", "language"),
    [
        ("light", WIDE, "en"),
        ("dark", WIDE, "en"),
        ("light", NARROW, "en"),
        ("light", WIDE, "de"),  # whose words are longer
        ("dark", NARROW, "de"),
    ],
)
def test_every_page_is_accessible_and_fits_the_screen(
    address: str,
    paths: dict[str, str],
    browser: Browser,
    theme: str,
    width: int,
    language: str,
) -> None:
    found: dict[str, list[str]] = {}

    with visitor(browser, address, theme, width, language) as page:
        for name, path in paths.items():
            answer = page.goto(address + path)
            assert answer is not None
            assert answer.status == 200, name
            assert page.locator(f"html[lang^={language}]").count() == 1
            if faults := faults_of(page):
                found[name] = faults

    assert found == {}


def test_no_page_of_the_console_is_left_out(paths: dict[str, str]) -> None:
    names = {
        pattern.name
        for model, pages in admin.site._registry.items()
        if model._meta.app_label == "programs"
        for pattern in pages.get_urls()
        if isinstance(pattern, URLPattern) and pattern.name
    }
    nobodys: tuple[str, ...] = ("_history", "_delete", "worker_add", "operation_add", "queue_add")
    nobodys += ("queue_change", "schedule_preview")  # the latter is a piece of a page
    assert {name for name in names if not name.endswith(nobodys)} <= paths.keys()


def test_the_hostile_texts_did_nothing_but_stand_there(
    address: str, paths: dict[str, str], browser: Browser
) -> None:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):  # and no mere advice
            complaints.append(f"{message.page and message.page.url}: {message.text}")

    with visitor(browser, address, "light", WIDE) as page:
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        for name, path in paths.items():
            page.goto(address + path)
            assert "\u202e" not in page.content(), name

    assert complaints == []
