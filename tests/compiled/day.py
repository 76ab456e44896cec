"""A day of the engine: everything that it asks of a database, at least once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from programs import bulk, operations
from programs.definition import start_program
from programs.definition.table import change_definition, delete_definition, save_definition
from programs.errors import IdempotencyConflict
from programs.inspection import Selection
from programs.inspection import queues as inspected_queues
from programs.inspection.audit import Deeds
from programs.inspection.runs import last_runs, newest_runs, record_of
from programs.inspection.selection import counts
from programs.inspection.statistics import endings, recent_attempts
from programs.inspection.waiting import why
from programs.models import Program, Queue, Schedule, State, Verb, Webhook, Worker
from programs.models.clock import Utc
from programs.scheduling import create_schedule, fire_due
from programs.scheduling.steering import (
    change_schedule,
    delete_schedule,
    pause_schedule,
    resume_schedule,
    run_schedule,
)
from programs.submission import create_program, create_programs
from programs.webhooks.catching_up import catch_up
from programs.worker.sweep import Sweep
from tests.commands import manage
from tests.running import carry, claim, claimed, fresh, make_due, run

SOON = timedelta(hours=1)
SLOT = "tests/1.1"


def live() -> None:
    """Live it."""
    for part in (create, execute, lose, steer, define, schedule, tell, treat, look, purge):
        part()


def create() -> None:
    create_program(["noop"], run_at=datetime.now(UTC) + SOON, idempotency_key="a")
    create_program(["noop"], idempotency_key="b")
    create_program(["noop"], idempotency_key="b")
    with pytest.raises(IdempotencyConflict):
        create_program(["count"], idempotency_key="b")
    create_programs([{"jobs": ["noop"]}, {"jobs": ["noop"], "idempotency_key": "c"}])
    Program.objects.filter(run_id=create_program(["noop"]).run_id).update(queue=None, due_at=None)
    adopted = Program.objects.get(queue=None)
    assert Program.objects.adopt(adopted.run_id, "default")


def execute() -> None:
    named = create_program(["count", "count"])
    held = Program.objects.claim_named(named.run_id, ["default", "reports"], SLOT, 60.0)
    assert held is not None
    carry(held)
    for how in ("retry", "fail", "ignore", "succeed"):
        run("behave", "noop", program_data={"how": how, "retry_after": 3600})
    given_back = claimed("noop", "noop")
    given_back.hold(60.0, 1.0)
    given_back.give_back()
    asked = claimed("noop", "noop")
    operations.stop_program(asked)
    carry(asked)
    parked = claimed("noop", "noop")
    operations.pause_program(parked)
    carry(parked)
    sweep = Sweep("tests", ["default"], adaptive=True, thorough=True)
    while (found := sweep.claim(SLOT, 60.0, at_most=8)) is not None:
        carry(found)
        sweep.end(SLOT)


def lose() -> None:
    facts = {"host": "h", "pid": 1, "slots": 1, "version": "1"}
    Worker.register(name="tests", queues=["default"], jobs=["noop"], **facts)
    Worker.heartbeat("tests")
    lost = claimed("noop", slot="gone/1.1")
    assert Program.objects.renew(["gone/1.1"], 60.0)
    make_due(lost)
    heir = Sweep("tests", ["default"], adaptive=True, thorough=True)
    found = heir.claim(SLOT, 60.0, at_most=8)
    assert found is not None
    lost.survive()
    carry(found)
    by_hand = claimed("noop")
    Program.objects.filter(pk=by_hand.pk).update(errored_at=Utc())
    carry(by_hand)
    operations.drain_worker("tests", by="ada")
    Worker.sign_off("tests")


def steer() -> None:
    paused = operations.pause_program(create_program(["noop"]), by="ada", reason="later")
    operations.resume_program(paused)
    operations.stop_program(paused)
    operations.retry_program(paused)
    operations.skip_step(paused, reason="done by hand")
    failed = run("behave", "noop", program_data={"how": "fail"})
    operations.edit_data(failed, program_data={"how": "succeed"}, reason="a slip")
    operations.retry_program(failed, from_step=0)
    operations.pause_queue("default", by="ada")
    Queue.objects.names()
    assert why(fresh(create_program(["noop"]))) is not None
    operations.resume_queue("default")


def define() -> None:
    row = save_definition("nightly", ["noop"], by="ada")
    change_definition(row, jobs=["noop", "count"], by="ada")
    start_program("nightly")
    last_runs(["nightly", "weekly"])
    newest_runs("nightly", 10)
    record_of("nightly")
    delete_definition(save_definition("weekly", ["noop"]))


def schedule() -> None:
    made = create_schedule("nightly", interval=60, overlap="skip")
    Schedule.objects.update(next_at=Utc(after=-600))
    fire_due()
    run_schedule(made)
    change_schedule(made, interval=120)
    resume_schedule(pause_schedule(made))
    delete_schedule(made)


def tell() -> None:
    Webhook.objects.create(url="https://example.org/", events=["finished", "errored", "stopped"])
    Webhook.objects.update(seen_at=Utc(after=-600), since=Utc(after=-600))
    run("noop")
    catch_up()


def treat() -> None:
    programs = [create_program(["noop"], queue="held") for _ in range(2)]
    order = bulk.start(Verb.STOP, selection=Selection(queue="held"), by="ada", reason="", total=2)
    mine = claim(order) or claimed("noop")
    carry(mine)
    bulk.count(Verb.RETRY, Selection(state=State.STOPPED))
    list(bulk.outcomes_of(order))
    assert fresh(programs[0]).state in (State.STOPPED, State.WAITING)


def look() -> None:
    day = datetime.now(UTC)
    sought: list[Selection] = [Selection(state=state) for state in State]
    sought += [
        Selection(),
        Selection(q="broke"),
        Selection(job="noop"),
        Selection(queue="default"),
        Selection(worker=SLOT),
        Selection(definition="nightly"),
        Selection(since=day - SOON, until=day + SOON),
    ]
    for selection in sought:
        selection.page(50)
        selection.count(100)
        selection.latest()
        selection.newer(day)
    counts()
    endings()
    recent_attempts()
    inspected_queues.queues()
    Deeds().page(50)
    for program in Program.objects.all()[:20]:
        why(program)
        list(program.attempts.all())
        list(program.operations.all())


def purge() -> None:
    manage("purgeprograms", "--older-than", "0s")
