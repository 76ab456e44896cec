"""The page of a program in a browser: its keys, what it copies, and what it leaves as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from programs.models import Program
from programs.submission import create_program
from tests.console import LIST, add_attempt
from tests.site import Site
from tests.visiting import visitor
from tests.waiting import eventually
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0"}
DATA = {"rows": list(range(40)), "page": "x" * 500, "few": {"a": None, "b": 1.5}}
NEWS = 10_000  # milliseconds: the page asks every two seconds

InDatabase = Callable[[Callable[[], object]], object]


@pytest.fixture
def program(site: Site) -> Program:
    """A program that waits, so that its page moves, with a failed attempt."""
    program = create_program(["noop", "noop"], DATA)
    add_attempt(program, message="no such order", traceback="Traceback (most recent call last): x")
    return program


@pytest.fixture
def address(program: Program, start_web: Start) -> str:
    return f"http://localhost:{start_web(ALLOWED_HOSTS='localhost', **PLAIN).port}"


def path_of(program: Program) -> str:
    return f"{LIST}{program.pk}/change/"


def until_asked_again(page: Page) -> None:
    """Wait until the page has shown news once more."""
    page.evaluate(
        "() => { window.swapped = false;"
        "document.addEventListener('htmx:afterSwap', () => { window.swapped = true; }); }"
    )
    eventually(lambda: page.evaluate("window.swapped"), within=NEWS / 1000)


def test_what_is_copied_is_the_json_with_all_that_is_folded(
    address: str, program: Program, browser: Browser
) -> None:
    with visitor(browser, address, "light", 1280) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(address + path_of(program))
        page.click("[data-copy='#program-data']")
        expect(page.locator("[data-copy='#program-data']")).to_have_text("Copied")

        assert json.loads(page.evaluate("navigator.clipboard.readText()")) == DATA


def test_news_leave_open_what_one_has_opened(
    address: str, program: Program, browser: Browser, in_database: InDatabase
) -> None:
    with visitor(browser, address, "light", 1280) as page:
        page.goto(address + path_of(program))
        page.click("summary:has-text('characters)')")
        page.click("text=Attempt 1:")  # it was open, and is closed now
        in_database(lambda: Program.objects.filter(pk=program.pk).update(created_by="hopper"))
        expect(page.locator("#programs-live")).to_contain_text("hopper", timeout=NEWS)

        assert page.locator("details[data-fold='program data/page']").get_attribute("open") == ""
        assert page.locator("details[data-fold='attempt 1 1']").get_attribute("open") is None


def test_nothing_moves_under_a_text_that_is_marked(
    address: str, program: Program, browser: Browser
) -> None:
    with visitor(browser, address, "light", 1280) as page:
        page.goto(address + path_of(program))
        until_asked_again(page)
        page.evaluate("getSelection().selectAllChildren(document.querySelector('#program-data'))")
        page.evaluate("document.querySelector('#program-data').dataset.mark = 'same'")
        with page.expect_response(re.compile(r"live=1")):
            pass
        with page.expect_response(re.compile(r"live=1")):
            pass

        assert page.locator("#program-data").get_attribute("data-mark") == "same"
        page.evaluate("getSelection().removeAllRanges()")
        until_asked_again(page)
        assert page.locator("#program-data").get_attribute("data-mark") is None


def test_keys_go_from_step_to_step_open_one_and_tell_what_they_are(
    address: str, program: Program, browser: Browser
) -> None:
    with visitor(browser, address, "light", 1280) as page:
        page.goto(address + path_of(program))
        page.keyboard.press("?")
        expect(page.locator("#programs-keys")).to_be_visible()
        page.keyboard.press("Escape")

        for key, focused in (("j", 0), ("j", 1), ("j", 1), ("k", 0)):
            page.keyboard.press(key)
            here = "[...document.querySelectorAll('[data-row]')].indexOf(document.activeElement)"
            assert page.evaluate(here) == focused
        page.keyboard.press("Enter")
        assert page.locator("details[data-fold='attempt 1 1']").get_attribute("open") is None
