"""One definition, started in every way there is, in a real browser with a real worker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from programs.models import Program, Schedule
from tests.site import Site
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0"}
SOON = 30_000  # milliseconds: what the jobs of the airports take, on a busy machine
DEFINITION = "/admin/programs/definition/airports/change/"
DAY = "2026-11-24"


@pytest.fixture
def address(site: Site, start_web: Start) -> str:
    site.environment["MEDIA_ROOT"] = str(site.folder / "media")
    return f"http://localhost:{start_web(ALLOWED_HOSTS='localhost', **PLAIN).port}"


def log_in(page: Page, address: str) -> None:
    page.goto(f"{address}/admin/login/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "right")
    page.click("[type=submit]")
    page.wait_for_selector("text=Console")


def run_of(page: Page, by: str) -> Locator:
    """Return the newest run of the definition's page that was started so."""
    runs = page.locator("section:has(#runs) tr[data-row]")
    return runs.filter(has_text=re.compile(by)).first


def test_the_import_of_the_airports_is_started_in_four_ways(
    address: str, site: Site, page: Page, in_database: Callable[..., object]
) -> None:
    site.worker().started()
    log_in(page, address)

    # By click, through the form that its serializer draws.
    page.goto(f"{address}/admin/programs/definition/")
    page.click("a:has-text('airports')")
    expect(page.locator("section:has(#runs)")).to_contain_text("It has not been started yet.")
    page.click("#content-main a:has-text('Start'), .object-tools a:has-text('Start')")
    day = page.get_by_label("Day", exact=False)
    expect(day).to_have_attribute("type", "date")
    day.fill("2150-01-01")
    page.click("[type=submit][value=Start]")
    expect(page.locator("#content")).to_contain_text("Must be in 1900 to 2100")
    page.get_by_label("Day", exact=False).fill(DAY)
    page.click("[type=submit][value=Start]")
    page.wait_for_url(re.compile(r"/program/\d+/change/"))
    expect(page.locator("#programs-live")).to_contain_text("finished", timeout=SOON)
    expect(page.locator("#content")).to_contain_text(DAY)

    # By the command line.
    started = ("startprogram", "airports", "--set", f"day={DAY}", "--by", "shell", "--wait", "60")
    site.manage(*started)

    # By POST, in the session of the browser.
    token = next(each["value"] for each in page.context.cookies() if each["name"] == "csrftoken")
    answer = page.request.post(
        f"{address}/api/definitions/airports/start/",
        data=json.dumps({"program_data": {"day": DAY}, "idempotency_key": "by-post"}),
        headers={"Content-Type": "application/json", "X-CSRFToken": token, "Origin": address},
    )
    assert answer.status == 201, answer.text()
    posted = answer.json()["run_id"]

    # By a schedule, which ticks until it is paused.
    page.goto(f"{address}{DEFINITION}")
    page.click("a:has-text('Add schedule')")
    page.fill("[name=interval]", "1")
    page.fill("[name=description]", "all the time")
    page.fill("[name=program_data]", json.dumps({"day": DAY}))
    page.click("[type=submit][value=Save]")
    page.wait_for_url(re.compile(r"/schedule/\d+/change/"))
    schedule = page.url
    expect(page.locator("section:has(#ticks)")).to_contain_text("finished", timeout=SOON)
    page.click("a:has-text('Pause')")
    page.fill("[name=reason]", "seen enough")
    page.click("#content-main [type=submit]")
    page.goto(schedule)
    expect(page.locator("#programs-schedule-live")).to_contain_text("paused")

    # Each has finished, shows on the page of the definition, and is counted there.
    page.goto(f"{address}{DEFINITION}")
    for by in ("shell", "schedule"):
        expect(run_of(page, by)).to_contain_text("finished", timeout=SOON)
    expect(page.locator("section:has(#runs) tr[data-row]", has_text=posted)).to_contain_text(
        "finished", timeout=SOON
    )
    expect(page.locator("section:has(#schedules)")).to_contain_text("paused")
    programs = in_database(lambda: list(Program.objects.filter(definition="airports")))
    assert isinstance(programs, list)
    assert {program.program_data["day"] for program in programs} == {DAY}
    creators = {re.sub(r"\d+", "N", program.created_by) for program in programs}
    assert creators == {"ada", "shell", "schedule N (airports)"}
    assert in_database(lambda: Schedule.objects.get().paused_at) is not None
