"""Traces: one for a program, whatever becomes of it, and nothing of its data in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import (
    SpanKind,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
)
from pytest_django.fixtures import Settings

from programs import operations, signals, tracing
from programs.errors import IdempotencyConflict
from programs.models import Program, State
from programs.submission import create_program, create_programs
from programs.tracing import recording
from programs.worker.sweep import Sweep
from tests.running import carry, claim, claimed, fresh, listening, make_due, on_postgresql, run
from tests.spans import Recorded, recorded

__all__ = ["recorded"]

pytestmark = pytest.mark.usefixtures("bookkeeping")

CREATE, PROCESS = "create default", "process default"


def told(span: Any) -> dict[str, Any]:
    return dict(span.attributes)


# One trace -----------------------------------------------------------------------------------


def test_a_program_is_one_trace_from_its_creation_to_its_last_job(recorded: Recorded) -> None:
    with recorded.tracer.start_as_current_span("POST /orders"):
        run("noop", "count")

    assert recorded.tree == [
        ("POST /orders", None),
        (CREATE, "POST /orders"),
        (PROCESS, CREATE),
        ("execute noop", PROCESS),
        ("execute count", PROCESS),
    ]
    kinds = [span.kind for span in recorded.spans[1:4]]
    assert kinds == [SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.INTERNAL]


def test_the_row_carries_the_trace_to_whichever_process_runs_it(recorded: Recorded) -> None:
    program = create_program(["noop"])

    created = recorded.one(CREATE).context
    trace_id, span_id = format_trace_id(created.trace_id), format_span_id(created.span_id)
    kept = fresh(program).trace_parent
    assert kept is not None
    assert kept.startswith(f"00-{trace_id}-{span_id}-")


def test_each_try_of_a_job_is_a_span_in_the_same_trace(recorded: Recorded) -> None:
    program = create_program(["behave"], {"how": ["retry", "succeed"]})
    for _ in range(2):
        make_due(program)
        held = claim(program)
        assert held is not None
        carry(held)

    assert recorded.traces == 1
    assert [parent for name, parent in recorded.tree if name == PROCESS] == [CREATE, CREATE]
    first, second = recorded.named("execute behave")
    assert told(first)["program_executor.outcome"] == "retried"
    assert first.status.status_code is StatusCode.ERROR
    assert told(second)["program_executor.attempt"] == 2
    assert second.status.status_code is StatusCode.UNSET


def test_a_program_that_an_operator_opens_again_goes_on_in_its_trace(recorded: Recorded) -> None:
    program = run("behave", program_data={"how": ["fail", "succeed"]})
    operations.retry_program(program)
    held = claim(program)
    assert held is not None
    carry(held)

    assert fresh(program).state is State.FINISHED
    assert recorded.traces == 1
    assert len(recorded.named(PROCESS)) == 2


def test_who_takes_a_program_over_tells_of_the_attempt_that_was_lost(recorded: Recorded) -> None:
    program = claimed("noop", slot="gone/1.1")
    make_due(program)

    taken = Sweep("tests", ["default"], adaptive=True).claim("tests/1.1", 60.0, 1)
    assert taken is not None
    carry(taken)

    lost = recorded.one("lose noop")
    assert told(lost)["program_executor.worker"] == "gone/1.1"
    assert lost.status.status_code is StatusCode.ERROR
    assert recorded.tree[1:3] == [("lose noop", CREATE), (PROCESS, CREATE)]


def test_a_claim_whose_lease_was_lost_fails_its_span(recorded: Recorded) -> None:
    program = claimed("noop", slot="slow/1.1")
    make_due(program)
    taken = Sweep("tests", ["default"], adaptive=True).claim("other/1.1", 60.0, 1)
    assert taken is not None

    carry(program)

    process = recorded.one(PROCESS)
    assert told(process)["program_executor.standing"] == "lost"
    assert process.status.status_code is StatusCode.ERROR


def test_whoever_hears_of_a_program_that_lost_its_workers_is_in_its_trace(
    recorded: Recorded, settings: Settings
) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "LOSS_LIMIT": 1}
    program = claimed("noop", slot="gone/1.1")
    make_due(program)
    seen = []

    with listening(signals.program_errored, lambda **sent: seen.append(tracing.ids())):
        assert Sweep("tests", ["default"], adaptive=True).claim("tests/1.1", 60.0, 1) is None

    assert seen[0]["trace_id"] == program.trace_id


def test_a_program_that_a_job_creates_belongs_to_the_trace_of_that_job(
    recorded: Recorded, job: Callable[..., str]
) -> None:
    def execute(self: Any, message: Any, job_data: Any) -> None:
        create_program(["noop"])

    run(job("parent", execute))

    assert recorded.tree[-1] == (CREATE, "execute parent")


def test_what_an_async_job_traces_itself_hangs_below_it(
    recorded: Recorded, job: Callable[..., str]
) -> None:
    async def execute(self: Any, message: Any, job_data: Any) -> None:
        with recorded.tracer.start_as_current_span("GET /prices"):
            await job_data.aget()

    run(job("fetch", execute))

    assert recorded.tree[-1] == ("GET /prices", "execute fetch")


def test_programs_that_are_created_together_share_the_span_of_their_creation(
    recorded: Recorded,
) -> None:
    programs = create_programs([{"jobs": ["noop"]}, {"jobs": ["noop"], "queue": "reports"}])

    span = recorded.one("create")
    assert told(span)["messaging.batch.message_count"] == 2
    assert len({fresh(program).trace_parent for program in programs}) == 1
    assert create_programs([]) == []


def test_a_program_that_nothing_traced_at_its_creation_begins_a_trace_with_each_claim(
    recorded: Recorded,
) -> None:
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(trace_parent=None)
    held = claim(program)
    assert held is not None
    carry(held)

    assert (PROCESS, None) in recorded.tree


@pytest.mark.parametrize(
    "rubbish", ["", "00-1", "ü" * 55, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_trace_parent_that_is_none_begins_a_trace(recorded: Recorded, rubbish: str) -> None:
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(trace_parent=rubbish)
    held = claim(program)
    assert held is not None
    with tracing.within(held):
        carry(held)

    assert fresh(program).state is State.FINISHED
    assert (PROCESS, None) in recorded.tree


# What is told --------------------------------------------------------------------------------


def test_a_span_tells_of_the_program_and_nothing_of_its_data(recorded: Recorded) -> None:
    program = run(
        "behave",
        program_data={"customer": "planted-1", "how": "succeed"},
        job_data={"behave": {"card": "planted-2"}},
        idempotency_key="planted-3",
        created_by="planted-4",
    )

    everything = " ".join(span.to_json() for span in recorded.spans)
    assert "planted" not in everything
    assert told(recorded.one(CREATE)) == {
        "messaging.system": "program_executor",
        "messaging.operation.name": "create",
        "messaging.operation.type": "create",
        "messaging.destination.name": "default",
        "messaging.message.id": program.run_id,
        "program_executor.run_id": program.run_id,
    }
    assert told(recorded.one(PROCESS)) == {
        **told(recorded.one(CREATE)),
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "program_executor.epoch": 1,
        "program_executor.worker": "tests/1.1",
        "program_executor.standing": "finished",
    }
    assert told(recorded.one("execute behave")) == {
        "program_executor.run_id": program.run_id,
        "program_executor.job": "behave",
        "program_executor.step": 0,
        "program_executor.attempt": 1,
        "program_executor.outcome": "succeeded",
    }


@pytest.mark.invariant(11)
def test_an_error_is_told_without_its_secrets(recorded: Recorded) -> None:
    text = "amqp://ada:planted-1@broker refused, api_key=planted-2 " + "x" * 5000
    run("noop", "behave", program_data={"how": "fail", "text": text})

    job, process = recorded.one("execute behave"), recorded.one(PROCESS)
    assert told(job)["error.type"] == "RuntimeError"
    assert job.status.description is not None
    assert job.status.description.startswith("amqp://ada:***@broker refused, api_key=*** xxx")
    assert len(job.status.description) == 1000
    assert process.status.status_code is StatusCode.ERROR
    assert "planted" not in " ".join(span.to_json() for span in recorded.spans)


def test_an_ignorable_error_fails_no_span(recorded: Recorded) -> None:
    run("behave", program_data={"how": "ignore"})

    job, process = recorded.one("execute behave"), recorded.one(PROCESS)
    assert told(job)["program_executor.outcome"] == "ignored"
    assert told(process)["program_executor.standing"] == "errored"
    assert {job.status.status_code, process.status.status_code} == {StatusCode.UNSET}


def test_a_row_that_cannot_be_run_fails_its_span(recorded: Recorded) -> None:
    program = create_program(["noop"])
    Program.objects.filter(pk=program.pk).update(jobs=[7])
    held = claim(program)
    assert held is not None
    carry(held)

    assert recorded.one(PROCESS).status.status_code is StatusCode.ERROR


def test_a_creation_that_the_database_refuses_fails_its_span_without_the_values(
    recorded: Recorded,
) -> None:
    create_program(["noop"], idempotency_key="planted")
    with pytest.raises(IdempotencyConflict):
        create_programs([{"jobs": ["noop"], "idempotency_key": "planted"}])

    refused = recorded.named(CREATE)[1]
    assert told(refused)["error.type"] == "IntegrityError"
    assert (refused.status.status_code, refused.status.description) == (StatusCode.ERROR, None)


# Where nothing is recorded -------------------------------------------------------------------


def test_a_trace_that_is_not_sampled_stays_so_and_reaches_what_the_job_calls(
    monkeypatch: pytest.MonkeyPatch, job: Callable[..., str]
) -> None:
    unsampled = Recorded(ParentBased(ALWAYS_OFF))
    unsampled.take_over(monkeypatch)
    seen = []

    def execute(self: Any, message: Any, job_data: Any) -> None:
        seen.append(tracing.ids())

    program = run(job("look", execute))

    assert unsampled.spans == []
    assert program.trace_parent is not None
    assert int(program.trace_parent[-2:], 16) & TraceFlags.SAMPLED == 0
    assert seen[0]["trace_id"] == program.trace_parent[3:35]


def test_without_an_sdk_nothing_is_kept_and_nothing_is_told() -> None:
    program = run("noop")

    assert program.trace_parent is None
    assert tracing.ids() == {}


def test_an_sdk_that_raises_costs_spans_and_no_program(
    recorded: Recorded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(SpanProcessor):
        def on_start(self, *given: Any, **named: Any) -> None:
            if len(recorded.spans) % 2:
                raise RuntimeError("no more spans")

        def on_end(self, span: Any) -> None:
            raise RuntimeError("no room for spans")

    recorded.provider.add_span_processor(Broken())
    monkeypatch.setattr(recording, "_told_at", float("-inf"))

    program = run("noop", "count", "noop")

    assert program.state is State.FINISHED
    told = [line for line in caplog.records if getattr(line, "action", "") == "tracing_failed"]
    assert len(told) == 1


@pytest.mark.usefixtures("webhooks_read_once")
@on_postgresql
def test_a_trace_costs_no_statement(recorded: Recorded, bookkeeping: str) -> None:
    def verbs() -> list[str]:
        with CaptureQueriesContext(connections[bookkeeping]) as queries:
            run_id = create_program(["noop"]).run_id
            held = Program.objects.claim_named(run_id, ["default"], "tests/1.1", 60.0)
            assert held is not None
            carry(held)
        return [query["sql"].split()[0] for query in queries]

    verbs()  # compiled and prepared

    assert verbs() == ["INSERT", "EXECUTE", "EXECUTE"]
    assert len(recorded.named("execute noop")) == 2


@pytest.mark.parametrize("name", ["program_created", "job_started", "program_finished"])
def test_a_listener_is_in_the_trace_of_its_program(recorded: Recorded, name: str) -> None:
    seen = []
    with listening(getattr(signals, name), lambda **sent: seen.append(tracing.ids())):
        program = run("noop")

    assert seen[0]["trace_id"] == program.trace_id
