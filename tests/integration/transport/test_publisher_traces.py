"""The span of a hint: from its hand-over to the broker's confirm, or to what happened instead."""

import json

from opentelemetry.trace import SpanKind, StatusCode

from programs.transport import handover, publisher
from tests.messages import make_classic, run_ids
from tests.spans import recorded
from tests.waiting import eventually

__all__ = ["recorded"]

NOWHERE = "amqp://guest:guest@127.0.0.1:1/"  # a port on which nobody listens


def test_a_hint_that_is_confirmed_is_a_span_of_its_callers_trace(rabbitmq, name, recorded):
    with recorded.tracer.start_as_current_span("POST /orders"):
        publisher.publish("r1", "default")
    assert publisher.flush(10)

    assert recorded.tree[1] == (f"send {name}", "POST /orders")
    span = recorded.one(f"send {name}")
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes) == {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": name,
        "messaging.rabbitmq.destination.routing_key": name,
        "program_executor.run_id": "r1",
    }


def test_a_hint_says_on_the_wire_what_it_always_said(rabbitmq, name, recorded):
    publisher.publish("r1", "default")
    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["r1"]


def test_a_hint_whose_queue_is_refused_fails_its_span(rabbitmq, name, recorded):
    make_classic(rabbitmq, name)
    publisher.publish("r1", "default")
    publisher.publish("r2", "default")
    publisher.flush(10)

    eventually(lambda: len(recorded.spans) == 2)
    for span in recorded.named(f"send {name}"):
        assert span.status.status_code is StatusCode.ERROR
        assert "their queue is refused" in span.status.description


def test_a_hint_that_the_broker_refuses_fails_its_span(rabbitmq, name, settings, recorded):
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "QUEUE_TYPE": "classic"}
    limits = json.dumps({"max-length": 1, "overflow": "reject-publish"})
    rabbitmq.ctl("set_policy", name, f"^{name}$", limits)
    try:
        for number in range(2):
            publisher.publish(f"r{number}", "default")
            assert publisher.flush(10)
    finally:
        rabbitmq.ctl("clear_policy", name)

    taken, refused = recorded.named(f"send {name}")
    assert taken.status.status_code is StatusCode.UNSET
    assert refused.status.description == "may not have arrived: the broker refused them"


def test_hints_that_are_dropped_fail_their_spans(settings, recorded, monkeypatch):
    monkeypatch.setattr(handover, "LIMIT", 1)
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": NOWHERE}
    publisher.publish("r1", "default")
    publisher.publish("r2", "default")

    (span,) = recorded.spans
    assert span.attributes["program_executor.run_id"] == "r1"
    assert span.status.description == "dropped, for too many wait"
