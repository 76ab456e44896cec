"""Every page of the console, with something to show on it."""

from __future__ import annotations

from datetime import UTC, datetime

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

WEBHOOKS = "/admin/programs/webhook/"
DEFINITIONS = "/admin/programs/definition/"
SCHEDULES = "/admin/programs/schedule/"
QUEUES = "/admin/programs/queue/"
HOSTILE = '<script>alert("x")</script> \u202egnp.exe ' + "long" * 40


def every_page() -> dict[str, str]:
    """Return the address of each page, by its name, once all have something to show."""
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
