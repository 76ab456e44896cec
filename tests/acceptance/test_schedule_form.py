"""The form of a schedule in a real browser: next runs while one types, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.site import Site
from tests.visiting import logged_in, without_javascript
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0", "ALLOWED_HOSTS": "localhost"}
ADD = "/admin/programs/schedule/add/?definition=airports"
PAGE = re.compile(r"/schedule/\d+/change/$")
PREVIEW = ".programs-preview"


@pytest.fixture
def address(site: Site, start_web: Start) -> str:
    return f"http://localhost:{start_web(**PLAIN).port}"


@pytest.fixture
def ada(address: str, page: Page) -> Page:
    return logged_in(page, address, ADD)


@pytest.fixture
def plain(address: str, page: Page) -> Iterator[Page]:
    with without_javascript(page, address, ADD) as own:
        yield own


def test_the_next_runs_are_seen_while_one_types_and_enter_saves(ada: Page) -> None:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    ada.on("console", note)

    ada.locator("[name=cron]").press_sequentially("30 2 * *")
    expect(ada.locator(PREVIEW)).to_contain_text("has 4 fields")
    ada.locator("[name=cron]").press_sequentially(" mon")
    expect(ada.locator(PREVIEW)).to_contain_text("Monday")
    expect(ada.locator(f"{PREVIEW} tbody tr")).to_have_count(5)
    ada.fill("[name=time_zone]", "Europe/Berlin")
    expect(ada.locator(PREVIEW)).to_contain_text("Europe/Berlin")

    ada.press("[name=cron]", "Enter")

    ada.wait_for_url(PAGE)
    expect(ada.locator("#programs-schedule-live")).to_contain_text("Europe/Berlin")
    assert complaints == []


def test_without_javascript_a_button_shows_them_and_loses_nothing(
    plain: Page,
) -> None:
    page = plain
    page.fill("[name=interval]", "7200")
    page.fill("[name=description]", "twice a working hour, almost")
    page.check("[name=overlap][value=allow]")

    page.click("[name=preview]")

    expect(page.locator(PREVIEW)).to_contain_text("Every 2 hours")
    expect(page.locator(f"{PREVIEW} tbody tr")).to_have_count(5)
    expect(page.locator("[name=description]")).to_have_value("twice a working hour, almost")
    expect(page.locator("[name=overlap][value=allow]")).to_be_checked()

    page.click("[type=submit][value=Save]")

    page.wait_for_url(PAGE)
    expect(page.locator("#programs-schedule-live")).to_contain_text("start another beside it")
