"""Hints come from RabbitMQ to the slots."""

import json
import logging

from programs.transport.consumer import Consumer
from programs.transport.hint import Hint
from programs.transport.inbox import Inbox
from tests.messages import hints, left_by, logged, send, taken
from tests.waiting import eventually


def test_a_hint_on_the_broker_is_taken_by_a_slot(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))

    delivery = taken(inbox)

    assert (delivery.hint, delivery.queue) == (Hint("r1"), "default")


def test_every_queue_is_made_and_consumed(rabbitmq, name, inbox, consume):
    consumer = consume(inbox, "default", "other")
    eventually(lambda: consumer.live)
    send(rabbitmq, f"{name}.other", *hints("r1"))

    assert taken(inbox).queue == "other"


def test_a_settled_hint_is_gone_however_often_it_is_settled(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    delivery = taken(inbox)

    for answer in (delivery.settle, delivery.settle, delivery.give_back):
        answer()

    send(rabbitmq, name, *hints("r2"))
    assert taken(inbox).hint == Hint("r2")
    assert consumer.live
    assert left_by(consumer, rabbitmq, name) == 1


def test_a_hint_given_back_comes_again(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    taken(inbox).give_back()

    assert taken(inbox).hint == Hint("r1")


def test_answers_out_of_order_settle_only_what_was_settled(rabbitmq, name, inbox, consume):
    consumer = consume(inbox, prefetch=10)
    eventually(lambda: consumer.live)
    send(rabbitmq, name, *hints(*(f"r{number}" for number in range(10))))
    held = [taken(inbox) for _ in range(10)]

    for number in (9, 1, 0, 4, 5, 7):
        held[number].settle()
    held[3].give_back()

    assert taken(inbox).hint == held[3].hint
    assert left_by(consumer, rabbitmq, name) == 4
    left = Inbox(slots=10)
    consume(left, prefetch=10)
    assert {taken(left).hint for _ in range(4)} == {held[number].hint for number in (2, 3, 6, 8)}


def test_no_more_than_the_prefetch_is_held_and_each_settled_hint_makes_room(
    rabbitmq, name, inbox, consumer
):
    send(rabbitmq, name, *hints("r1", "r2", "r3"))
    first, second = taken(inbox), taken(inbox)
    assert inbox.take(0.05) is None

    first.settle()

    assert taken(inbox).hint not in (first.hint, second.hint)


def test_stopping_gives_back_what_waits_and_keeps_what_was_settled(
    rabbitmq, name, inbox, consumer, consume
):
    send(rabbitmq, name, *hints("r1", "r2"))
    eventually(lambda: len(inbox) == 2)
    settled = taken(inbox)
    settled.settle()

    assert left_by(consumer, rabbitmq, name) == 1
    assert not consumer.live
    assert len(inbox) == 0
    another = Inbox(slots=2)
    consume(another)
    assert taken(another).hint != settled.hint


def test_a_consumer_that_was_never_started_can_be_stopped(inbox):
    consumer = Consumer(["default"], inbox, prefetch=1)
    consumer.stop(1)

    assert not consumer.live


# Bad hints -------------------------------------------------------------------------------


def test_bad_hints_by_the_hundred_are_logged_acknowledged_and_gone(
    rabbitmq, name, inbox, consumer, caplog
):
    bad = [b"not json", b"\xff\xfe", b"{}", json.dumps({"runId": 17}).encode(), b"\0" * 2**20]
    send(rabbitmq, name, *(bad[number % 5] for number in range(300)), *hints("r1"))

    delivery = taken(inbox)

    assert delivery.hint == Hint("r1")
    delivery.settle()
    assert consumer.live
    assert left_by(consumer, rabbitmq, name) == 0
    lines = logged(caplog, logging.WARNING)
    assert len(lines) == 300
    assert max(len(line) for line in lines) < 400


# Slots that do not come ------------------------------------------------------------------


def test_when_no_slot_comes_the_hints_go_to_another_worker(rabbitmq, name, inbox, consume):
    busy = consume(inbox)
    eventually(lambda: busy.live)
    send(rabbitmq, name, *hints("r1", "r2"))
    eventually(lambda: len(inbox) == 2)

    another = Inbox(slots=2)
    consume(another)

    assert {taken(another).hint.run_id, taken(another).hint.run_id} == {"r1", "r2"}
    assert len(inbox) == 0
    assert busy.live


def test_when_a_slot_comes_again_the_hints_do_as_well(rabbitmq, name, inbox, consumer):
    send(rabbitmq, name, *hints("r1"))
    eventually(lambda: len(inbox) == 1)
    eventually(lambda: len(inbox) == 0)  # nobody came for it: given back
    send(rabbitmq, name, *hints("r2"))

    assert {taken(inbox).hint.run_id, taken(inbox).hint.run_id} == {"r1", "r2"}
