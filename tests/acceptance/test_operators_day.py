"""The whole day of an operator, in a real browser with a real worker; and who may only look."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Page, expect

from programs.models import Operation, Program, State
from programs.submission import create_program
from tests.console import LIST, failing, run
from tests.site import SITE, Site
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0"}
SOON = 15_000  # milliseconds: for what a worker does meanwhile
BROKEN = 7  # programs that a disk which was full has broken


@pytest.fixture
def address(site: Site, start_web: Start) -> str:
    """The console, with programs from the night: some that failed, one that would run for ever."""
    for _ in range(BROKEN):
        run(create_program(["behave"], failing("no space left on device"), created_by="cron"))
    grace = User.objects.db_manager(SITE).create_user("grace", password="right", is_staff=True)
    views = Permission.objects.using(SITE).filter(codename__startswith="view_")
    grace.user_permissions.set(views.filter(content_type__app_label="programs"))
    return f"http://localhost:{start_web(ALLOWED_HOSTS='localhost', **PLAIN).port}"


def log_in(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}/admin/login/")
    page.fill("[name=username]", name)
    page.fill("[name=password]", "right")
    page.click("[type=submit]")
    page.wait_for_selector("text=Console")


def create(page: Page, address: str, jobs: str, data: str) -> str:
    """Create a program by the form, as text, and return its page."""
    page.goto(f"{address}{LIST}add/")
    if page.locator("details:has([name=jobs]) > summary").count():
        page.click("details:has([name=jobs]) > summary")
    page.fill("[name=jobs]", jobs)
    page.fill("[name=program_data]", data)
    page.click("[type=submit][value=Create]")
    page.wait_for_url(re.compile(r"/change/$"))
    return page.url


def test_an_operator_sees_what_happened_and_puts_it_right(
    address: str, site: Site, page: Page, tmp_path: Path, in_database: Callable[..., object]
) -> None:
    site.worker().started()
    log_in(page, address, "ada")

    # Created, and watched live until it fails: nobody reloads the page.
    go = tmp_path / "go"
    data = f'{{"how": ["wait_for_file", "fail"], "file": "{go}", "text": "no such customer"}}'
    program = create(page, address, "behave\nnoop", data)
    expect(page.locator("#programs-live")).to_contain_text("running", timeout=SOON)
    go.touch()
    expect(page.locator("#programs-live")).to_contain_text("finished", timeout=SOON)

    program = create(page, address, "behave\nnoop", '{"how": "fail", "text": "no such customer"}')
    live = page.locator("#programs-live")
    expect(live).to_contain_text("errored", timeout=SOON)
    expect(live).to_contain_text("RuntimeError: no such customer")
    page.click("text=Traceback")
    expect(page.locator("details[open] > pre", has_text="Traceback (most recent")).to_be_visible()

    # The data is edited, and the failed job retried.
    page.click("text=Edit data")
    page.fill("[name=program_data]", '{"how": "succeed"}')
    page.fill("[name=reason]", "the customer was renamed")
    page.click("#content-main [type=submit]")
    page.click("text=Retry")
    page.fill("[name=reason]", "with the right name")
    page.click("#content-main [type=submit]")
    expect(page.locator("#programs-live")).to_contain_text("finished", timeout=SOON)
    assert page.url == program

    # Another one runs for ever, and is stopped.
    never = f'{{"how": "checkpoint_until_file", "file": "{tmp_path / "never"}"}}'
    create(page, address, "behave\nnoop", never)
    expect(page.locator("#programs-live")).to_contain_text("running", timeout=SOON)
    page.click("text=Stop")
    page.fill("[name=reason]", "it hangs")
    page.click("#content-main [type=submit]")
    expect(page.locator("#programs-live")).to_contain_text("stopped", timeout=SOON)

    # The disk is back: all that it broke are retried, in the background.
    page.goto(f"{address}{LIST}?state=errored&q=no+space+left")
    expect(page.locator("[data-row]")).to_have_count(BROKEN)
    page.get_by_text(re.compile("all that match", re.IGNORECASE)).first.wait_for()
    page.locator(
        "a[href*='all=1'][href*='verb=retry'], button[value=retry][name=verb]"
    ).last.click()
    expect(page.locator("#content")).to_contain_text(str(BROKEN))
    page.fill("[name=reason]", "the disk is back")
    page.click("#content-main [type=submit]")
    page.wait_for_url(re.compile(r"/change/$"))
    expect(page.locator("#programs-live")).to_contain_text("finished", timeout=SOON)
    expect(page.locator("#programs-live")).to_contain_text(f"{BROKEN} done")

    # The audit tells all of it.
    page.goto(f"{address}/admin/programs/operation/")
    for told in ("the customer was renamed", "with the right name", "it hangs", "the disk is back"):
        expect(page.locator("#content")).to_contain_text(told)


def test_who_may_only_view_can_change_nothing(
    address: str, page: Page, in_database: Callable[..., object]
) -> None:
    log_in(page, address, "grace")
    before = in_database(lambda: list(Program.objects.values_list("pk", "updated_at")))
    errored = in_database(lambda: Program.objects.in_state(State.ERRORED).values_list("pk")[0][0])

    page.goto(f"{address}{LIST}")
    assert page.locator("button[name=verb]:enabled, a[href*='verb=']").count() == 0
    page.goto(f"{address}{LIST}{errored}/change/")
    levers = page.locator(".object-tools")
    expect(levers).to_contain_text("Retry: needs the permission “Can retry programs”")
    assert levers.locator("a").count() == 0

    forged = """async ([path, body]) => {
        const token = document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? "";
        const headers = {"X-CSRFToken": token, "Content-Type": "application/x-www-form-urlencoded"};
        return (await fetch(path, {method: "POST", headers, body})).status;
    }"""
    for verb in ("stop", "pause", "resume", "retry", "skip", "edit"):
        path = f"{LIST}{errored}/{verb}/"
        body = "reason=x&from_step=0&program_data={}&job_data={}"
        assert page.evaluate(forged, [path, body]) == 403, verb
    for path in (
        f"{LIST}add/",
        f"{LIST}bulk/?verb=retry&all=1",
        f"{LIST}{errored}/change/",
        f"{LIST}{errored}/delete/",
    ):
        assert page.evaluate(forged, [path, "jobs=noop&reason=x&post=yes"]) in (403, 405), path

    after = in_database(lambda: list(Program.objects.values_list("pk", "updated_at")))
    assert after == before
    assert in_database(Operation.objects.count) == 0
