"""The list of programs in a real browser: it tells what happens, and moves nothing meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from programs.models import Program, State
from programs.submission import create_program
from tests.console import LIST, claim
from tests.site import Site
from tests.web import Start, Web

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0"}
NEWS = 4_000  # milliseconds: it asks every two seconds
STALE = 15_000  # milliseconds: the banner comes after six seconds, once requests fail

InDatabase = Callable[..., object]


@pytest.fixture
def running(site: Site) -> Program:
    """A program that a slot holds, between two others."""
    create_program(["noop"])
    running = claim(create_program(["noop"]))
    create_program(["noop"])
    return running


@pytest.fixture
def web(running: Program, start_web: Start) -> Web:
    return start_web(ALLOWED_HOSTS="localhost", **PLAIN)


@pytest.fixture
def shown(web: Web, page: Page) -> Page:
    """The list, as ada sees it."""
    address = f"http://localhost:{web.port}"
    page.goto(f"{address}/admin/login/?next={LIST}")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "right")
    page.click("[type=submit]")
    page.wait_for_selector("[data-row]")
    return page


def places(page: Page) -> object:
    """Return where each row and each chip is."""
    return page.evaluate(
        "[...document.querySelectorAll('[data-row], .programs-chips a, .programs-together')]"
        ".map((one) => [one.textContent.match(/[0-9a-f]{24}/)?.[0],"
        " ...Object.values(one.getBoundingClientRect().toJSON())])"
    )


def test_what_happens_is_told_in_its_place(
    shown: Page, running: Program, in_database: InDatabase
) -> None:
    row = shown.locator("[data-row]", has_text=running.run_id)
    expect(row).to_contain_text("running")
    before = places(shown)
    box = row.locator("[name=run_id]")
    box.check()
    box.focus()

    in_database(lambda: fail(running))

    expect(row).to_contain_text("errored", timeout=NEWS)
    expect(row).to_contain_text("no such order")
    expect(shown.locator("#count-running")).to_have_text("0")
    expect(shown.locator("#count-errored")).to_have_text("1")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    assert places(shown) == before


def test_new_programs_are_counted_and_come_when_one_asks(
    shown: Page, in_database: InDatabase
) -> None:
    before = places(shown)

    in_database(lambda: create_program(["noop"]))

    new = shown.get_by_role("link", name="1 new")
    new.wait_for(timeout=NEWS)
    assert places(shown) == before
    new.click()
    expect(shown.locator("[data-row]")).to_have_count(4)
    expect(new).to_have_count(0)


def test_nothing_is_asked_while_nobody_looks(shown: Page) -> None:
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    hidden = "{get: () => true, configurable: true}"
    shown.evaluate(f"Object.defineProperty(document, 'hidden', {hidden})")

    shown.wait_for_timeout(5_000)

    assert asked == []
    with shown.expect_request("**/*live=1*", timeout=1_000):  # at once
        shown.evaluate(
            "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"
        )


def test_a_server_that_is_gone_is_told(shown: Page, web: Web) -> None:
    banner = shown.locator(".programs-stale")
    before = places(shown)
    expect(banner).to_be_empty()

    web.end()

    expect(banner).to_contain_text("Not updated since ", timeout=STALE)
    expect(banner).to_contain_text(": the server does not answer. Reload")
    assert places(shown) == before


def test_one_who_is_logged_out_is_told_and_the_page_stays(shown: Page) -> None:
    rows = shown.locator("[data-row]")

    shown.context.clear_cookies()

    banner = shown.locator(".programs-stale")
    expect(banner).to_contain_text("you are logged out", timeout=STALE)
    expect(rows).to_have_count(3)
    assert shown.title().startswith("Programs")
    banner.get_by_role("link", name="Reload").click()
    shown.wait_for_selector("[name=password]")


def test_a_server_that_answers_again_takes_the_banner_away(shown: Page) -> None:
    shown.route("**/*live=1*", lambda route: route.fulfill(status=503, body="busy"))
    banner = shown.locator(".programs-stale")
    expect(banner).to_contain_text("the server answered with an error (503)", timeout=STALE)

    shown.unroute("**/*live=1*")

    expect(banner).to_be_empty(timeout=NEWS)


def test_all_rows_of_the_page_are_selected_at_once(shown: Page) -> None:
    every = shown.get_by_label("Select all on this page")
    boxes = shown.locator("[name=run_id]")

    every.check()
    assert all(box.is_checked() for box in boxes.all())
    boxes.first.uncheck()
    assert every.evaluate("(box) => box.indeterminate")
    every.check()
    every.uncheck()
    assert not any(box.is_checked() for box in boxes.all())


def test_the_list_is_gone_through_by_keys_alone(shown: Page) -> None:
    shown.keyboard.press("/")
    expect(shown.locator("[name=q]")).to_be_focused()
    shown.keyboard.press("Tab")

    shown.keyboard.press("j")
    shown.keyboard.press("j")
    second = shown.locator("[data-row]").nth(1).get_attribute("data-href")
    shown.keyboard.press("Enter")

    shown.wait_for_url(f"**{second}")


def fail(program: Program) -> None:
    """Let the running job of a program have failed."""
    current = Program.objects.get(pk=program.pk)
    Program.objects.filter(pk=program.pk).update(
        errored_at=current.started_at,
        error_message="there is no such order " * 8,
        due_at=None,
        worker=None,
    )
    assert Program.objects.get(pk=program.pk).state is State.ERRORED
