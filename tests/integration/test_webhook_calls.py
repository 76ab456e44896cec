"""Calls of webhooks: whatever the receiver answers, or does not; and what is kept of it."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import trustme
from django.core.serializers import serialize
from pytest_django.fixtures import Settings

from programs.models import Attempt, Ending, Program, State
from programs.webhooks import call, silence
from programs.webhooks.delivery import seconds_of
from tests.faults.tls import TlsFront
from tests.receiver import Receiver, Reply, answering, receiving
from tests.running import run
from tests.webhooks import Made, deliver, deliveries, make, receiver

__all__ = ["make", "receiver"]


def delivered(receiver: Receiver, *replies: Reply) -> tuple[Program, Attempt]:
    """End a program, and return its delivery with its last attempt, answered so."""
    receiver.replies[:] = replies
    run("noop")
    delivery = deliver()
    attempt = delivery.attempts.last()
    assert attempt is not None
    return delivery, attempt


def wait_of(delivery: Program) -> float:
    """Return how long the delivery waits for its next try, in seconds."""
    assert delivery.due_at is not None
    return (delivery.due_at - delivery.updated_at).total_seconds()


@pytest.mark.parametrize("status", [200, 204, 299])
def test_any_2xx_is_an_end(make: Made, receiver: Receiver, status: int) -> None:
    make()
    delivery, _ = delivered(receiver, answering(status))
    assert delivery.state is State.FINISHED


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_receiver_in_trouble_is_called_again(make: Made, receiver: Receiver, status: int) -> None:
    make()
    delivery, attempt = delivered(receiver, answering(status))
    assert (delivery.state, attempt.outcome) == (State.SCHEDULED, Ending.RETRIED)
    assert 3 <= wait_of(delivery) <= 7

    assert deliver().state is State.FINISHED
    first, second = receiver.calls
    assert first.headers["Webhook-Id"] == second.headers["Webhook-Id"]
    assert first.body == second.body


@pytest.mark.parametrize(("asked", "waited"), [("90", 90), ("0", 1), ("999999", 3600)])
def test_retry_after_is_heeded_within_bounds(
    make: Made, receiver: Receiver, asked: str, waited: float
) -> None:
    make()
    delivery, _ = delivered(receiver, answering(503, Retry_After=asked))
    assert wait_of(delivery) == pytest.approx(waited, abs=0.5)


def test_retry_after_may_be_a_date_or_nonsense() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert seconds_of(date) == pytest.approx(60, abs=3)
    assert [seconds_of(text) for text in ("", "soon", "-5", "1e9")] == [None] * 4


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refusal_ends_the_delivery_quietly(make: Made, receiver: Receiver, status: int) -> None:
    webhook = make()
    delivery, attempt = delivered(receiver, answering(status))
    assert (delivery.state, attempt.outcome) == (State.ERRORED, Ending.IGNORED)
    assert f"answered {status}: the call is refused" in str(delivery.error_message)
    webhook.refresh_from_db()
    assert webhook.is_active


def test_redirects_are_not_followed(make: Made, receiver: Receiver) -> None:
    make()
    with receiving() as elsewhere:
        delivery, _ = delivered(receiver, answering(307, Location=elsewhere.url))
    assert delivery.state is State.ERRORED
    assert "redirects are not followed" in str(delivery.error_message)
    assert (len(receiver.calls), elsewhere.calls) == (1, [])


def test_a_receiver_that_is_gone_switches_its_webhook_off(make: Made, receiver: Receiver) -> None:
    webhook = make()
    delivery, _ = delivered(receiver, answering(410))
    webhook.refresh_from_db()
    assert (delivery.state, webhook.is_active) == (State.ERRORED, False)


def test_a_receiver_that_is_away_is_called_again(make: Made, receiver: Receiver) -> None:
    with receiving() as gone:
        pass
    make(url=gone.url)
    delivery, attempt = delivered(receiver)
    assert (delivery.state, attempt.outcome) == (State.SCHEDULED, Ending.RETRIED)
    assert "ConnectionRefusedError" in str(attempt.message)


def test_while_a_receiver_gives_no_answer_one_slot_waits_for_it_and_not_all(
    make: Made, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as gone:
        pass
    webhook = make(url=gone.url)
    for _ in range(3):
        run("noop")
    first, second, third = (deliver(each) for each in deliveries())
    assert "ConnectionRefusedError" in str(first.error_message)
    assert "gave no answer to another call just now" in str(second.error_message)
    assert "gave no answer to another call just now" in str(third.error_message)
    assert {each.state for each in (first, second, third)} == {State.SCHEDULED}

    monkeypatch.setattr(silence, "_until", {(webhook.pk, webhook.url): time.monotonic()})
    tries = [silence.is_silent(webhook) for _ in range(3)]
    assert tries == [False, True, True]


# Time and size -------------------------------------------------------------------------------


def silent(handler: BaseHTTPRequestHandler, receiver: Receiver) -> None:
    receiver.closing.wait(20)


def dripping_headers(handler: BaseHTTPRequestHandler, receiver: Receiver) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not receiver.closing.wait(0.05):
        handler.wfile.write(b"x")


@pytest.mark.parametrize("behaviour", [silent, dripping_headers])
def test_a_server_that_does_not_come_to_an_end_is_left_at_the_deadline(
    make: Made, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, behaviour: Any
) -> None:
    monkeypatch.setattr(call, "DEADLINE", 1.0)
    make()
    began = time.monotonic()
    delivery, attempt = delivered(receiver, lambda handler: behaviour(handler, receiver))

    assert time.monotonic() - began < 4
    assert (delivery.state, attempt.outcome) == (State.SCHEDULED, Ending.RETRIED)
    assert "no answer within 1 s" in str(attempt.message)


def test_a_handshake_that_does_not_come_to_an_end_is_left_at_the_deadline(
    make: Made, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "DEADLINE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:  # it accepts, and says nothing
        make(url=f"https://127.0.0.1:{server.getsockname()[1]}/")
        delivery, attempt = delivered(receiver)
    assert delivery.state is State.SCHEDULED
    assert "no answer within" in str(attempt.message)


def test_a_look_up_that_does_not_come_to_an_end_is_left(
    make: Made, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "CONNECTING", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **b: receiver.closing.wait(20) and [])
    make()
    delivery, attempt = delivered(receiver)
    assert delivery.state is State.SCHEDULED
    assert "could not be looked up" in str(attempt.message)


def test_what_was_accepted_is_no_failure_for_a_body_that_drips(
    make: Made, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not receiver.closing.wait(0.05):
            handler.wfile.write(b"x")

    monkeypatch.setattr(call, "DEADLINE", 1.0)
    make()
    began = time.monotonic()
    delivery, _ = delivered(receiver, drip)
    assert time.monotonic() - began < 4
    assert delivery.state is State.FINISHED


def test_of_an_answer_the_beginning_is_kept_and_no_more_is_read(
    make: Made,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    read: list[int] = []
    answer = call.Answer

    def noted(status: int, retry_after: str, body: bytes) -> call.Answer:
        read.append(len(body))
        return answer(status, retry_after, body)

    monkeypatch.setattr(call, "Answer", noted)
    make()
    _, attempt = delivered(receiver, answering(200, b"line\n\x1b[2J" + b"x" * 2_000_000))
    assert read == [64 * 1024]
    assert "answered 200: line\\n\\u001b[2Jxxx" in str(attempt.log)
    assert len(str(attempt.log)) < 700


def test_what_is_no_http_is_called_again(make: Made, receiver: Receiver) -> None:
    make()
    delivery, attempt = delivered(receiver, lambda handler: handler.wfile.write(b"SSH-2.0\r\n"))
    assert delivery.state is State.SCHEDULED
    assert "BadStatusLine" in str(attempt.message)


# TLS -----------------------------------------------------------------------------------------


def test_a_certificate_of_nobody_is_not_trusted(
    make: Made, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    front = TlsFront(receiver.url, authority.issue_cert("127.0.0.1"))
    try:
        make(url=f"https://127.0.0.1:{front.port}/")
        delivery, attempt = delivered(receiver)
        assert delivery.state is State.SCHEDULED
        assert "CERTIFICATE_VERIFY_FAILED" in str(attempt.message)
        assert receiver.calls == []

        monkeypatch.setattr(silence, "_until", {})
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        monkeypatch.setattr(call, "trust", lambda: trusting)
        assert deliver().state is State.FINISHED
        assert len(receiver.calls) == 1
    finally:
        front.close()


# Addresses -----------------------------------------------------------------------------------


def test_private_addresses_are_not_called(
    make: Made, receiver: Receiver, settings: Settings
) -> None:
    make(url=receiver.url.replace("127.0.0.1", "localhost"))
    own = {"WEBHOOK_PRIVATE_ADDRESSES": False}
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, **own}

    delivery, attempt = delivered(receiver)

    assert (delivery.state, attempt.outcome) == (State.ERRORED, Ending.IGNORED)
    assert "has no public address" in str(delivery.error_message)
    assert receiver.calls == []


def test_what_was_checked_is_called_and_not_what_the_name_says_next(
    make: Made, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    really = socket.getaddrinfo

    def look_up(host: str, *given: Any, **named: Any) -> Any:
        asked.append(host)
        if host != "rebound.example":
            return really(host, *given, **named)
        address = "127.0.0.1" if asked.count(host) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    make(url=f"http://rebound.example:{receiver.port}/")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    delivery, _ = delivered(receiver)

    assert delivery.state is State.FINISHED
    assert asked.count("rebound.example") == 1
    assert receiver.last.headers["Host"] == f"rebound.example:{receiver.port}"


def test_proxies_of_the_environment_are_not_asked(
    make: Made, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        make()
        assert delivered(receiver)[0].state is State.FINISHED
    assert (len(receiver.calls), proxy.calls) == (1, [])


# The secret ----------------------------------------------------------------------------------


def test_the_secret_is_in_nothing_that_is_kept_or_logged(
    make: Made, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    webhook = make()
    run("noop")
    for status in (500, 503, 400):
        receiver.replies[:] = [answering(status, webhook.secret.encode())]
        deliver()

    rows = [*Program.objects.all(), *Attempt.objects.all()]
    kept = serialize("json", rows) + caplog.text
    assert "answered 400: ***" in kept
    assert webhook.secret not in kept
    assert webhook.secret.removeprefix("whsec_") not in kept


def test_a_secret_that_is_none_ends_the_delivery_and_is_not_told(
    make: Made, receiver: Receiver
) -> None:
    make(secret="whsec_not-base64!")
    delivery, attempt = delivered(receiver)
    assert delivery.state is State.ERRORED
    assert "its secret is no base64" in str(delivery.error_message)
    assert "not-base64" not in f"{attempt.traceback}{attempt.log}"
