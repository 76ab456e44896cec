"""How full the broker's queues are: asked for people, within a time that a page may take."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

import pika
from pika.adapters.select_connection import IOLoop
from pika.exceptions import ChannelClosedByBroker, ChannelClosedByClient

from programs.conf import settings
from programs.errors import BrokerMisconfigured
from programs.transport.connection import PIKA_ERRORS, NoAnswer, in_our_words, parameters
from programs.transport.topology import broker_queue

HEARTBEAT = 20  # seconds; the connection is gone before the first one
NO_SUCH_QUEUE = 404
POLITE = 0.9  # of the time: then the connection is cut, so that all is over when the time is


class Depth(NamedTuple):
    """What the broker says about one of its queues: of one that has lost its leader, two zeros."""

    messages: int  # hints that no worker has taken yet
    consumers: int  # child processes that hear of them


def depths(queues: Iterable[str], within: float = 1.0) -> dict[str, Depth]:
    """Ask the broker for the depth of each of `queues`; those that it does not have are left out.

    Empty without a broker. Takes `within` seconds at the most, whatever the broker or the network
    does, and makes no queue. Raises `BrokerUnavailable`, or `BrokerMisconfigured`, when not every
    queue was answered for in that time.
    """
    if settings.AMQP_URL is None or not (names := _on_broker(queues)):
        return {}
    given = parameters(settings.AMQP_URL, purpose="depth", heartbeat=HEARTBEAT)
    inquiry = Inquiry(given, names, within)
    try:
        inquiry.run()
    except PIKA_ERRORS as error:
        raise in_our_words(error, given) from error
    return inquiry.found


def _on_broker(queues: Iterable[str]) -> dict[str, str]:
    """Return the broker's names of these queues, without those that it cannot have.

    A queue exists by being named, also by one who pauses it: one long name must not hide the rest.
    """
    names = {}
    for queue in queues:
        with suppress(BrokerMisconfigured):
            names[queue] = broker_queue(queue)
    return names


class Inquiry:
    """One short connection that asks about all queues at once, each on a channel of its own.

    A question about a queue that is not there closes its channel, and no other one.
    """

    def __init__(self, given: pika.URLParameters, names: dict[str, str], within: float) -> None:
        given.socket_timeout = given.stack_timeout = within
        self._given = given
        self._names = names  # on the broker, by queue
        self._ends_at = monotonic() + within
        self._within = within
        self._open = set(names)  # not answered yet
        self._loop = IOLoop()
        self._connection: Any = None
        self._error: BaseException | None = None
        self.found: dict[str, Depth] = {}

    def run(self) -> None:
        """Connect, ask, and disconnect; raises what kept a queue from being answered for."""
        try:
            self._loop.call_later(self._within * POLITE, self._cut)
            self._connection = pika.SelectConnection(
                self._given,
                on_open_callback=self._opened,
                on_open_error_callback=self._ended,
                on_close_callback=self._ended,
                custom_ioloop=self._loop,
            )
            self._loop.call_later(max(0.0, self._ends_at - monotonic()), self._loop.stop)
            self._loop.start()
        finally:
            self._loop.close()
        if self._open:
            raise self._error or self._overdue()

    def _opened(self, connection: Any) -> None:
        for queue in self._names:
            channel = connection.channel(on_open_callback=partial(self._ask, queue))
            channel.add_on_close_callback(partial(self._closed, queue))

    def _ask(self, queue: str, channel: Any) -> None:
        answered = partial(self._answered, queue)
        channel.queue_declare(self._names[queue], passive=True, callback=answered)

    def _answered(self, queue: str, frame: Any) -> None:
        self.found[queue] = Depth(frame.method.message_count, frame.method.consumer_count)
        self._settle(queue)

    def _closed(self, queue: str, _channel: Any, reason: BaseException) -> None:
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code == NO_SUCH_QUEUE:
            self._settle(queue)
        elif not isinstance(reason, ChannelClosedByClient):
            self._error = self._error or reason
            self._close()

    def _settle(self, queue: str) -> None:
        self._open.discard(queue)
        if not self._open:
            self._close()

    def _close(self) -> None:
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()

    def _cut(self) -> None:
        """Give up what is not answered yet; nobody waits for a farewell either."""
        if self._connection is not None and not self._connection.is_closed:
            self._error = self._error or self._overdue()
            self._connection._terminate_stream(self._error)

    def _ended(self, _connection: Any, reason: BaseException) -> None:
        self._error = self._error or reason
        self._loop.stop()

    def _overdue(self) -> BaseException:
        about = ", ".join(sorted(self._open)[:3])
        return NoAnswer(f"no answer came within {self._within:g} s about queue {about}")
