"""How full the broker's queues are: asked in time, or refused with the reason."""

import re
import socket
import threading
import time
from contextlib import closing, contextmanager

import pytest

from programs.errors import BrokerMisconfigured, BrokerUnavailable
from programs.transport.depth import Depth, depths
from programs.transport.topology import declare
from tests.messages import channel_to, hints, leaderless, make_classic, send, stopped
from tests.waiting import eventually

SLACK = 0.5  # seconds, for a machine with other work


@contextmanager
def at_most(seconds):
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + SLACK


@contextmanager
def silent_broker():
    """A peer that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield f"amqp://ada:s3cr3t@127.0.0.1:{listening.getsockname()[1]}/"


def test_the_messages_and_consumers_of_each_queue_are_told(rabbitmq, name, consume, inbox):
    make_classic(rabbitmq, f"{name}.other")
    send(rabbitmq, f"{name}.other", *hints("a", "b", "c"))
    consumer = consume(inbox, "default")
    eventually(lambda: consumer.live)

    found = depths(["default", "other"], within=10)

    assert found["other"] == Depth(messages=3, consumers=0)
    assert eventually(lambda: depths(["default"], within=10) == {"default": Depth(0, 1)})


def test_a_queue_that_is_not_there_is_left_out_and_not_made(rabbitmq, name):
    make_classic(rabbitmq, f"{name}.other")

    for _ in range(2):
        assert depths(["reports", "other", "default"], within=10) == {"other": Depth(0, 0)}


def test_a_name_that_no_queue_of_the_broker_can_have_hides_no_other(rabbitmq, name):
    make_classic(rabbitmq, f"{name}.other")

    assert depths(["other", "\u4e2d" * 100], within=10) == {"other": Depth(0, 0)}


def test_many_queues_are_asked_about_over_one_connection(rabbitmq, name):
    make_classic(rabbitmq, f"{name}.other")
    with at_most(1.0):
        found = depths([*(f"q{n}" for n in range(200)), "other"], within=10)
    assert found == {"other": Depth(0, 0)}


def test_the_connection_is_closed_in_good_order(rabbitmq, name):
    before = len(rabbitmq.log())
    depths(["default"], within=10)
    said = eventually(lambda: re.search(r"closing AMQP connection .*", rabbitmq.log()[before:]))
    assert "unexpectedly" not in rabbitmq.log()[before:], said


def test_without_a_broker_there_is_nothing_to_ask(settings):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": None}
    assert depths(["default"]) == {}


def test_asking_about_no_queue_asks_nobody(settings):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://ada:s3cr3t@127.0.0.1:1/"}
    assert depths([]) == {}


# A broker that cannot be asked ---------------------------------------------------------------


def test_a_broker_that_is_down_is_said_at_once(rabbitmq, name):
    with stopped(rabbitmq), pytest.raises(BrokerUnavailable, match="not available"), at_most(0.5):
        depths(["default"], within=10)


def test_a_broker_that_never_answers_costs_no_more_than_was_given(settings):
    with silent_broker() as url:
        settings.PROGRAM_EXECUTOR = {"AMQP_URL": url}
        with at_most(0.5), pytest.raises(BrokerUnavailable, match=r"0\.5 s about queue default"):
            depths(["default"], within=0.5)


def test_a_network_that_swallows_everything_costs_no_more_than_was_given(settings):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # its line of waiting connections is full after the first
        with closing(socket.create_connection(full.getsockname())):
            url = f"amqp://ada:s3cr3t@127.0.0.1:{full.getsockname()[1]}/"
            settings.PROGRAM_EXECUTOR = {"AMQP_URL": url}
            with at_most(0.5), pytest.raises(BrokerUnavailable):
                depths(["default"], within=0.5)


def test_a_name_server_that_does_not_answer_costs_no_more_than_was_given(settings, monkeypatch):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://ada:s3cr3t@broker.example/"}
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **named: answered.wait(10) and [])
    try:
        with at_most(0.5), pytest.raises(BrokerUnavailable, match="no answer came"):
            depths(["default"], within=0.5)
    finally:
        answered.set()


def test_of_a_queue_without_a_leader_rabbitmq_says_in_time_that_it_is_empty(rabbitmq, name):
    with channel_to(rabbitmq) as channel:
        declare(channel, "default")
    send(rabbitmq, name, *hints("a"))
    with leaderless(rabbitmq, name), at_most(1.0):
        found = depths(["default"], within=1.0)
    assert found == {"default": Depth(0, 0)}


@pytest.mark.invariant(11)
def test_a_refused_password_is_said_and_not_shown(rabbitmq, settings):
    host = rabbitmq.url.rpartition("@")[2]
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": f"amqp://guest:s3cr3t@{host}"}
    with pytest.raises(BrokerMisconfigured, match="refuses user 'guest'") as refused:
        depths(["default"], within=10)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.invariant(11)
def test_a_faulty_url_is_said_before_anybody_is_asked(settings):
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://ada:1/s3cr3t@broker.example"}
    with pytest.raises(BrokerMisconfigured, match="AMQP_URL") as refused:
        depths(["default"])
    assert "s3cr3t" not in str(refused.value)


def test_nothing_is_left_open_by_an_answer_that_never_came(settings):
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        url = f"amqp://ada:s3cr3t@127.0.0.1:{listening.getsockname()[1]}/"
        settings.PROGRAM_EXECUTOR = {"AMQP_URL": url}
        with pytest.raises(BrokerUnavailable):
            depths(["default"], within=0.3)
        taken, _ = listening.accept()
        with closing(taken):
            taken.settimeout(2.0)
            while data := taken.recv(64):
                assert data.startswith(b"AMQP")  # and then the end
