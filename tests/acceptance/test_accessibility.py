"""Every page of the console: for everybody, on every screen, in both themes, without a mouse."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.urls import URLPattern
from playwright.sync_api import Browser, ConsoleMessage

from programs import bulk, operations
from programs.definition import save_definition, start_program
from programs.inspection import Selection
from programs.models import (
    BulkOutcome,
    Definition,
    Operation,
    State,
    Tick,
    TickOutcome,
    Verb,
    Webhook,
    Worker,
)
from programs.scheduling import create_schedule, pause_schedule, run_schedule
from programs.submission import create_program
from tests.console import LIST, failing, program_in, run
from tests.site import Site
from tests.visiting import faults_of, visitor
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

WEBHOOKS = "/admin/programs/webhook/"
DEFINITIONS = "/admin/programs/definition/"
SCHEDULES = "/admin/programs/schedule/"
QUEUES = "/admin/programs/queue/"
WIDE, NARROW = 1280, 320  # pixels
PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0"}
HOSTILE = '<script>alert("x")</script> \u202egnp.exe ' + "long" * 40


@pytest.fixture
def paths(site: Site) -> dict[str, str]:
    """The address of each page of the console, with something to show on it."""
    programs = {state: program_in(state) for state in State}
    errored = programs[State.ERRORED]
    for number in range(3):
        run(create_program(["behave"], failing(f"{HOSTILE} {number}"), created_by="<b>cron</b>"))
    operations.pause_queue("reports", by="grace", reason=HOSTILE)
    Worker.register(
        name="w",
        host="host",
        pid=1,
        queues=["default", "reports"],
        slots=8,
        jobs=["behave", "noop"],
        version="1",
    )
    worker = Worker.objects.get(name="w")
    selection = Selection(state=State.ERRORED)
    carrier = bulk.start(Verb.RETRY, selection=selection, by="grace", reason="the disk is back")
    outcomes = [BulkOutcome(bulk=carrier, run_id=p.run_id) for p in programs.values()]
    outcomes[0].refusal = HOSTILE
    BulkOutcome.objects.bulk_create(outcomes)
    operation = Operation.objects.latest("pk")
    save_definition("orders", ["noop", "count"], description=HOSTILE, program_data={"x": HOSTILE})
    save_definition("vanished", ["noop"], description="its job is gone")
    Definition.objects.filter(name="vanished").update(jobs=["gone"])
    run(start_program("orders"))
    schedule = create_schedule("orders", cron="30 2 * * *", time_zone="Europe/Berlin")
    paused = create_schedule("orders", interval=60, description=HOSTILE)
    pause_schedule(paused)
    run_schedule(schedule, by="grace")
    for hour, outcome in enumerate(TickOutcome):
        at = datetime(2026, 1, 1, hour, tzinfo=UTC)
        Tick.objects.create(schedule=schedule, at=at, outcome=outcome, message=HOSTILE, count=3)
    definition_of, schedule_of = f"{DEFINITIONS}orders/", f"{SCHEDULES}{schedule.pk}/"
    webhook = Webhook.objects.create(url="https://example.com/" + "long" * 40)
    page_of = {verb.value: f"{LIST}{errored.pk}/{verb.value}/" for verb in Verb}
    for verb, state in (
        ("stop", State.RUNNING),
        ("pause", State.WAITING),
        ("resume", State.PAUSED),
    ):
        page_of[verb] = f"{LIST}{programs[state].pk}/{verb}/"
    return {
        "programs_program_changelist": LIST,
        "programs_program_add": f"{LIST}add/",
        "programs_program_change": f"{LIST}{errored.pk}/change/",
        "programs_program_overview": f"{LIST}overview/",
        "programs_program_bulk": f"{LIST}bulk/?verb=stop&all=1&state=waiting",
        **{
            f"programs_program_{verb}": page_of[verb]
            for verb in ("stop", "pause", "resume", "retry", "skip", "edit")
        },
        "programs_program_outcomes": f"{LIST}{carrier.pk}/outcomes/",
        "programs_definition_changelist": DEFINITIONS,
        "programs_definition_add": f"{DEFINITIONS}add/",
        **{
            f"programs_definition_{page}": f"{definition_of}{page}/"
            for page in ("change", "start", "edit", "delete")
        },
        "programs_schedule_changelist": SCHEDULES,
        "programs_schedule_add": f"{SCHEDULES}add/?definition=orders",
        **{
            f"programs_schedule_{page}": f"{schedule_of}{page}/"
            for page in ("change", "run", "pause", "edit", "delete")
        },
        "programs_schedule_resume": f"{SCHEDULES}{paused.pk}/resume/",
        "programs_queue_changelist": QUEUES,
        "programs_queue_pause": f"{QUEUES}pause/?name=default",
        "programs_queue_resume": f"{QUEUES}resume/?name=reports",
        "programs_worker_changelist": "/admin/programs/worker/",
        "programs_worker_drain": f"/admin/programs/worker/{worker.pk}/drain/",
        "programs_worker_change": f"/admin/programs/worker/{worker.pk}/change/",
        "programs_webhook_changelist": WEBHOOKS,
        "programs_webhook_add": f"{WEBHOOKS}add/",
        "programs_webhook_change": f"{WEBHOOKS}{webhook.pk}/change/",
        "programs_operation_changelist": "/admin/programs/operation/",
        "programs_operation_change": f"/admin/programs/operation/{operation.pk}/change/",
        "definition in code": f"{DEFINITIONS}airports/change/",
        "form of a definition": f"{DEFINITIONS}airports/start/",
        "vanished job": f"{DEFINITIONS}vanished/change/",
        "saved as definition": f"{DEFINITIONS}add/?program={errored.pk}",
        "paused schedule": f"{SCHEDULES}{paused.pk}/change/",
        # Beside these: the same pages as they are otherwise.
        "search": f"{LIST}?q=x&since=2020-01-01&queue=default",
        "wrong": f"{LIST}?state=nonsense&since=never",
        "empty": f"{LIST}?queue=nobody",
        "running": f"{LIST}{programs[State.RUNNING].pk}/change/",
        "bulk program": f"{LIST}{carrier.pk}/change/",
        "clone": f"{LIST}add/?clone={errored.pk}",
    }


@pytest.fixture
def address(start_web: Start, paths: dict[str, str]) -> str:
    return f"http://localhost:{start_web(ALLOWED_HOSTS='localhost', **PLAIN).port}"


@pytest.mark.parametrize(("theme", "width"), [("light", WIDE), ("dark", WIDE), ("light", NARROW)])
def test_every_page_is_accessible_and_fits_the_screen(
    address: str, paths: dict[str, str], browser: Browser, theme: str, width: int
) -> None:
    found: dict[str, list[str]] = {}

    with visitor(browser, address, theme, width) as page:
        for name, path in paths.items():
            answer = page.goto(address + path)
            assert answer is not None
            assert answer.status == 200, name
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
