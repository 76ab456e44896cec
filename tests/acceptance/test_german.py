"""What the scripts of the console say, in a browser that prefers German."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from programs.submission import create_program
from tests.console import CREATE, page_of
from tests.site import Site
from tests.visiting import visitor
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0", "ALLOWED_HOSTS": "localhost"}
STALE = 15_000  # milliseconds: the banner comes after six seconds, once requests fail


@pytest.fixture
def path(site: Site) -> str:
    return page_of(create_program(["noop"]))


@pytest.fixture
def ada(path: str, start_web: Start, browser: Browser) -> Iterator[tuple[Page, str]]:
    """Her page, and the address of the site."""
    address = f"http://localhost:{start_web(**PLAIN).port}"
    with visitor(browser, address, "light", 1280, "de-DE") as page:
        yield page, address


def test_the_picker_of_jobs_speaks_it(ada: tuple[Page, str]) -> None:
    page, address = ada
    page.goto(address + CREATE)
    expect(page.locator("#chosen-jobs")).to_have_text("Gewählte Jobs in ihrer Reihenfolge")

    page.get_by_role("button", name="noop hinzufügen").click()

    chosen = page.locator(".programs-chosen li")
    expect(chosen).to_contain_text("noop")
    expect(chosen.get_by_role("button", name="noop, Schritt 1: Entfernen")).to_be_visible()
    expect(page.locator(".programs-picker [role=status]")).to_have_text("noop ist jetzt Schritt 1.")
    page.fill("#find-job", "nothing like it")
    expect(page.locator(".programs-picker [role=status]")).to_have_text("0 Jobs passen.")


def test_buttons_and_the_banner_do_so_too(ada: tuple[Page, str], path: str) -> None:
    page, address = ada
    page.goto(address + path)

    page.locator("[data-copy='#program-data']").click()

    expect(page.locator("[data-copy='#program-data']")).to_contain_text("opiert")
    page.route("**/*live=1*", lambda route: route.abort())
    banner = page.locator(".programs-stale")
    expect(banner).to_contain_text("Nicht aktualisiert seit", timeout=STALE)
    expect(banner).to_contain_text("der Server antwortet nicht. Neu laden")
