"""Hints reach RabbitMQ, and whatever becomes of it, the caller neither waits nor fails."""

import json
import logging
import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pika
import pytest

from programs.transport import connection, handover, link, publisher
from programs.transport.topology import broker_queue
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
NOWHERE = "amqp://guest:guest@127.0.0.1:1/"  # a port on which nobody listens


@pytest.fixture(autouse=True)
def own_publisher():
    """Begin each test without a publisher, and leave none behind."""
    publisher.close()
    yield
    publisher.close(timeout=0)


@pytest.fixture
def name(rabbitmq, settings):
    """The broker's name of the queue `default`, new for each test."""
    name = rabbitmq.new_queue("other")
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": rabbitmq.url, "QUEUE_NAME": name}
    return name


@contextmanager
def channel_to(rabbitmq):
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        yield connection.channel()


def run_ids(rabbitmq, queue):
    """Take all messages off a queue; return the run_ids in them."""
    found: list[str] = []
    with channel_to(rabbitmq) as channel:
        count = channel.queue_declare(queue, passive=True).method.message_count
        if count:
            for _, _, body in channel.consume(queue, auto_ack=True):
                found.append(json.loads(body)["runId"])
                if len(found) == count:
                    break
    return found


def messages(caplog, level):
    return [record.getMessage() for record in caplog.records if record.levelno == level]


# What a hint becomes -----------------------------------------------------------------------


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


# A broker that is away ---------------------------------------------------------------------


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

    rabbitmq.stop()
    try:
        eventually(lambda: publisher.state() == "failing")
        publisher.publish("during", "default")
    finally:
        rabbitmq.start()

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
    rabbitmq.stop()
    try:
        publish_until("failing")
    finally:
        rabbitmq.start()
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
    assert len([line for line in messages(caplog, logging.WARNING) if "dropped" in line]) == 1


def test_a_memory_alarm_blocks_neither_the_caller_nor_the_hints_after_it(rabbitmq, name, caplog):
    caplog.set_level(logging.INFO)
    publisher.publish("before", "default")
    assert publisher.flush(10)

    rabbitmq.ctl("set_vm_memory_high_watermark", "0.000001")
    try:
        publisher.publish("during", "default")
        eventually(lambda: publisher.state() == "failing")
        began = time.perf_counter()
        publisher.publish("blocked", "default")
        assert time.perf_counter() - began < 0.1
        assert not publisher.flush(10)
        assert time.perf_counter() - began < 1
    finally:
        rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")

    eventually(lambda: publisher.state() == "connected", within=30)
    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["before", "during", "blocked"]
    assert any("memory" in line for line in messages(caplog, logging.WARNING))


def test_a_hint_that_is_not_confirmed_in_time_is_given_up_and_never_sent_again(
    rabbitmq, name, monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(link, "DEADLINE", 0.0)
    publisher.publish("before", "default")
    publisher.flush(10)
    rabbitmq.ctl("set_vm_memory_high_watermark", "0.000001")
    try:
        publisher.publish("unknown", "default")
        eventually(lambda: any("no confirm" in line for line in messages(caplog, logging.INFO)))
        assert publisher.flush(0)
    finally:
        rabbitmq.ctl("set_vm_memory_high_watermark", "0.4")

    eventually(lambda: publisher.state() == "connected", within=30)
    monkeypatch.undo()
    publisher.publish("after", "default")
    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["before", "unknown", "after"]


# Queues ------------------------------------------------------------------------------------


def test_a_queue_that_was_deleted_is_made_again_and_the_hint_sent_once_more(rabbitmq, name):
    publisher.publish("r1", "default")
    publisher.flush(10)
    with channel_to(rabbitmq) as channel:
        channel.queue_delete(name)

    for number in range(2, 12):
        publisher.publish(f"r{number}", "default")

    assert publisher.flush(10)
    assert sorted(run_ids(rabbitmq, name)) == sorted(f"r{number}" for number in range(2, 12))


def test_a_queue_with_other_arguments_is_reported_once_and_harms_no_other(
    rabbitmq, name, monkeypatch, caplog
):
    monkeypatch.setattr(link, "REFUSED_FOR", 0.0)
    with channel_to(rabbitmq) as channel:
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "classic"})

    for _ in range(3):
        publisher.publish("refused", "default")
        publisher.publish("sent", "other")
        assert publisher.flush(10)

    [line] = messages(caplog, logging.ERROR)
    assert name in line
    assert "QUEUE_TYPE" in line
    assert run_ids(rabbitmq, name) == []
    assert run_ids(rabbitmq, f"{name}.other") == ["sent"] * 3


def test_many_hints_for_a_refused_queue_do_not_hold_up_those_for_another(
    rabbitmq, name, monkeypatch
):
    monkeypatch.setattr(link, "WINDOW", 10)
    with channel_to(rabbitmq) as channel:
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "classic"})
    for _ in range(100):
        publisher.publish("refused", "default")
    publisher.publish("sent", "other")

    assert publisher.flush(10)
    assert run_ids(rabbitmq, f"{name}.other") == ["sent"]


def test_a_refused_queue_is_used_again_once_it_is_right(rabbitmq, name, monkeypatch):
    monkeypatch.setattr(link, "REFUSED_FOR", 0.0)
    with channel_to(rabbitmq) as channel:
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "classic"})
    publisher.publish("refused", "default")
    assert publisher.flush(10)
    with channel_to(rabbitmq) as channel:
        channel.queue_delete(name)

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
        assert any("refused" in line for line in messages(caplog, logging.INFO))
    finally:
        rabbitmq.ctl("clear_policy", name)


def test_a_queue_name_that_is_too_long_is_no_fault_of_the_other_hints(rabbitmq, name, caplog):
    publisher.publish("long", "q" * 300)
    publisher.publish("r1", "default")

    assert publisher.flush(10)
    assert run_ids(rabbitmq, name) == ["r1"]
    assert "255" in caplog.text


# A broker that refuses us ------------------------------------------------------------------


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
    rabbitmq, name, settings, monkeypatch, caplog, change, said
):
    tries = []
    failed = connection.Outage.failed

    def counted(outage, error):
        tries.append(error)
        return failed(outage, error)

    monkeypatch.setattr(connection, "MISCONFIGURED_DELAY", 0.05)
    monkeypatch.setattr(connection.Outage, "failed", counted)
    old, new = change
    head, _, tail = rabbitmq.url.rpartition(old)
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": f"{head}{new}{tail}", "QUEUE_NAME": name}

    publisher.publish("r1", "default")

    eventually(lambda: len(tries) >= 3)
    [line] = messages(caplog, logging.ERROR)
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


# Processes ---------------------------------------------------------------------------------


def run_script(rabbitmq, name, script):
    """Run a script in a new process, as `manage.py shell -c` would."""
    prelude = (
        "import os, sys\n"
        "from django.conf import settings\n"
        f"settings.configure(PROGRAM_EXECUTOR={{'AMQP_URL': {rabbitmq.url!r},"
        f" 'QUEUE_NAME': {name!r}}})\n"
        "from programs.transport import publisher\n"
    )
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", prelude + script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.skipif(
    (3, 12, 0) <= sys.version_info < (3, 12, 3),
    reason="these Pythons start no thread at exit, and pika resolves names in one",
)
def test_a_process_that_ends_right_after_publishing_has_sent_its_hint(rabbitmq, name):
    done = run_script(rabbitmq, name, "publisher.publish('r1', 'default')")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run_ids(rabbitmq, name) == ["r1"]


def test_a_process_that_ends_while_the_broker_is_down_does_not_wait(name, rabbitmq):
    script = f"""
settings.PROGRAM_EXECUTOR["AMQP_URL"] = {NOWHERE!r}
publisher.publish("r1", "default")
while publisher.state() != "failing": pass
import time; began = time.perf_counter()
import atexit; atexit.register(print, "bye")
publisher.close()
print(time.perf_counter() - began < 0.5)
"""
    done = run_script(rabbitmq, name, script)

    assert done.stdout.split() == ["True", "bye"]


def test_a_forked_child_publishes_over_a_connection_of_its_own(rabbitmq, name):
    script = """
publisher.publish("parent, before", "default")
assert publisher.flush(10)
child = os.fork()
if child == 0:
    assert publisher.state() == "idle"
    publisher.publish("child", "default")
    assert publisher.flush(10)
    sys.exit(7)
assert os.waitpid(child, 0)[1] >> 8 == 7
publisher.publish("parent, after", "default")
assert publisher.flush(10)
"""
    done = run_script(rabbitmq, name, script)

    assert (done.returncode, done.stderr) == (0, "")
    assert run_ids(rabbitmq, name) == ["parent, before", "child", "parent, after"]


def test_a_fork_while_the_lock_is_held_leaves_the_child_able_to_publish(rabbitmq, name):
    script = """
import threading
held = threading.Event()
def hold():
    with publisher._lock:
        held.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    publisher.publish("child", "default")
    os._exit(0 if publisher.flush(10) else 1)
sys.exit(os.waitpid(child, 0)[1])
"""
    done = run_script(rabbitmq, name, script)

    assert done.returncode == 0, done.stderr
    assert run_ids(rabbitmq, name) == ["child"]


def test_the_names_on_the_broker_are_those_of_the_topology(name):
    assert broker_queue("default") == name
    assert broker_queue("other") == f"{name}.other"
