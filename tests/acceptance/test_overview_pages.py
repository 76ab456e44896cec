"""The overview, queues, workers and operations in a real browser: live, legible, for everybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from programs import operations
from programs.models import Attempt, Ending, Program, Worker
from programs.submission import create_program
from tests.console import LIST, claim
from tests.site import Site
from tests.visiting import faults_of, visitor
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

OVERVIEW = f"{LIST}overview/"
QUEUES, WORKERS = "/admin/programs/queue/", "/admin/programs/worker/"
OPERATIONS = "/admin/programs/operation/"
PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0"}
NEWS = 20_000  # milliseconds: the most patient page asks every ten seconds
HOSTILE = '<script>alert("x")</script>\u202egnp.exe'

InDatabase = Callable[[Callable[[], object]], None]


def some_history() -> list[str]:
    """Make something to show on each page, and return the addresses."""
    now = datetime.now(UTC)
    for minutes in range(0, 600, 7):
        column = "errored_at" if minutes % 3 else "finished_at"
        ended = {column: now - timedelta(minutes=minutes)}
        program = Program.objects.create(jobs=["noop"], **ended)
        Attempt.objects.create(
            program=program,
            step=0,
            job=HOSTILE if minutes % 2 else "noop",
            number=1,
            epoch=1,
            worker="w/0.1",
            started_at=now - timedelta(seconds=minutes),
            ended_at=now,
            outcome=Ending.ERRORED if minutes % 3 else Ending.SUCCEEDED,
        )
    create_program(["noop"], queue="a/b")
    create_program(["noop"], queue='<script>"x' + "y" * 60)
    for name in ("w", HOSTILE, "gone", "drained"):
        Worker.register(
            name=name,
            host="host",
            pid=1,
            queues=["default", "a/b"],
            slots=8,
            jobs=["noop", HOSTILE],
            version="1",
        )
    Worker.sign_off("gone")
    claim(create_program(["noop"]))
    operations.pause_queue("a/b", by=HOSTILE, reason=HOSTILE * 20)
    operations.drain_worker("drained", by="grace", reason="new version")
    w = Worker.objects.get(name="w")
    pages = [OVERVIEW, QUEUES, f"{QUEUES}pause/?name=x%2Fy", WORKERS, f"{WORKERS}{w.pk}/drain/"]
    return [*pages, OPERATIONS, f"{OPERATIONS}?by=nobody&verb=stop"]


@pytest.fixture
def paths(site: Site) -> list[str]:
    return some_history()


@pytest.fixture
def address(paths: list[str], start_web: Start) -> str:
    return f"http://localhost:{start_web(ALLOWED_HOSTS='localhost', **PLAIN).port}"


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("dark", 320)])
def test_with_all_that_folds_open_each_page_is_accessible_and_fits_the_screen(
    address: str, paths: list[str], browser: Browser, theme: str, width: int
) -> None:
    found: dict[str, list[str]] = {}

    with visitor(browser, address, theme, width) as page:
        for path in paths:
            page.goto(address + path)
            for summary in page.locator("main summary").all():
                summary.click()
            if faults := faults_of(page):
                found[path] = faults

    assert found == {}


def test_the_overview_moves_by_itself_and_leaves_open_what_one_opened(
    address: str, browser: Browser, in_database: InDatabase
) -> None:
    complaints: list[str] = []

    with visitor(browser, address, "light", 1280) as page:
        page.on("console", lambda message: complaints.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.goto(address + OVERVIEW)
        waiting = page.locator("#state-waiting b")
        before = waiting.inner_text()
        page.click("#minute-summary")

        in_database(lambda: create_program(["noop"]))

        expect(waiting).not_to_have_text(before, timeout=NEWS)
        expect(page.locator("details[data-fold=overview-minute] table")).to_be_visible()
        assert page.locator("figure svg rect").count() > 20

    assert complaints == []


def test_queues_and_workers_move_by_themselves(
    address: str, browser: Browser, in_database: InDatabase
) -> None:
    with visitor(browser, address, "light", 1280) as page:
        page.goto(address + QUEUES)
        in_database(lambda: create_program(["noop"], queue="brand-new"))
        expect(page.locator("th[scope=row] >> text=brand-new")).to_be_visible(timeout=NEWS)

        page.goto(address + WORKERS)
        in_database(lambda: Worker.sign_off("w"))
        ended = page.locator("section[aria-labelledby=workers-ended] article")
        expect(ended).to_have_count(2, timeout=NEWS)


def test_a_queue_is_paused_and_a_worker_drained_without_a_mouse_and_without_scripts(
    address: str, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/admin/login/?next={QUEUES}")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "right")
    page.press("[name=password]", "Enter")

    page.fill("#queue-name", "nightly/1")
    page.press("#queue-name", "Enter")
    page.fill("[name=reason]", "the printer is broken")
    page.press("[type=submit][value='Pause queue']", "Enter")
    expect(page.locator(".messagelist")).to_have_text("Queue nightly/1 is paused.")

    page.press(".programs-sections >> text=Workers", "Enter")
    page.press("a[id^=drain] >> nth=0", "Enter")
    page.press("[type=submit][value='Drain worker']", "Enter")
    expect(page.locator(".messagelist")).to_contain_text("is asked to drain.")

    page.goto(address + OPERATIONS)
    assert page.locator("main tr[data-row]").count() == 4
    expect(page.locator("main tr[data-row] >> nth=1")).to_contain_text("the printer is broken")
    context.close()
