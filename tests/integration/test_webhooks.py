"""Webhooks: whoever is told, of what, and how often; with a real receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from programs import operations, signals
from programs.errors import InvalidProgram
from programs.models import Program, State, Webhook
from programs.models.clock import Utc
from programs.submission import create_program
from programs.webhooks import catching_up, listeners, signature
from programs.webhooks.catching_up import catch_up
from tests.receiver import Receiver
from tests.running import carry, claim, on_server, run
from tests.waiting import eventually
from tests.webhooks import Made, deliver, deliveries, later, make, receiver

__all__ = ["make", "receiver"]

FAILING = {"how": "fail", "text": "it broke"}


@pytest.fixture
def lost_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies before it has told anybody of an end."""
    for signal in (signals.program_finished, signals.program_errored, signals.program_stopped):
        monkeypatch.setattr(signal, "receivers", [])
        signal.sender_receivers_cache.clear()


# What is told --------------------------------------------------------------------------------


def test_a_receiver_is_told_of_a_program_that_has_finished(make: Made, receiver: Receiver) -> None:
    webhook = make("finished")
    program = run("noop", "count", created_by="ada")

    delivery = deliver()

    assert delivery.state is State.FINISHED
    assert program.finished_at is not None
    assert json.loads(receiver.last.body) == {
        "type": "program.finished",
        "timestamp": program.finished_at.isoformat().replace("+00:00", "Z"),
        "event": "finished",
        "run_id": program.run_id,
        "state": "finished",
        "jobs": ["noop", "count"],
        "step": 1,
        "error_message": None,
        "queue": "default",
        "created_by": "ada",
        "created_at": program.created_at.isoformat().replace("+00:00", "Z"),
        "ended_at": program.finished_at.isoformat().replace("+00:00", "Z"),
        "delivery": delivery.run_id,
    }
    assert receiver.last.path == "/hooks?to=me"
    assert receiver.last.headers["Content-Type"] == "application/json"
    assert delivery.created_by == f"webhook {webhook.pk} (127.0.0.1)"


def test_code_that_knows_only_the_standard_verifies_a_call(make: Made, receiver: Receiver) -> None:
    webhook = make()
    run("noop")
    delivery = deliver()

    headers, body = receiver.last.headers, receiver.last.body
    key = base64.b64decode(webhook.secret.split("_", 1)[1])
    signed = b".".join(
        [headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body]
    )
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()

    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == delivery.run_id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    made = signature.headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made["Webhook-Signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("event", "program"),
    [
        ("errored", lambda: run("behave", program_data=FAILING)),
        ("stopped", lambda: operations.stop_program(create_program(["noop"]), by="ada")),
        ("finished", lambda: operations.skip_step(create_program(["noop"]), reason="by hand")),
    ],
)
def test_a_webhook_hears_of_the_ends_that_it_asks_for(
    make: Made, receiver: Receiver, event: str, program: Callable[[], Program]
) -> None:
    make(*{"errored", "stopped", "finished"} - {event})
    webhook = make(event)

    ended = program()

    (delivery,) = deliveries()
    assert delivery.program_data["webhook"] == webhook.pk
    told = delivery.program_data["body"]
    assert (told["event"], told["run_id"]) == (event, ended.run_id)
    assert told["error_message"] == ("it broke" if event == "errored" else None)


def test_each_end_of_a_program_is_told(make: Made) -> None:
    make("errored")
    program = run("behave", program_data=FAILING)
    claimed = claim(operations.retry_program(program))
    assert claimed is not None
    carry(claimed)

    ends = [delivery.program_data["body"]["ended_at"] for delivery in deliveries()]
    assert len(set(ends)) == 2


def test_editing_the_data_of_a_program_that_has_ended_is_no_other_end(make: Made) -> None:
    webhook = make("errored")
    program = run("behave", program_data=FAILING)
    operations.edit_data(program, program_data={})
    later(webhook)

    assert catch_up() == 0
    assert len(deliveries()) == 1


def test_nobody_is_told_of_deliveries(make: Made, receiver: Receiver) -> None:
    webhook = make("finished", "errored", "stopped")
    run("noop")
    assert deliver().state is State.FINISHED
    later(webhook)

    assert catch_up() == 0
    assert len(deliveries()) == 1


def test_a_webhook_that_is_switched_off_is_not_called(make: Made, receiver: Receiver) -> None:
    webhook = make("finished", is_active=False)
    run("noop")
    later(webhook)
    assert (catch_up(), deliveries()) == (0, [])

    Webhook.objects.update(is_active=True)
    listeners.forget()
    run("noop")
    Webhook.objects.update(is_active=False)

    delivery = deliver()
    assert delivery.state is State.ERRORED
    assert "is not active: switch it on, then retry" in str(delivery.error_message)
    assert receiver.calls == []


def test_what_ended_while_it_was_off_is_not_told_whoever_switches_it_on(make: Made) -> None:
    webhook = make("finished", is_active=False)
    run("noop")
    later(webhook)
    catch_up()

    # By code: the console's page is not asked.
    Webhook.objects.update(is_active=True, seen_at=Utc(after=-60))

    assert (catch_up(), deliveries()) == (0, [])


def test_deliveries_go_to_the_queue_that_a_setting_names(make: Made, settings: Settings) -> None:
    make()
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "WEBHOOK_QUEUE": "hooks"}
    run("noop")
    assert [delivery.queue for delivery in deliveries()] == ["hooks"]


def test_a_delivery_is_retried_and_not_edited(make: Made, receiver: Receiver) -> None:
    make(is_active=True)
    run("noop")
    Webhook.objects.update(is_active=False)
    delivery = deliver()
    with pytest.raises(InvalidProgram, match="the engine's own"):
        operations.edit_data(delivery, program_data={"webhook": 1, "body": {}})

    Webhook.objects.update(is_active=True)
    operations.retry_program(delivery, by="ada")

    assert deliver().state is State.FINISHED
    assert len(receiver.calls) == 1


# What is missed ------------------------------------------------------------------------------


@pytest.mark.usefixtures("lost_signals")
def test_what_nobody_told_is_caught_up_with_once(make: Made) -> None:
    webhook = make("finished", "errored", "stopped")
    finished, errored = run("noop"), run("behave", program_data=FAILING)
    stopped = operations.stop_program(create_program(["noop"]))
    assert deliveries() == []
    later(webhook)

    assert catch_up() == 3
    later(webhook)
    assert catch_up() == 0

    told = {each.program_data["body"]["run_id"] for each in deliveries()}
    assert told == {finished.run_id, errored.run_id, stopped.run_id}


@pytest.mark.usefixtures("lost_signals")
def test_many_ends_of_one_moment_are_caught_up_with(
    make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make("finished")
    for _ in range(5):
        run("noop")
    Program.objects.update(finished_at=run("noop").finished_at)
    monkeypatch.setattr(catching_up, "BATCH", 2)
    monkeypatch.setattr(catching_up, "PATIENCE", -1.0)  # a look breaks off after its first batch
    later(webhook)

    assert catch_up() == 2

    monkeypatch.setattr(catching_up, "PATIENCE", 60.0)
    Webhook.objects.update(seen_at=Utc(after=-20))
    assert catch_up() == 4
    assert len(deliveries()) == 6


@pytest.mark.usefixtures("lost_signals")
def test_what_ended_before_the_webhook_was_made_is_not_told(make: Made) -> None:
    run("noop")
    # SQLite's clock has milliseconds: in the same one, nobody can tell what came first.
    eventually(Program.objects.filter(finished_at__lt=Utc()).exists)
    webhook = make("finished")
    Webhook.objects.filter(pk=webhook.pk).update(seen_at=Utc(after=-60))

    assert catch_up() == 0


def test_a_quiet_end_is_told_by_who_catches_up(make: Made) -> None:
    webhook = make("errored")
    run("behave", program_data={"how": "ignore"})
    assert deliveries() == []
    later(webhook)

    assert catch_up() == 1


@pytest.mark.usefixtures("lost_signals")
def test_an_end_that_cannot_be_told_keeps_no_other_back(
    make: Made, caplog: pytest.LogCaptureFixture
) -> None:
    webhook = make("finished")
    strange, plain = run("noop"), run("noop")
    Program.objects.filter(pk=strange.pk).update(queue="a\nb")
    later(webhook)

    assert catch_up() == 1
    assert [each.program_data["body"]["run_id"] for each in deliveries()] == [plain.run_id]
    assert "no webhook can be told of an end" in caplog.text


@on_server
@pytest.mark.usefixtures("lost_signals")
def test_of_many_who_catch_up_at_once_each_end_is_told_once(make: Made) -> None:
    webhook = make("finished")
    for _ in range(30):
        run("noop")
    later(webhook)

    with ThreadPoolExecutor(4) as threads:
        created = list(threads.map(lambda _: catch_up(), range(4)))

    assert sum(created) == 30
    assert len(deliveries()) == 30


@on_server
@pytest.mark.usefixtures("lost_signals")
def test_a_worker_catches_up_beside_its_programs(
    make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make("finished")
    run("noop")
    later(webhook)
    monkeypatch.setattr(catching_up, "INTERVAL", 0.2)
    thread = catching_up.CatchUp()
    thread.start()
    try:
        assert len(eventually(deliveries)) == 1
    finally:
        thread.end()
        thread.join(10)


# What it costs -------------------------------------------------------------------------------


def test_without_webhooks_an_end_costs_one_reading_in_a_while(make: Made, bookkeeping: str) -> None:
    def statements() -> int:
        program = claim(create_program(["noop"]))
        assert program is not None
        with CaptureQueriesContext(connections[bookkeeping]) as queries:
            carry(program)
        return len(queries)

    statements()  # where they are prepared
    listeners.forget()
    first, *others = [statements() for _ in range(4)]
    assert {first - other for other in others} == {1}


def test_with_webhooks_an_end_costs_few_statements(
    make: Made, bookkeeping: str, django_assert_max_num_queries: Any
) -> None:
    make("stopped")
    program = create_program(["noop"])
    tells = connections[bookkeeping].features.can_return_rows_from_bulk_insert
    with django_assert_max_num_queries(13 if tells else 14, using=bookkeeping):
        operations.stop_program(program)
    assert len(deliveries()) == 1
