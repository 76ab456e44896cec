"""Bring hints from RabbitMQ to the inbox, on a thread that owns its connection."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import pika

from programs.conf import settings
from programs.errors import BrokerMisconfigured, BrokerUnavailable, InvalidHint
from programs.transport.connection import (
    PIKA_ERRORS,
    Outage,
    answered_in_time,
    broker_name,
    in_our_words,
    parameters,
)
from programs.transport.hint import Hint
from programs.transport.inbox import Delivery, Inbox
from programs.transport.topology import broker_queue, declare

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

__all__ = ["Consumer", "Delivery"]

logger = logging.getLogger(__name__)

HEARTBEAT = 20
TURN = 1.0
# While nothing is consumed, so that hints flow again soon after a slot has become free.
PAUSED_TURN = 0.1
# Slots claim what has just come within a few milliseconds. To be woken for each answer would take
# the interpreter from slots that have just begun; so answers to what has just come go together.
ANSWERING = 0.005


class Consumer:
    """Consume `queues` into `inbox`, whatever becomes of the broker, until stopped.

    `prefetch`: how many deliveries of each queue may be unsettled at a time.
    """

    def __init__(self, queues: Sequence[str], inbox: Inbox, *, prefetch: int) -> None:
        self._queues = tuple(dict.fromkeys(queues))
        self._inbox = inbox
        self._prefetch = prefetch
        self._stopping = threading.Event()
        self._session: ConsumerSession | None = None
        self._outage = Outage(logger, "consume")
        self._thread = threading.Thread(
            target=self._run, name="program-executor-consumer", daemon=True
        )
        self.last_error: str | None = None

    @property
    def live(self) -> bool:
        """Whether every queue is consumed, or would be if a slot were free."""
        session = self._session
        return session is not None and session.live and self._thread.is_alive()

    def start(self) -> None:
        """Begin to consume; return at once."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Cancel, give back what waits in the inbox and disconnect, within `timeout` seconds."""
        self._stopping.set()
        session = self._session
        if session is not None:
            session.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._consume()
            except (BrokerUnavailable, BrokerMisconfigured) as error:
                self.last_error = str(error)
                self._stopping.wait(self._outage.failed(error))
            except Exception as error:
                # A fault of ours must not leave a worker that looks alive and hears nothing.
                logger.exception("The consumer failed.", extra={"action": "consume_failed"})
                self.last_error = repr(error)
                self._stopping.wait(self._outage.failed(BrokerUnavailable(repr(error))))

    def _consume(self) -> None:
        """Connect and consume until told to stop; raises BrokerError once that is not possible."""
        given = parameters(settings.AMQP_URL, purpose="consumer", heartbeat=HEARTBEAT)
        try:
            connection = pika.BlockingConnection(given)
            with answered_in_time(connection):
                channel = connection.channel()
        except PIKA_ERRORS as error:
            raise in_our_words(error, given) from error
        session = self._session = ConsumerSession(
            connection, channel, self._queues, self._inbox, self._prefetch
        )
        try:
            session.consume()
            self._outage.over(broker_name(given))
            self.last_error = None
            self._serve(session)
        except PIKA_ERRORS as error:
            ours = in_our_words(error, given)
            # A refusal to consume at all lasts. What ends a running consumer, such as a 406 for
            # an acknowledgement that came too late, is over with its channel.
            raise (BrokerUnavailable(str(ours)) if session.live else ours) from error
        finally:
            self._session = None
            session.end()

    def _serve(self, session: ConsumerSession) -> None:
        while not self._stopping.is_set():
            session.turn()
            if session.paused:
                if self._inbox.has_room():
                    session.consume()
            elif self._inbox.stalled():
                session.pause()


class ConsumerSession:
    """One connection with one channel, from its opening to its end: a generation of deliveries.

    All methods belong to the consumer's thread, but for `settle`, `give_back` and `wake`.
    """

    def __init__(
        self,
        connection: BlockingConnection,
        channel: BlockingChannel,
        queues: Sequence[str],
        inbox: Inbox,
        prefetch: int,
    ) -> None:
        self._queues = queues
        self._inbox = inbox
        self._prefetch = prefetch
        self._lock = threading.Lock()  # guards the six below
        self._unsettled: set[int] = set()
        self._settled: list[int] = []
        self._given_back: list[int] = []
        self._answer_is_due = False
        self._answers_soon = False  # without being woken
        self._received_at = float("-inf")
        self._consumed: dict[str, str] = {}  # consumer tag -> queue
        self.live = False
        self.paused = False
        self._connection = connection
        self._channel = channel

    def consume(self) -> None:
        """Make each queue if it is not there, and begin to consume it."""
        with answered_in_time(self._connection):
            for queue in self._queues:
                declare(self._channel, queue)
            self._channel.basic_qos(prefetch_count=self._prefetch)  # for each consumer
            for queue in self._queues:
                received = partial(self._received, queue)
                tag = self._channel.basic_consume(broker_queue(queue), received)
                self._consumed[tag] = queue
        self.live, self.paused = True, False

    def turn(self) -> None:
        """Let pika work for up to a second; raises BrokerUnavailable when consuming has ended."""
        with self._lock:
            just_received = monotonic() - self._received_at < ANSWERING
            self._answers_soon = just_received or bool(self._settled or self._given_back)
            longest = PAUSED_TURN if self.paused else TURN
        self._connection.process_data_events(ANSWERING if self._answers_soon else longest)
        # pika returns quietly from both a closed channel and a cancelled consumer.
        if not self._channel.is_open:
            raise BrokerUnavailable(
                f"RabbitMQ closed the channel: {_closing_reason(self._channel)}"
            )
        for tag in self._consumed.keys() - set(self._channel.consumer_tags):
            raise BrokerUnavailable(
                f"RabbitMQ cancelled the consumer of queue {broker_queue(self._consumed[tag])!r}: "
                "the queue was deleted or its node is down"
            )
        self._answer()  # a slot may have been interrupted before it called for that

    def pause(self) -> None:
        """Give back what no slot comes for, so that another worker may take it."""
        logger.debug("No slot is free: consuming pauses.", extra={"action": "consume_paused"})
        # Cancelled first, or the broker would hand what is given back straight to us again.
        with answered_in_time(self._connection):
            for tag in list(self._consumed):
                self._channel.basic_cancel(tag)
                del self._consumed[tag]
        self.paused = True
        for delivery in self._inbox.take_back():
            delivery.give_back()

    def end(self) -> None:
        """Give back what waits, and disconnect as far as the connection still allows it."""
        self.live = False
        waiting = self._inbox.take_back()
        # The broker puts back whatever a failing connection holds; pika may even assert on one.
        with suppress(Exception), answered_in_time(self._connection):
            if self._channel.is_open:
                for tag in self._consumed:
                    self._channel.basic_cancel(tag)
                for delivery in waiting:
                    delivery.give_back()
                self._answer()
        with suppress(Exception), answered_in_time(self._connection):
            if self._connection.is_open:
                self._connection.close()
        with self._lock:
            self._unsettled.clear()

    # From any thread -----------------------------------------------------------------------

    def settle(self, tag: int) -> None:
        """Acknowledge the delivery `tag`, unless that is done or this session is over."""
        self._note(tag, self._settled)

    def give_back(self, tag: int) -> None:
        """Requeue the delivery `tag`, unless that is done or this session is over."""
        self._note(tag, self._given_back)

    def wake(self) -> None:
        """End the current turn of the consumer's thread."""
        self._call_soon(lambda: None)

    def _note(self, tag: int, answers: list[int]) -> None:
        with self._lock:
            if tag not in self._unsettled:
                return
            self._unsettled.remove(tag)
            answers.append(tag)
            # One wake-up of the consumer's thread carries all answers until it comes to them.
            can_wait = self._answers_soon and 2 * len(answers) < self._prefetch
            wake = not (self._answer_is_due or can_wait)
            self._answer_is_due |= wake
        if wake:
            self._call_soon(self._answer)

    def _call_soon(self, callback: Callable[[], None]) -> None:
        # A connection that is gone takes all with it that could be answered.
        with suppress(*PIKA_ERRORS):
            self._connection.add_callback_threadsafe(callback)

    # On the consumer's thread ----------------------------------------------------------------

    def _received(
        self, queue: str, _channel: Any, method: Any, _properties: Any, body: bytes
    ) -> None:
        tag = method.delivery_tag
        with self._lock:
            self._unsettled.add(tag)
            self._received_at = monotonic()
        try:
            hint = Hint.decode(body)
        except InvalidHint as error:
            logger.warning(
                "A message on queue %s is no hint and is dropped: %s",
                broker_queue(queue),
                error,
                extra={"action": "hint_refused", "queue": queue},
            )
            self.settle(tag)
        else:
            self._inbox.put(Delivery(hint, queue, tag, self))

    def _answer(self) -> None:
        """Send what has been noted, in as few frames as possible."""
        with self._lock:
            if not self._settled and not self._given_back:
                return
            settled, given_back = self._settled[:], self._given_back[:]
            self._settled.clear()
            self._given_back.clear()
            self._answer_is_due = False
            first_unsettled = min(self._unsettled, default=None)
        for tag in given_back:
            self._channel.basic_nack(tag, requeue=True)
        # Everything below the first unsettled tag is answered by one frame. Each basic_ack
        # costs a turn of pika's loop.
        together = [tag for tag in settled if first_unsettled is None or tag < first_unsettled]
        if together:
            self._channel.basic_ack(max(together), multiple=True)
        for tag in settled:
            if first_unsettled is not None and tag > first_unsettled:
                self._channel.basic_ack(tag)


def _closing_reason(channel: Any) -> str:
    """Return why the broker closed `channel`; pika keeps it in a place of its own."""
    return str(getattr(channel, "_closing_reason", None) or "no reason given")
