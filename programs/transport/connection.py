"""How this process reaches RabbitMQ: connection parameters, pika's errors in our words, patience.

A password is never part of a message: the broker is named by its host, port and user.
"""

from __future__ import annotations

import logging
import os
import random
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pika
from pika.adapters.blocking_connection import BlockingConnection
from pika.adapters.utils import connection_workflow
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ConnectionClosed,
    ConnectionOpenAborted,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from programs.errors import BrokerMisconfigured, BrokerUnavailable

BrokerError = BrokerUnavailable | BrokerMisconfigured
# What pika raises when a connection cannot be had or kept; a wrong certificate is an OSError.
PIKA_ERRORS = (AMQPError, connection_workflow.AMQPConnectorException, OSError)

# Seconds. A broker that is gone without a word is missed within twice the heartbeat and 5 s.
SOCKET_TIMEOUT = 5.0
STACK_TIMEOUT = 10.0
BLOCKED_TIMEOUT = 60.0
ANSWER_TIMEOUT = 10.0

FIRST_DELAY = 0.2
LONGEST_DELAY = 3.0  # hints are heard again within 5 s of the broker's return
MISCONFIGURED_DELAY = 30.0
STEADY = 5.0

# Replies that stay the same until somebody changes something, and what to change.
ADVICE = {
    403: "give the user this permission, or use another user in AMQP_URL",
    404: "is a node of the cluster down?",
    405: "another connection has the queue for itself: end it, or set another QUEUE_NAME",
    406: "the queue exists with other arguments: set QUEUE_TYPE, QUEUE_NAME or QUEUES to match it, "
    "or delete it when it is empty",
    530: "create the virtual host, or name another one in AMQP_URL",
}

# The original's queues are of a kind that RabbitMQ refuses from 4.3 on, unless told otherwise.
TRANSIENT_QUEUES = "transient_nonexcl_queues"

# pika tells each failure in up to six lines and two tracebacks at ERROR. It is told once, here.
# A level that a project has set for pika's loggers is left alone.
_pika_logger = logging.getLogger("pika")
if _pika_logger.level == logging.NOTSET:
    _pika_logger.setLevel(logging.CRITICAL)


def parameters(url: str | None, *, purpose: str, heartbeat: int) -> pika.URLParameters:
    """Return the parameters of a connection; what `url` sets itself comes before our defaults.

    Raises BrokerMisconfigured.
    """
    url = _readable(url)
    try:
        result = pika.URLParameters(url)
    except Exception as error:  # whatever a faulty value makes pika, ast or ssl raise
        raise BrokerMisconfigured(f"AMQP_URL cannot be used: {error}") from error
    asked = parse_qs(urlsplit(url).query)
    for name, value in {
        "socket_timeout": SOCKET_TIMEOUT,
        "stack_timeout": STACK_TIMEOUT,
        "blocked_connection_timeout": BLOCKED_TIMEOUT,
    }.items():
        if name not in asked:
            setattr(result, name, value)
    # Without heartbeats a connection whose other end has vanished is never missed.
    result.heartbeat = result.heartbeat or heartbeat
    # Trying again is ours: pika would sleep where it cannot be interrupted.
    result.connection_attempts = 1
    name = f"program-executor {purpose} {socket.gethostname()}:{os.getpid()}"
    result.client_properties = {"connection_name": name, **(result.client_properties or {})}
    if result.ssl_options is not None:
        # `ssl_options` with a `protocol` would silently leave both out.
        result.ssl_options.context.check_hostname = True
        result.ssl_options.context.verify_mode = ssl.CERT_REQUIRED
    return result


def _readable(url: str | None) -> str:
    """Return `url`, or refuse what pika would misread.

    The URL is never quoted, for a misread one may hold the password anywhere.
    """
    if not isinstance(url, str) or not url.lower().startswith(("amqp://", "amqps://")):
        raise BrokerMisconfigured("AMQP_URL must begin with amqp:// or amqps://")
    encode = "a character like / ? # @ in the user or the password must be percent-encoded"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Not chained: the cause quotes the port, which may be the password's beginning.
        raise BrokerMisconfigured(f"AMQP_URL has no valid host and port; {encode}") from None
    if "@" in (parts.path + parts.query + parts.fragment) and "@" not in parts.netloc:
        raise BrokerMisconfigured(f"AMQP_URL has its user behind its host; {encode}")
    if parts.username is not None and parts.password is None:
        raise BrokerMisconfigured("AMQP_URL names a user but no password")
    return url


def broker_name(given: pika.connection.Parameters) -> str:
    """Return how messages name the broker."""
    return f"RabbitMQ at {given.host}:{given.port}"


def in_our_words(error: BaseException, given: pika.connection.Parameters) -> BrokerError:
    """Return what an error of pika means to an operator; to be raised `from` it."""
    if isinstance(error, BrokerError):
        return error
    broker = broker_name(given)
    cause = _innermost(error)
    user = getattr(given.credentials, "username", "")
    code, text = _reply(cause)
    if isinstance(cause, AuthenticationError) or (
        isinstance(cause, ProbableAuthenticationError) and code is not None
    ):
        return BrokerMisconfigured(
            f"{broker} refuses user {user!r} or its password: correct AMQP_URL"
        )
    if isinstance(cause, ProbableAccessDeniedError) and code is not None:
        return BrokerMisconfigured(
            f"{broker} refuses virtual host {given.virtual_host!r} to user {user!r} "
            f"({code}): {text}; {ADVICE[530]}"
        )
    if TRANSIENT_QUEUES in text:
        return BrokerMisconfigured(
            f"{broker} takes no queues like the original's, which are not durable ({code}): set "
            f"deprecated_features.permit.{TRANSIENT_QUEUES} = true in rabbitmq.conf"
        )
    if code in ADVICE:
        return BrokerMisconfigured(f"{broker} refuses ({code}): {text}; {ADVICE[code]}")
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return BrokerMisconfigured(
            f"{broker} cannot be trusted or speaks no TLS: {_text(cause)}; "
            "correct host and port in AMQP_URL, or the certificates"
        )
    return BrokerUnavailable(f"{broker} is not available: {text or _text(cause)}")


def _innermost(error: BaseException) -> BaseException:
    """Return what happened: pika wraps it up to three times."""
    while True:
        if isinstance(error, connection_workflow.AMQPConnectionWorkflowFailed):
            error = error.exceptions[-1]
        elif isinstance(error, connection_workflow.AMQPConnectorPhaseErrorBase):
            error = error.exception
        elif (
            isinstance(error, AMQPConnectionError)
            and error.args
            and isinstance(error.args[0], BaseException)
        ):
            error = error.args[0]
        else:
            return error


def _reply(error: BaseException) -> tuple[int | None, str]:
    """Return the code and the text of the broker's reply, if it gave one."""
    if isinstance(error, (ChannelClosed, ConnectionClosed)):
        return error.reply_code, error.reply_text
    # During the handshake pika keeps only the repr of ConnectionClosedByBroker. A connection
    # lost at that moment looks alike, but holds no reply: the broker may just be stopping.
    found = re.search(r"ConnectionClosedByBroker: \((\d+)\) (.*)", str(error))
    return (int(found[1]), found[2].strip("'\")")) if found else (None, "")


def _text(error: BaseException) -> str:
    if isinstance(error, (connection_workflow.AMQPConnectorStackTimeout, ConnectionOpenAborted)):
        return "it took too long to answer"
    if isinstance(error, IncompatibleProtocolError):
        return "it ended the connection before AMQP began; are port and TLS in AMQP_URL right?"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


class NoAnswer(AMQPConnectionError):
    """A request was not answered in time."""


@contextmanager
def answered_in_time(connection: BlockingConnection) -> Iterator[None]:
    """End the connection if the broker does not answer what is asked inside.

    pika waits without a limit, and heartbeats go on meanwhile: RabbitMQ is silent about a queue
    that has no leader.
    """
    # The timers that pika offers beside these are held back while it waits.
    implementation = connection._impl  # type: ignore[attr-defined]
    overdue = NoAnswer(f"no answer came within {ANSWER_TIMEOUT:.0f} s; has its queue a leader?")
    end = partial(implementation._terminate_stream, overdue)
    timer = implementation.ioloop.call_later(ANSWER_TIMEOUT, end)
    try:
        yield
    finally:
        implementation.ioloop.remove_timeout(timer)


class Outage:
    """How long to wait before a connection is tried again, and what is said meanwhile.

    The same trouble is said once, however often it is met; its end is said as well.
    `meanwhile`: what becomes of the work as long as it lasts.
    """

    def __init__(
        self,
        logger: logging.Logger,
        action: str,
        meanwhile: str = "work goes on through the database",
    ) -> None:
        self._logger = logger
        self._action = action
        self._meanwhile = meanwhile
        self._said = ""
        self._delay = FIRST_DELAY
        self._up_since: float | None = None

    def failed(self, error: BrokerError) -> float:
        """Say `error` if it is news, and return the seconds to wait before the next try."""
        misconfigured = isinstance(error, BrokerMisconfigured)
        if str(error) != self._said:
            self._said = str(error)
            level = logging.ERROR if misconfigured else logging.WARNING
            self._logger.log(
                level,
                "%s; %s.",
                error,
                self._meanwhile,
                extra={"action": f"{self._action}_failed"},
            )
        # A broker that takes connections only to drop them must not be met with a storm of them.
        if self._up_since is not None and time.monotonic() - self._up_since > STEADY:
            self._delay = FIRST_DELAY
        self._up_since = None
        if misconfigured:
            return MISCONFIGURED_DELAY
        delay = self._delay * random.uniform(0.5, 1.0)  # jittered: workers come back one by one
        self._delay = min(self._delay * 2, LONGEST_DELAY)
        return delay

    def over(self, broker: str) -> None:
        """Note that the connection stands."""
        if self._up_since is not None:
            return
        self._up_since = time.monotonic()
        self._said = ""
        self._logger.info("Connected to %s.", broker, extra={"action": f"{self._action}_connected"})
