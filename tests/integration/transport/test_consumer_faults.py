"""Whatever becomes of the broker, consuming goes on as soon as it can."""

import logging

from programs.transport import connection
from programs.transport.hint import Hint
from tests.messages import (
    delete,
    hints,
    leaderless,
    left_by,
    logged,
    make_classic,
    memory_alarm,
    send,
    stopped,
    taken,
)
from tests.waiting import eventually

# A broker that fails ---------------------------------------------------------------------


def test_it_consumes_again_after_the_broker_was_away(rabbitmq, name, inbox, consumer, caplog):
    with stopped(rabbitmq):
        eventually(lambda: not consumer.live)
        eventually(lambda: consumer.last_error)

    eventually(lambda: consumer.live, within=30)
    assert consumer.last_error is None
    send(rabbitmq, name, *hints("r1"))
    assert taken(inbox).hint == Hint("r1")


def test_a_broker_that_is_away_from_the_start_is_waited_for(rabbitmq, name, inbox, consume):
    with stopped(rabbitmq):
        consumer = consume(inbox)
        eventually(lambda: consumer.last_error)

    eventually(lambda: consumer.live, within=30)


def test_stopping_is_quick_while_the_broker_is_away(settings, inbox, consume):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}
    consumer = consume(inbox)
    eventually(lambda: consumer.last_error)

    consumer.stop(10)

    assert not consumer._thread.is_alive()


def test_an_answer_from_before_a_reconnection_answers_nothing(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    stale = taken(inbox)
    rabbitmq.restart()
    fresh = inbox.take(30)
    assert (stale.tag, fresh.hint) == (fresh.tag, Hint("r1"))

    stale.settle()
    stale.give_back()
    send(rabbitmq, name, *hints("r2"))

    assert taken(inbox).hint == Hint("r2")
    assert consumer.live
    assert left_by(consumer, rabbitmq, name) == 2


def test_a_lost_connection_takes_what_waits_out_of_the_inbox(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    eventually(lambda: len(inbox) == 1)
    rabbitmq.ctl("close_all_connections", "for a test")

    eventually(lambda: consumer.live)
    taken(inbox).settle()

    assert inbox.take(0.05) is None
    assert left_by(consumer, rabbitmq, name) == 0


def test_a_channel_that_the_broker_closes_is_opened_again_at_once(
    rabbitmq, name, inbox, consumer, caplog
):
    session = consumer._session
    session._unsettled.add(999)  # a tag that the broker does not know: it answers with a 406
    session.settle(999)

    eventually(lambda: consumer.live and consumer._session is not session)

    send(rabbitmq, name, *hints("r1"))
    assert taken(inbox).hint == Hint("r1")
    [line] = logged(caplog, logging.WARNING)
    assert "unknown delivery tag" in line


def test_a_queue_that_is_deleted_is_made_and_consumed_again(rabbitmq, name, inbox, consumer):
    delete(rabbitmq, name)
    eventually(lambda: not consumer.live)
    eventually(lambda: consumer.live)

    send(rabbitmq, name, *hints("r1"))

    assert taken(inbox).hint == Hint("r1")


def test_a_queue_without_a_leader_is_reported_once_and_consumed_once_it_has_one(
    rabbitmq, name, inbox, consumer, consume, tries, monkeypatch, caplog
):
    consumer.stop(10)  # it has made the queue
    monkeypatch.setattr(connection, "ANSWER_TIMEOUT", 0.5)
    with leaderless(rabbitmq, name):
        consumer = consume(inbox)
        eventually(lambda: len(tries) >= 3)
        assert not consumer.live
    [line] = logged(caplog, logging.WARNING)
    assert "has its queue a leader?" in line

    eventually(lambda: consumer.live, within=30)
    send(rabbitmq, name, *hints("r1"))
    assert taken(inbox).hint == Hint("r1")


def test_a_consumer_whose_queue_has_no_leader_stops_all_the_same(
    rabbitmq, name, consumer, monkeypatch
):
    monkeypatch.setattr(connection, "ANSWER_TIMEOUT", 0.5)
    with leaderless(rabbitmq, name):
        consumer.stop(10)

    assert not consumer._thread.is_alive()


def test_a_memory_alarm_does_not_stop_consuming(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1", "r2", "r3"))
    with memory_alarm(rabbitmq):
        deliveries = []
        for _ in range(3):
            deliveries.append(taken(inbox))
            deliveries[-1].settle()
        assert {delivery.hint.run_id for delivery in deliveries} == {"r1", "r2", "r3"}
        assert consumer.live
        assert left_by(consumer, rabbitmq, name) == 0


# A broker that refuses us ----------------------------------------------------------------


def test_a_wrong_password_is_reported_once_and_never_shown(
    rabbitmq, name, settings, inbox, consume, tries, caplog
):
    url = rabbitmq.url.replace("guest:guest@", "guest:s3cr3t@")
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": url, "QUEUE_NAME": name}
    consumer = consume(inbox)

    eventually(lambda: len(tries) >= 3)

    [line] = logged(caplog)
    assert "refuses user 'guest' or its password" in line
    assert line.startswith(consumer.last_error)
    assert "s3cr3t" not in caplog.text
    assert not consumer.live


def test_a_queue_with_other_arguments_is_reported_once_and_consumed_once_it_is_right(
    rabbitmq, name, inbox, consume, tries, caplog
):
    make_classic(rabbitmq, name)
    consumer = consume(inbox)
    eventually(lambda: len(tries) >= 3)

    [line] = logged(caplog)
    assert "x-queue-type" in line
    assert "QUEUE_TYPE" in line
    delete(rabbitmq, name)
    eventually(lambda: consumer.live)
    assert consumer.last_error is None


def test_a_fault_of_ours_does_not_end_the_consumer(
    rabbitmq, name, inbox, consumer, monkeypatch, caplog
):
    put = inbox.put
    monkeypatch.setattr(inbox, "put", lambda delivery: 1 / 0)
    send(rabbitmq, name, *hints("r1"))
    eventually(lambda: consumer.last_error)
    monkeypatch.setattr(inbox, "put", put)

    assert taken(inbox).hint == Hint("r1")
    assert "The consumer failed" in caplog.text
