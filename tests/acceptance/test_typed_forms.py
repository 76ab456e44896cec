"""The form that a job's serializer draws, in a real browser: by keyboard, on every screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from programs.models import Program
from programs.submission import create_program
from tests.console import CREATE
from tests.site import SITE, Site
from tests.visiting import faults_of, visitor
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0", "ALLOWED_HOSTS": "localhost"}
TYPED = {**PLAIN, "DJANGO_SETTINGS_MODULE": "tests.typed_settings"}


@pytest.fixture
def address(site: Site, start_web: Start) -> str:
    return f"http://localhost:{start_web(**TYPED).port}"


@pytest.fixture
def ada(address: str, browser: Browser) -> Iterator[Page]:
    with visitor(browser, address, "light", 1280) as page:
        page.set_default_timeout(10_000)
        yield page


def draw(page: Page, address: str, jobs: str = "kinds") -> None:
    """Open the page, name the jobs, and let their form be drawn."""
    page.goto(f"{address}{CREATE}")
    page.click("text=As text")
    page.fill("[name=jobs]", jobs)
    page.click("button:text-is('Draw the form')")
    page.wait_for_selector("[name=drawn_for]", state="attached")


def stored(in_database: Callable[[Callable[[], Any]], Any]) -> Program:
    program: Program = in_database(lambda: Program.objects.using(SITE).get())
    return program


def test_a_program_is_created_from_the_form_by_keyboard(
    address: str, ada: Page, in_database: Any
) -> None:
    draw(ada, address)
    ada.fill("[name=job0-text]", "hello")
    ada.fill("[name=job0-day]", "2026-11-24")
    ada.fill("[name=job0-items]", '[{"name": "a", "price": "1"}]')
    ada.press("[name=job0-text]", "Enter")  # to create, and to be told that a field is missing
    told = ada.locator("#id_program-region_error")
    expect(told).to_have_text("This field is required.")
    expect(ada.locator("[name=program-region]")).to_have_attribute("aria-invalid", "true")

    ada.fill("[name=program-region]", "north")
    ada.press("[name=program-region]", "Enter")
    ada.wait_for_url("**/change/")

    program = stored(in_database)
    assert program.program_data == {"region": "north"}
    assert program.job_data["kinds"] == {
        "text": "hello",
        "day": "2026-11-24",
        "number": 5,
        "is_dry": True,
        "is_known": None,
        "choice": "a",
        "items": [{"name": "a", "price": "1.00"}],
    }


def test_lists_are_checked_as_json_while_one_types(address: str, ada: Page) -> None:
    draw(ada, address)
    problem = ada.locator("#id_job0-items_problem")

    ada.fill("[name=job0-items]", '[{"name": }]')
    expect(problem).to_contain_text("expected a value")
    ada.fill("[name=job0-items]", "[1, 2]")
    expect(problem).to_be_empty()


def test_forms_and_raw_json_change_into_each_other(address: str, ada: Page) -> None:
    draw(ada, address)
    ada.fill("[name=job0-number]", "many")
    ada.select_option("[name=job0-choice]", "b")
    ada.check("[name=job0-several][value=y]")
    ada.click("text=Edit as raw JSON")
    ada.wait_for_selector("#id_job_data")
    assert '"number": "many"' in ada.input_value("#id_job_data")

    ada.click("button:text-is('Draw the form')")

    expect(ada.locator("[name=job0-number]")).to_have_value("many")
    expect(ada.locator("[name=job0-choice]")).to_have_value("b")
    expect(ada.locator("[name=job0-several][value=y]")).to_be_checked()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_the_form_is_for_everybody_and_every_screen(
    address: str, browser: Browser, theme: str, width: int
) -> None:
    with visitor(browser, address, theme, width) as page:
        draw(page, address, "kinds, noop")
        assert faults_of(page) == []

        page.fill("[name=job0-number]", "many")
        page.click("input[value=Create]")
        page.wait_for_selector(".errorlist")
        assert faults_of(page) == []


@pytest.mark.parametrize("width", [1280, 320])
def test_what_no_longer_fits_is_for_every_screen(
    address: str, browser: Browser, width: int, in_database: Any
) -> None:
    data = {"kinds": {"text": "x", "day": "y" * 80, "choice": "z" * 80}}
    program = in_database(lambda: unknown_here(data))
    with visitor(browser, address, "light", width) as page:
        page.goto(f"{address}/admin/programs/program/{program.pk}/change/")

        assert page.locator(".programs-misfits li").count() == 3
        assert faults_of(page) == []


def unknown_here(data: Any) -> Program:
    """Return a program of a job that only the web server knows."""
    program = create_program(["noop"], using=SITE)
    Program.objects.using(SITE).update(jobs=["kinds"], job_data=data)
    return program
