"""One connection of the publisher, from its opening to its end."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial, wraps
from itertools import chain
from typing import Any, ParamSpec

import pika
from pika.adapters.select_connection import IOLoop
from pika.exceptions import ChannelClosedByClient
from pika.spec import Basic

from programs.transport.connection import broker_name, in_our_words
from programs.transport.handover import Handover, Outgoing
from programs.transport.topology import declaration

logger = logging.getLogger(__name__)

# Hints that may be unconfirmed at a time. One that is given up keeps its place until the broker
# speaks or the connection ends: a broker that reads nothing must not fill our memory.
WINDOW = 1000
DEADLINE = 5.0
# Seconds after hints were sent in which others gather: a hint that goes alone costs ten times what
# it costs among many, and whoever creates programs in a loop shares the processor with us.
GATHERING = 0.005
REFUSED_FOR = 30.0

P = ParamSpec("P")


def logs_faults(callback: Callable[P, None]) -> Callable[P, None]:
    """Log a fault of ours in `callback`, which pika would pass off as a lost connection."""

    @wraps(callback)
    def logging_faults(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception:
            logger.exception("The publisher failed.", extra={"action": "publish_failed"})
            raise

    return logging_faults


class Link:
    """Sends what is handed over, with asynchronous confirms.

    All methods belong to the publisher's thread, but for `wake` and `close`.

    `on_ready`: called with True when hints can be sent, with False when they no longer can.
    """

    def __init__(
        self, handover: Handover, given: pika.URLParameters, on_ready: Callable[[bool], None]
    ) -> None:
        self._handover = handover
        self._given = given
        self._on_ready = on_ready
        self._loop = IOLoop()
        self._connection: Any = None
        self._channel: Any = None
        self._ready = False
        self._blocked = False
        self._silent = False  # a confirm is overdue and none has come since
        self._closing = False
        self._watching = False
        self._gathering = False  # hints were sent just now: those behind them wait for each other
        self._tag = 0
        self._held = 0  # hints taken that are neither confirmed nor given up
        self._unconfirmed: OrderedDict[int, Outgoing | None] = OrderedDict()  # None: given up
        self._declared: set[str] = set()
        self._undeclared: dict[str, list[Outgoing]] = {}  # queue -> what waits for its making
        self._refused: dict[str, float] = {}  # queue -> when it may be tried again
        self._error: BaseException | None = None

    def run(self) -> BaseException:
        """Connect and send until the connection ends; return why it did."""
        try:
            self._connection = pika.SelectConnection(
                self._given,
                on_open_callback=self._opened,
                on_open_error_callback=self._ended,
                on_close_callback=self._ended,
                custom_ioloop=self._loop,
            )
            self._loop.start()
        finally:
            self._ready = False
            self._loop.close()
            self._give_up(self._in_flight(), "the connection ended")
            self._settled(self._held)  # of these a fault of ours has lost sight
        return self._error or RuntimeError("pika's loop ended by itself")

    # From any thread -----------------------------------------------------------------------

    def wake(self) -> None:
        """Let the thread look at what was handed over."""
        self._loop.add_callback_threadsafe(self._send_waiting)

    def close(self) -> None:
        """Let the thread end the connection."""
        self._loop.add_callback_threadsafe(self._close)

    # Opening and ending ----------------------------------------------------------------------

    def _opened(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        self._channel = connection.channel(on_open_callback=self._channel_opened)
        self._channel.add_on_close_callback(self._channel_closed)

    def _channel_opened(self, channel: Any) -> None:
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._answered, callback=self._confirms_selected)

    def _confirms_selected(self, _frame: Any) -> None:
        if not self._closing:
            self._ready = True
            self._tell()
            self._send_waiting()

    def _channel_closed(self, _channel: Any, reason: BaseException) -> None:
        self._error = self._error or reason
        self._close()

    def _close(self) -> None:
        self._ready, self._closing = False, True
        if not (self._connection.is_closed or self._connection.is_closing):
            self._connection.close()

    def _ended(self, _connection: Any, reason: BaseException) -> None:
        self._error = self._error or reason
        self._loop.stop()

    # A broker short of memory or disk reads nothing more from a connection that publishes.

    def _on_blocked(self, _connection: Any, frame: Any) -> None:
        logger.warning(
            "%s takes no hints for now: %s; the sweep finds the programs.",
            broker_name(self._given),
            frame.method.reason,
            extra={"action": "publish_blocked"},
        )
        self._blocked = True
        self._tell()

    def _on_unblocked(self, _connection: Any, _frame: Any) -> None:
        logger.info(
            "%s takes hints again.",
            broker_name(self._given),
            extra={"action": "publish_unblocked"},
        )
        self._blocked = False
        self._tell()
        self._send_waiting()

    def _tell(self) -> None:
        self._on_ready(self._ready and not self._blocked and not self._silent)

    # Sending ---------------------------------------------------------------------------------

    def _send_waiting(self) -> None:
        if not self._ready or self._blocked or (self._gathering and len(self._handover) < WINDOW):
            return
        # Until nothing waits, or all places are taken: then an answer brings us back here.
        while (room := self._room()) > 0 and (taken := self._handover.take(room)):
            self._held += len(taken)
            if not self._gathering:
                self._gathering = True
                self._loop.call_later(GATHERING, self._send_gathered)
            refused: list[Outgoing] = []
            for outgoing in taken:
                if self._refused.get(outgoing.queue, 0.0) > time.monotonic():
                    refused.append(outgoing)
                else:
                    self._send(outgoing)
            self._give_up(refused, "their queue is refused")

    def _send_gathered(self) -> None:
        self._gathering = False
        self._send_waiting()

    def _room(self) -> int:
        undeclared = sum(len(waiting) for waiting in self._undeclared.values())
        return WINDOW - len(self._unconfirmed) - undeclared

    def _in_flight(self) -> list[Outgoing]:
        sent = [outgoing for outgoing in self._unconfirmed.values() if outgoing is not None]
        return [*sent, *chain.from_iterable(self._undeclared.values())]

    def _send(self, outgoing: Outgoing) -> None:
        outgoing.sent_at = time.monotonic()
        queue = outgoing.queue
        if queue in self._declared:
            self._publish(outgoing)
        elif queue in self._undeclared:
            self._undeclared[queue].append(outgoing)
        else:
            self._undeclared[queue] = [outgoing]
            self._declare(queue)
        self._watch()

    def _publish(self, outgoing: Outgoing) -> None:
        self._tag += 1
        outgoing.sent_at = time.monotonic()
        self._unconfirmed[self._tag] = outgoing
        self._channel.basic_publish(
            exchange="",
            routing_key=outgoing.queue,
            body=outgoing.hint.encode(),
            properties=pika.BasicProperties(
                content_type="application/json",
                delivery_mode=2,  # kept on disk, as far as the queue keeps anything
                message_id=str(self._tag),  # a returned message has no other number
            ),
            mandatory=True,
        )

    # Queues ----------------------------------------------------------------------------------

    def _declare(self, queue: str) -> None:
        """Make `queue` on a channel of its own: a refusal closes the channel that asks."""
        channel = self._connection.channel(on_open_callback=partial(self._ask_for_queue, queue))
        channel.add_on_close_callback(partial(self._declaration_ended, queue))

    def _ask_for_queue(self, queue: str, channel: Any) -> None:
        done = partial(self._queue_is_there, queue, channel)
        channel.queue_declare(**declaration(queue), callback=done)

    @logs_faults
    def _queue_is_there(self, queue: str, channel: Any, _frame: Any) -> None:
        if self._ready:
            channel.close()
            self._declared.add(queue)
            self._refused.pop(queue, None)
            for outgoing in self._undeclared.pop(queue):
                self._publish(outgoing)

    @logs_faults
    def _declaration_ended(self, queue: str, _channel: Any, reason: BaseException) -> None:
        if isinstance(reason, ChannelClosedByClient) or not self._connection.is_open:
            return
        waiting = self._undeclared.pop(queue, [])
        if queue not in self._refused:  # said once, however often it is tried again
            logger.error(
                "%s; the sweep finds its programs.",
                in_our_words(reason, self._given),
                extra={"action": "queue_refused"},
            )
        self._refused[queue] = time.monotonic() + REFUSED_FOR
        self._give_up(waiting, "their queue is refused")
        self._send_waiting()

    # What the broker answers ---------------------------------------------------------------------

    @logs_faults
    def _returned(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        """Note that the queue was missing; the confirm of the message follows."""
        outgoing = self._unconfirmed.get(int(properties.message_id))
        if outgoing is not None:
            outgoing.returned = True

    @logs_faults
    def _answered(self, frame: Any) -> None:
        if self._silent:
            self._silent = False
            self._tell()
        method = frame.method
        answered = self._answered_by(method.delivery_tag, method.multiple)
        if isinstance(method, Basic.Nack):
            self._give_up(answered, "the broker refused them")
        else:
            confirmed = 0
            for outgoing in answered:
                if not outgoing.returned:
                    confirmed += 1
                    outgoing.end()
                elif outgoing.sent_again or not self._ready:
                    self._give_up([outgoing], "their queue is missing")
                else:
                    outgoing.returned, outgoing.sent_again = False, True
                    self._declared.discard(outgoing.queue)
                    self._send(outgoing)
            self._handover.confirmed += confirmed
            self._settled(confirmed)
        self._send_waiting()

    def _answered_by(self, tag: int, multiple: bool) -> list[Outgoing]:
        if not multiple:
            outgoing = self._unconfirmed.pop(tag, None)
            return [outgoing] if outgoing else []
        answered = []
        while self._unconfirmed and next(iter(self._unconfirmed)) <= tag:
            _, outgoing = self._unconfirmed.popitem(last=False)
            if outgoing:
                answered.append(outgoing)
        return answered

    # Deadlines -----------------------------------------------------------------------------------

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            self._loop.call_later(1.0, self._give_up_overdue)

    def _give_up_overdue(self) -> None:
        self._watching = False
        limit = time.monotonic() - DEADLINE
        overdue: list[Outgoing] = []
        for tag, outgoing in self._unconfirmed.items():
            if outgoing is None:
                continue
            if outgoing.sent_at > limit:
                break
            self._unconfirmed[tag] = None
            overdue.append(outgoing)
        for waiting in self._undeclared.values():
            late = [outgoing for outgoing in waiting if outgoing.sent_at <= limit]
            overdue += late
            del waiting[: len(late)]
        self._give_up(overdue, f"no confirm came within {DEADLINE:.0f} s")
        if overdue and not self._silent:
            self._silent = True
            self._tell()
        if any(self._unconfirmed.values()) or any(self._undeclared.values()):
            self._watch()
        self._send_waiting()

    def _give_up(self, hints: Sequence[Outgoing], reason: str) -> None:
        if hints:
            logger.info(
                "Hints that may not have arrived: %d, for %s; the sweep finds their programs.",
                len(hints),
                reason,
                extra={"action": "hints_given_up"},
            )
            for outgoing in hints:
                outgoing.end(f"may not have arrived: {reason}")
            self._handover.given_up += len(hints)
            self._settled(len(hints))

    def _settled(self, count: int) -> None:
        self._held -= count
        self._handover.settled(count)
