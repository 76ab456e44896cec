"""Whatever becomes of the broker, publishing neither waits nor fails."""

import logging
import time

import pytest

from programs.transport import handover, link, publisher
from tests.messages import logged, memory_alarm, run_ids, stopped
from tests.waiting import eventually

NOWHERE = "amqp://guest:guest@127.0.0.1:1/"  # a port on which nobody listens


# A broker that is away -------------------------------------------------------------------


def test_publishing_takes_less_than_a_millisecond_while_the_broker_is_down(settings):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": NOWHERE}
    publisher.publish("r0", "default")
    eventually(lambda: publisher.state() == "failing")

    began = time.perf_counter()
    for number in range(1000):
        publisher.publish(f"r{number}", "default")

    assert (time.perf_counter() - began) / 1000 < 0.001


def test_flush_returns_at_once_while_the_broker_is_down(settings):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": NOWHERE}
    publisher.publish("r1", "default")
    eventually(lambda: publisher.state() == "failing")

    began = time.perf_counter()

    assert not publisher.flush(10)
    assert time.perf_counter() - began < 1


def test_hints_handed_over_during_an_outage_are_sent_after_it(rabbitmq, name):
    publisher.publish("before", "default")
    assert publisher.flush(10)

    with stopped(rabbitmq):
        eventually(lambda: publisher.state() == "failing")
        publisher.publish("during", "default")

    eventually(lambda: publisher.flush(1), within=30)
    publisher.publish("after", "default")
    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["before", "during", "after"]


def test_an_outage_in_the_midst_of_publishing_neither_blocks_nor_raises(rabbitmq, name):
    slowest = 0.0
    number = 0

    def publish_until(state):
        nonlocal slowest, number
        while publisher.state() != state:
            number += 1
            began = time.perf_counter()
            publisher.publish(f"r{number}", "default")
            slowest = max(slowest, time.perf_counter() - began)
            time.sleep(0.0005)

    publish_until("connected")
    with stopped(rabbitmq):
        publish_until("failing")
    publish_until("connected")

    assert publisher.flush(30)
    assert slowest < 0.5  # a busy machine takes its time, a broker would take seconds
    assert f"r{number}" in run_ids(rabbitmq, name)


def test_hints_that_the_sweep_has_long_overtaken_are_dropped(rabbitmq, name, monkeypatch):
    monkeypatch.setattr(handover, "USEFUL_FOR", -1.0)
    publisher.publish("old", "default")
    assert publisher.flush(10)
    monkeypatch.undo()

    publisher.publish("new", "default")
    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["new"]


def test_of_too_many_hints_the_oldest_are_dropped_and_one_warning_says_so(
    settings, monkeypatch, caplog
):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": NOWHERE}
    monkeypatch.setattr(handover, "LIMIT", 10)
    publisher.publish("r0", "default")
    eventually(lambda: publisher.state() == "failing")
    caplog.clear()
    for number in range(1, 30):
        publisher.publish(f"r{number}", "default")

    assert publisher._current is not None
    kept = publisher._current.handover.take(100)
    assert [outgoing.hint.run_id for outgoing in kept] == [f"r{n}" for n in range(20, 30)]
    assert len([line for line in logged(caplog, logging.WARNING) if "dropped" in line]) == 1


def test_a_memory_alarm_blocks_neither_the_caller_nor_the_hints_after_it(rabbitmq, name, caplog):
    caplog.set_level(logging.INFO)
    publisher.publish("before", "default")
    assert publisher.flush(10)

    with memory_alarm(rabbitmq):
        publisher.publish("during", "default")
        eventually(lambda: publisher.state() == "failing")
        began = time.perf_counter()
        publisher.publish("blocked", "default")
        assert time.perf_counter() - began < 0.1
        assert not publisher.flush(10)
        assert time.perf_counter() - began < 1

    eventually(lambda: publisher.state() == "connected", within=30)
    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["before", "during", "blocked"]
    assert any("memory" in line for line in logged(caplog, logging.WARNING))


def test_a_hint_that_is_not_confirmed_in_time_is_given_up_and_never_sent_again(
    rabbitmq, name, monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(link, "DEADLINE", 0.0)
    publisher.publish("before", "default")
    publisher.flush(10)
    with memory_alarm(rabbitmq):
        publisher.publish("unknown", "default")
        eventually(lambda: any("no confirm" in line for line in logged(caplog, logging.INFO)))
        assert publisher.flush(0)

    eventually(lambda: publisher.state() == "connected", within=30)
    monkeypatch.undo()
    publisher.publish("after", "default")
    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["before", "unknown", "after"]


# A broker that refuses us ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("guest:guest@", "guest:s3cr3t@"), "refuses user 'guest' or its password"),
        (("guest:guest@", "guest:s3cr/3t@"), "percent-encoded"),
        (("/", "/nowhere?heartbeat=30"), "refuses virtual host 'nowhere'"),
        (("/", "/?hartbeat=30"), "'hartbeat'"),
    ],
)
def test_a_wrong_url_is_reported_once_and_without_its_password(
    rabbitmq, name, settings, tries, caplog, change, said
):
    old, new = change
    head, _, tail = rabbitmq.url.rpartition(old)
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": f"{head}{new}{tail}", "QUEUE_NAME": name}

    publisher.publish("r1", "default")

    eventually(lambda: len(tries) >= 3)
    [line] = logged(caplog)
    assert said in line
    assert "s3cr" not in caplog.text
    assert publisher.state() == "failing"
    assert not publisher.flush(0)


def test_a_url_that_was_corrected_is_used_at_once(rabbitmq, name, settings):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://broken:url", "QUEUE_NAME": name}
    publisher.publish("lost", "default")
    eventually(lambda: publisher.state() == "failing")

    settings.PROGRAM_EXECUTOR = {"AMQP_URL": rabbitmq.url, "QUEUE_NAME": name}
    publisher.publish("r1", "default")

    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["r1"]


def test_a_publisher_that_fails_by_a_fault_of_ours_goes_on(rabbitmq, name, monkeypatch, caplog):
    publish = link.Link._publish
    monkeypatch.setattr(link.Link, "_publish", lambda *given: 1 / 0)
    publisher.publish("lost", "default")
    eventually(lambda: publisher.state() == "failing")
    monkeypatch.setattr(link.Link, "_publish", publish)

    publisher.publish("r1", "default")

    eventually(lambda: publisher.flush(1))
    assert run_ids(rabbitmq, name) == ["r1"]
    assert "The publisher failed" in caplog.text
