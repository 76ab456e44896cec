"""How a URL becomes a connection, and how pika's errors become ours."""

import logging
import ssl

import pytest
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorAMQPHandshakeError,
    AMQPConnectorSocketConnectError,
    AMQPConnectorTransportSetupError,
)
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    StreamLostError,
)

from programs.errors import BrokerMisconfigured, BrokerUnavailable
from programs.transport.connection import Outage, in_our_words, parameters

URL = "amqp://ada:s3cr3t@broker.example:5673/jobs"


def given(url=URL):
    return parameters(url, purpose="test", heartbeat=20)


# Parameters --------------------------------------------------------------------------------


def test_a_url_says_where_and_we_say_how_long():
    result = given()

    assert (result.host, result.port, result.virtual_host) == ("broker.example", 5673, "jobs")
    assert result.heartbeat == 20
    assert None not in (
        result.socket_timeout,
        result.stack_timeout,
        result.blocked_connection_timeout,
    )


def test_what_the_url_sets_itself_comes_first():
    result = given(f"{URL}?socket_timeout=2&blocked_connection_timeout=9&heartbeat=7")

    assert (result.socket_timeout, result.blocked_connection_timeout, result.heartbeat) == (2, 9, 7)


def test_heartbeats_cannot_be_turned_off():
    assert given(f"{URL}?heartbeat=0").heartbeat == 20


def test_the_connection_has_a_name_on_the_broker():
    assert "program-executor test" in given().client_properties["connection_name"]


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS")
@pytest.mark.parametrize("query", ["", "?ssl_options={'protocol':5,'cadata':None}"])
def test_tls_always_verifies_the_name_of_the_host(query, monkeypatch):
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *given: None)
    context = given(f"amqps://ada:s3cr3t@broker.example{query}").ssl_options.context

    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.invariant(11)
@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "broker.example:5672",
        "http://ada:s3cr3t@broker.example",
        "amqp://ada:s3cr3t@broker.example:port/",
        "amqp://ada:s3cr3t@broker.example:99999/",
        "amqp://ada@broker.example",
        "amqp://ada:s3cr3t/@broker.example",
        "amqp://ada:1/s3cr3t@broker.example",
        "amqp://ada:1?s3cr3t@broker.example",
        "amqp://ada:1#s3cr3t@broker.example",
        "amqp://[ada:s3cr3t@broker.example",
        f"{URL}?heartbeats=20",
        f"{URL}?heartbeat=often",
        f"{URL}?heartbeat=1&heartbeat=2",
        f"{URL}?client_properties=s3cr3t(",
        f"{URL}?ssl_options={{'cafile':'/nowhere','password':'s3cr3t'}}",
    ],
)
def test_a_faulty_url_is_refused_without_showing_the_password(url):
    with pytest.raises(BrokerMisconfigured) as caught:
        given(url)

    assert "AMQP_URL" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


# Errors ------------------------------------------------------------------------------------


def workflow_failed(error):
    return AMQPConnectionWorkflowFailed([error])


REFUSED = ConnectionRefusedError(111, "Connection refused")
MISTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed: Hostname mismatch")
LOGIN = ConnectionClosedByBroker(403, "ACCESS_REFUSED - Login was refused")
NO_VHOST = ConnectionClosedByBroker(530, "NOT_ALLOWED - vhost jobs not found")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (REFUSED, "Connection refused"),
        (AMQPConnectionError(workflow_failed(AMQPConnectorSocketConnectError(REFUSED))), "refused"),
        (StreamLostError("Stream connection lost"), "Stream connection lost"),
        (ProbableAuthenticationError(repr(StreamLostError("EOF"))), "EOF"),
        (ConnectionClosedByBroker(320, "CONNECTION_FORCED"), "CONNECTION_FORCED"),
        (ConnectionClosedByBroker(541, "INTERNAL_ERROR"), "INTERNAL_ERROR"),
        (ssl.SSLEOFError(8, "EOF occurred"), "EOF occurred"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_may_pass_by_itself_is_unavailable(error, said):
    ours = in_our_words(error, given())

    assert isinstance(ours, BrokerUnavailable)
    assert "broker.example:5673" in str(ours)
    assert said in str(ours)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ProbableAuthenticationError(repr(LOGIN)), "refuses user 'ada' or its password"),
        (
            workflow_failed(
                AMQPConnectorAMQPHandshakeError(ProbableAuthenticationError(repr(LOGIN)))
            ),
            "refuses user 'ada' or its password",
        ),
        (ProbableAccessDeniedError(repr(NO_VHOST)), "virtual host 'jobs'"),
        (ChannelClosedByBroker(403, "ACCESS_REFUSED - queue"), "permission"),
        (ChannelClosedByBroker(404, "NOT_FOUND - queue"), "NOT_FOUND - queue"),
        (ChannelClosedByBroker(406, "PRECONDITION_FAILED"), "QUEUE_TYPE"),
        (MISTRUSTED, "Hostname mismatch"),
        (workflow_failed(AMQPConnectorTransportSetupError(MISTRUSTED)), "Hostname mismatch"),
        (ssl.SSLError(1, "wrong version number"), "wrong version number"),
    ],
)
def test_what_somebody_must_change_is_misconfigured(error, said):
    ours = in_our_words(error, given())

    assert isinstance(ours, BrokerMisconfigured)
    assert said in str(ours)
    assert "s3cr3t" not in str(ours)


# Patience ----------------------------------------------------------------------------------


@pytest.fixture
def outage(caplog):
    caplog.set_level(logging.INFO)
    return Outage(logging.getLogger("programs.test"), "test")


def test_the_delays_grow_to_three_seconds_each_with_jitter(outage):
    delays = [outage.failed(BrokerUnavailable("away")) for _ in range(50)]

    assert 0.1 <= delays[0] <= 0.2
    assert all(1.5 <= delay <= 3 for delay in delays[10:])
    assert len(set(delays)) == len(delays)


def test_a_configuration_is_tried_again_every_half_minute(outage):
    assert outage.failed(BrokerMisconfigured("wrong")) == 30


def test_the_same_trouble_is_said_once_and_its_end_as_well(outage, caplog):
    for _ in range(3):
        outage.failed(BrokerUnavailable("away"))
    for _ in range(3):
        outage.failed(BrokerMisconfigured("wrong"))
    for _ in range(3):
        outage.over("RabbitMQ")

    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "INFO"]


def test_a_connection_that_held_is_tried_again_soon_but_not_one_that_never_holds(
    outage, monkeypatch
):
    clock = [100.0]
    monkeypatch.setattr("programs.transport.connection.time.monotonic", lambda: clock[0])
    for _ in range(10):
        outage.failed(BrokerUnavailable("away"))

    outage.over("RabbitMQ")
    assert outage.failed(BrokerUnavailable("away")) >= 1.5

    outage.over("RabbitMQ")
    clock[0] += 60
    assert outage.failed(BrokerUnavailable("away")) <= 0.2
