"""Creating a program in a real browser: by keyboard, by mouse, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from programs.models import Program
from programs.operations import pause_program
from programs.submission import create_program
from tests.console import CREATE
from tests.site import SITE, Site
from tests.visiting import logged_in, without_javascript
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0", "ALLOWED_HOSTS": "localhost"}
PROGRAM_PAGE = re.compile(r"/\d+/change/$")
DATA = "#id_program_data"
PROBLEM = "#id_program_data_problem"


@pytest.fixture
def source(site: Site) -> Program:
    """A program to be cloned; made first, for the ORM and a page do not go together."""
    return create_program(["noop", "count"], {"year": 2024}, {"count": {"n": 3}}, using=SITE)


@pytest.fixture
def paused(source: Program) -> Program:
    return pause_program(source)


@pytest.fixture
def address(source: Program, start_web: Start) -> str:
    return f"http://localhost:{start_web(**PLAIN).port}"


@pytest.fixture
def ada(address: str, page: Page) -> Page:
    return logged_in(page, address, CREATE)


@pytest.fixture
def plain(address: str, page: Page) -> Iterator[Page]:
    with without_javascript(page, address, CREATE) as own:
        yield own


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until the element has the focus."""
    for _ in range(80):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    pytest.fail(f"{selector} is not reached by {key}")


def button(label: str) -> str:
    return f'[aria-label="{label}"]'


def chosen(page: Page) -> list[str]:
    return page.locator(".programs-chosen bdi").all_inner_texts()


def choose(page: Page, *names: str) -> None:
    tab_to(page, "#find-job")
    for name in names:
        page.keyboard.type(name)
        page.keyboard.press("Enter")


def created(page: Page, source: Program) -> Any:
    """Return the program that was created besides the source, as the API tells of it."""
    page.wait_for_url(PROGRAM_PAGE)
    origin = page.url.partition("/admin/")[0]
    listed = page.request.get(f"{origin}/api/programs/").json()["results"]
    (run_id,) = [program["run_id"] for program in listed if program["run_id"] != source.run_id]
    return page.request.get(f"{origin}/api/programs/{run_id}/").json()


def test_a_program_is_put_together_by_keyboard_alone(ada: Page, source: Program) -> None:
    choose(ada, "noop", "behave", "count")
    assert chosen(ada) == ["noop", "behave", "count"]

    tab_to(ada, button("Up count, step 3"), "Shift+Tab")
    ada.keyboard.press("Enter")
    expect(ada.locator(button("Up count, step 2"))).to_be_focused()
    expect(ada.get_by_role("status").filter(has_text="count is step 2 of 3 now.")).to_be_attached()
    tab_to(ada, button("Remove noop, step 1"), "Shift+Tab")
    ada.keyboard.press("Enter")
    expect(ada.locator(button("Remove count, step 1"))).to_be_focused()
    assert chosen(ada) == ["count", "behave"]

    tab_to(ada, DATA)
    ada.keyboard.type('{"exact": 12345678901234567890,\n "year" 2024}')
    expect(ada.locator(PROBLEM)).to_have_text("Line 2, column 9: expected a colon.")
    expect(ada.locator(DATA)).to_have_attribute("aria-invalid", "true")
    for _ in range(len(" 2024}")):
        ada.keyboard.press("ArrowLeft")
    ada.keyboard.type(":")
    expect(ada.locator(PROBLEM)).to_have_text("")
    expect(ada.locator(DATA)).not_to_have_attribute("aria-invalid", "true")

    tab_to(ada, "input[value=Create]")
    ada.keyboard.press("Enter")
    program = created(ada, source)
    assert program["jobs"] == ["count", "behave"]
    assert program["program_data"] == {"exact": 12345678901234567890, "year": 2024}


def test_jobs_are_moved_by_alt_and_arrows_and_the_focus_goes_with_them(ada: Page) -> None:
    choose(ada, "noop", "count")
    tab_to(ada, button("Remove noop, step 1"), "Shift+Tab")

    ada.keyboard.press("Alt+ArrowDown")

    assert chosen(ada) == ["count", "noop"]
    expect(ada.locator(button("Remove noop, step 2"))).to_be_focused()
    ada.keyboard.press("Alt+ArrowDown")
    expect(ada.get_by_role("status").filter(has_text="noop is the last step.")).to_be_attached()
    ada.keyboard.press("Enter")
    ada.keyboard.press("Enter")
    expect(ada.locator("#find-job")).to_be_focused()
    assert chosen(ada) == []


def test_jobs_are_found_by_their_descriptions_and_added_from_the_list(ada: Page) -> None:
    tab_to(ada, "#find-job")
    ada.keyboard.type("adds one")
    expect(ada.locator(".programs-catalog li:visible")).to_have_count(1)

    ada.keyboard.press("ArrowDown")
    ada.keyboard.press("Enter")
    ada.keyboard.press("Space")
    ada.keyboard.press("ArrowUp")

    assert chosen(ada) == ["count", "count"]
    expect(ada.locator(".programs-chosen")).to_contain_text("Reads its data and adds one to `n`.")
    expect(ada.locator("#find-job")).to_be_focused()
    ada.keyboard.type("no such job")
    ada.keyboard.press("Enter")
    expect(ada.get_by_text("No job matches.").first).to_be_visible()
    assert chosen(ada) == ["count", "count"]


def test_the_names_as_text_and_the_list_follow_each_other(ada: Page) -> None:
    ada.click("text=As text")
    ada.fill("#id_jobs", "noop, count\n\nunheard_of")
    assert chosen(ada) == ["noop", "count", "unheard_of"]
    expect(ada.locator(".programs-chosen")).to_contain_text("No job of this name is known here.")

    ada.click(button("Remove unheard_of, step 3"))
    ada.click(button("Add behave"))
    ada.click(button("Down noop, step 1"))

    expect(ada.locator("#id_jobs")).to_have_value("count\nnoop\nbehave")


TYPED = [
    ("", ""),
    ('{"a": [1, -2.5e3, true, null, "\\u00e9\\n"], "b": {}, "c": []}', ""),
    ("[1]", "Line 1, column 1: it must be a JSON object: {…}."),
    ('{"a": 1,}', "Line 1, column 9: expected a name in double quotes."),
    ('{"a": 1', "Line 1, column 8: it ends too early: expected a comma, or }."),
    ('{"a": [1\n2]}', "Line 2, column 1: expected a comma, or ]."),
    ('{"a": 1} 2', "Line 1, column 10: expected nothing more."),
    ("{'a': 1}", "Line 1, column 2: JSON has double quotes only."),
    ('{"a": True}', "Line 1, column 7: True is no JSON."),
    ('{"a": NaN}', "Line 1, column 7: NaN is no JSON."),
    ('{"a": 01}', "Line 1, column 8: expected a comma, or }."),
    ('{"a": 1e400}', "Line 1, column 7: this number is too large to be stored."),
    ('{"a": 1 // one\n}', "Line 1, column 9: JSON has no comments."),
    ('{"a": "x\ny"}', "Line 1, column 7: this text is not closed in its line."),
    ('{"a": "\\d"}', "Line 1, column 7: this text holds a \\ that escapes nothing: write \\\\."),
    ('{"a": "\t"}', "Line 1, column 7: this text holds U+0009: write an escape."),
    ('{"a": \u202e1}', "Line 1, column 7: U+202E is no JSON."),
    ('{"a": ' + "[" * 200, "Line 1, column 106: it is nested too deeply."),
    ('{"a": "' + "x" * 300_000, "Line 1, column 7: this text is not closed in its line."),
]


def test_json_is_checked_while_it_is_typed(ada: Page) -> None:
    for typed, problem in TYPED:
        ada.fill(DATA, '{"before": "this"}')
        ada.fill(DATA, typed)
        expect(ada.locator(PROBLEM), typed[:40]).to_have_text(problem)
        expect(ada.locator(DATA)).to_have_value(typed)


def test_formatting_keeps_every_digit_and_can_be_undone(ada: Page) -> None:
    typed = '{"n":12345678901234567890.10,"e":1E+2,"l":[1,[],{}],"t":"a:b,{c}"}'
    ada.fill(DATA, typed)

    ada.click(button("Format: Program data"))

    formatted = (
        '{\n  "n": 12345678901234567890.10,\n  "e": 1E+2,\n  "l": [\n    1,\n    [],\n    {}\n  ],'
        '\n  "t": "a:b,{c}"\n}'
    )
    expect(ada.locator(DATA)).to_have_value(formatted)
    ada.focus(DATA)
    ada.keyboard.press("Control+z")
    expect(ada.locator(DATA)).to_have_value(typed)


def test_formatting_what_is_broken_leads_to_the_place(ada: Page) -> None:
    ada.fill(DATA, '{"a": 1,\n "b": x}')

    ada.click(button("Format: Program data"))

    expect(ada.locator(DATA)).to_be_focused()
    assert ada.eval_on_selector(DATA, "area => area.selectionStart") == len('{"a": 1,\n "b": ')
    expect(ada.locator(DATA)).to_have_value('{"a": 1,\n "b": x}')


def test_the_data_of_a_program_is_edited_in_the_same_editor(
    paused: Program, address: str, page: Page
) -> None:
    logged_in(page, address, CREATE)
    page.goto(page.url.replace("add/", f"{paused.pk}/edit/"))

    page.fill(DATA, "{")

    expect(page.locator(PROBLEM)).to_have_text(re.compile("ends too early"))
    assert violations(page) == []


def test_a_program_is_cloned_with_edits(ada: Page, source: Program) -> None:
    ada.goto(f"{ada.url}?clone={source.pk}")
    assert chosen(ada) == ["noop", "count"]

    ada.click(button("Remove noop, step 1"))
    ada.fill(DATA, '{"year": 2025}')
    ada.click("input[value=Create]")

    program = created(ada, source)
    assert program["jobs"] == ["count"]
    assert program["program_data"] == {"year": 2025}
    assert program["job_data"] == {"count": {"n": 3}}


def test_it_is_all_done_without_javascript_as_well(plain: Page, source: Program) -> None:
    page = plain
    page.fill("#id_jobs", "count\nnoop")
    page.fill(DATA, '{"year": 2024,}')
    page.click("input[value=Create]")
    expect(page.locator(".field-program_data .errorlist")).to_contain_text("Is no JSON")
    expect(page.locator("#id_jobs")).to_have_value("count\nnoop")

    page.fill(DATA, '{"year": 2024}')
    page.click("text=The same call as Python and as curl")
    page.click("text=Show the call")
    expect(page.locator("#call-python")).to_contain_text("program_data={'year': 2024},")
    expect(page.locator("[data-copy]:visible")).to_have_count(0)
    page.click("input[value=Create]")

    assert created(page, source)["jobs"] == ["count", "noop"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page_with_errors_or_without(ada: Page, scheme: Any) -> None:
    ada.emulate_media(color_scheme=scheme)
    choose(ada, "noop", "count")
    assert violations(ada) == []

    ada.fill(DATA, "{")
    ada.click("summary:has-text('The same call')")
    ada.click("text=Show the call")
    expect(ada.locator(PROBLEM)).to_have_text(re.compile("ends too early"))
    ada.click("text=As text")
    assert violations(ada) == []

    ada.fill(DATA, "{}")
    ada.click("text=Show the call")
    expect(ada.locator("#call-curl")).to_be_visible()
    assert violations(ada) == []


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
