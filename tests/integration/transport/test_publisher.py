"""Hints reach their queues on RabbitMQ."""

import json
import logging

from programs.transport import link, publisher
from programs.transport.topology import broker_queue
from tests.messages import channel_to, delete, logged, make_classic, run_ids
from tests.waiting import eventually

NOWHERE = "amqp://guest:guest@127.0.0.1:1/"  # a port on which nobody listens


def test_a_published_hint_waits_in_the_queue_on_the_broker(rabbitmq, name):
    publisher.publish("r1", "default")
    publisher.publish("r2", "other")

    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["r1"]
    assert run_ids(rabbitmq, f"{name}.other") == ["r2"]


def test_the_queue_is_made_durable_and_of_the_type_of_the_settings(rabbitmq, name):
    publisher.publish("r1", "default")
    publisher.flush(10)

    with channel_to(rabbitmq) as channel:  # declaring anything else would be refused
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})


def test_without_a_broker_in_the_settings_nothing_happens(settings):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": None}
    publisher.publish("r1", "default")

    assert publisher.state() == "off"
    assert publisher.flush(0)


def test_thousands_of_hints_are_sent_in_their_order(rabbitmq, name):
    sent = [f"r{number}" for number in range(5000)]
    for run_id in sent:
        publisher.publish(run_id, "default")

    assert publisher.flush(30)
    assert run_ids(rabbitmq, name) == sent


def test_the_state_tells_how_the_connection_is(rabbitmq, name, settings):
    assert publisher.state() == "idle"

    publisher.publish("r1", "default")
    publisher.flush(10)
    assert publisher.state() == "connected"

    settings.PROGRAM_EXECUTOR = {"AMQP_URL": NOWHERE}
    publisher.publish("r1", "default")
    eventually(lambda: publisher.state() == "failing")


def test_the_names_on_the_broker_are_those_of_the_topology(name):
    assert broker_queue("default") == name
    assert broker_queue("other") == f"{name}.other"


# Queues ----------------------------------------------------------------------------------


def test_a_queue_that_was_deleted_is_made_again_and_the_hint_sent_once_more(rabbitmq, name):
    publisher.publish("r1", "default")
    publisher.flush(10)
    delete(rabbitmq, name)

    for number in range(2, 12):
        publisher.publish(f"r{number}", "default")

    assert publisher.flush(10)
    assert sorted(run_ids(rabbitmq, name)) == sorted(f"r{number}" for number in range(2, 12))


def test_a_queue_with_other_arguments_is_reported_once_and_harms_no_other(
    rabbitmq, name, monkeypatch, caplog
):
    monkeypatch.setattr(link, "REFUSED_FOR", 0.0)
    make_classic(rabbitmq, name)

    for _ in range(3):
        publisher.publish("refused", "default")
        publisher.publish("sent", "other")
        assert publisher.flush(10)

    [line] = logged(caplog)
    assert name in line
    assert "QUEUE_TYPE" in line
    assert run_ids(rabbitmq, name) == []
    assert run_ids(rabbitmq, f"{name}.other") == ["sent"] * 3


def test_many_hints_for_a_refused_queue_do_not_hold_up_those_for_another(
    rabbitmq, name, monkeypatch
):
    monkeypatch.setattr(link, "WINDOW", 10)
    make_classic(rabbitmq, name)
    for _ in range(100):
        publisher.publish("refused", "default")
    publisher.publish("sent", "other")

    assert publisher.flush(10)
    assert run_ids(rabbitmq, f"{name}.other") == ["sent"]


def test_a_refused_queue_is_used_again_once_it_is_right(rabbitmq, name, monkeypatch):
    monkeypatch.setattr(link, "REFUSED_FOR", 0.0)
    make_classic(rabbitmq, name)
    publisher.publish("refused", "default")
    assert publisher.flush(10)
    delete(rabbitmq, name)

    publisher.publish("sent", "default")

    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["sent"]


def test_a_hint_that_the_broker_refuses_is_given_up(rabbitmq, name, settings, caplog):
    caplog.set_level(logging.INFO)
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "QUEUE_TYPE": "classic"}
    limits = json.dumps({"max-length": 1, "overflow": "reject-publish"})
    rabbitmq.ctl("set_policy", name, f"^{name}$", limits)
    try:
        for number in range(3):
            publisher.publish(f"r{number}", "default")
            assert publisher.flush(10)

        assert run_ids(rabbitmq, name) == ["r0"]
        assert any("refused" in line for line in logged(caplog, logging.INFO))
    finally:
        rabbitmq.ctl("clear_policy", name)


def test_a_queue_name_that_is_too_long_is_no_fault_of_the_other_hints(rabbitmq, name, caplog):
    publisher.publish("long", "q" * 300)
    publisher.publish("r1", "default")

    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["r1"]
    assert "255" in caplog.text
