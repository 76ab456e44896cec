"""Send hints to RabbitMQ without ever making the caller wait."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

from pika import URLParameters

from programs import tracing
from programs.conf import settings
from programs.errors import BrokerMisconfigured, BrokerUnavailable
from programs.transport.connection import Outage, broker_name, in_our_words, parameters
from programs.transport.handover import Handover, Outgoing
from programs.transport.hint import Hint
from programs.transport.link import Link
from programs.transport.topology import broker_queue

logger = logging.getLogger(__name__)

HEARTBEAT = 30
EXIT_TIMEOUT = 1.0
FAREWELL = 0.2

_current: Publisher | None = None
_watcher: Callable[[], None] | None = None
_lock = threading.Lock()


def publish(run_id: str, queue: str) -> None:
    """Hand over a hint for the program `run_id`; return at once, whatever the broker does."""
    url = settings.AMQP_URL
    if url is None:
        return
    try:
        name = broker_queue(queue)
        outgoing = Outgoing(Hint(run_id), name, traced=tracing.sending(run_id, name))
        _publisher(url).publish(outgoing)
    except Exception:
        # The program is created: that no thread can be started, say, must not undo it.
        logger.exception(
            "The hint for %s is not sent; the sweep finds the program.",
            run_id,
            extra={"action": "hint_dropped", "run_id": run_id},
        )


def flush(timeout: float) -> bool:
    """Wait until all hints are confirmed or given up; at once False while the broker fails."""
    publisher = _current
    return publisher is None or publisher.handover.wait_settled(timeout)


def state() -> str:
    """Return 'off' (no broker is set), 'idle' (nothing sent yet), 'connected' or 'failing'."""
    if settings.AMQP_URL is None:
        return "off"
    publisher = _current
    return "idle" if publisher is None else publisher.state


def fates() -> Counter[str]:
    """Return how many hints of this process were 'confirmed', 'given_up' and 'dropped'."""
    publisher = _current
    if publisher is None:
        return Counter()
    done = publisher.handover
    return Counter(confirmed=done.confirmed, given_up=done.given_up, dropped=done.dropped)


def watch(watcher: Callable[[], None]) -> None:
    """Have `watcher` called by the publisher's thread whenever `state` or `fates` has changed."""
    global _watcher
    _watcher = watcher


def close(timeout: float = EXIT_TIMEOUT) -> None:
    """Flush and take leave of the broker; the next `publish` would connect anew."""
    global _current
    publisher = _current
    if publisher is not None:
        publisher.handover.wait_settled(timeout)
        publisher.retire()
        publisher.join(FAREWELL)
        with _lock:
            if _current is publisher:
                _current = None


class Publisher(threading.Thread):
    """The thread that sends; one a process, and one after the other for different URLs."""

    def __init__(self, url: str) -> None:
        super().__init__(name="program-executor-publisher", daemon=True)
        self.url = url
        self.handover = Handover(on_settled=_tell)
        self.state = "idle"
        self._link: Link | None = None
        self._retired = threading.Event()
        self._outage = Outage(logger, "publish")

    def publish(self, outgoing: Outgoing) -> None:
        """Hand over `outgoing`; from any thread."""
        if self.handover.put(outgoing):
            link = self._link
            if link is not None:
                link.wake()

    def retire(self) -> None:
        """Disconnect and end; from any thread."""
        self._retired.set()
        link = self._link
        if link is not None:
            link.close()

    def run(self) -> None:
        """Connect, send until the connection ends, wait, and so on."""
        while not self._retired.is_set():
            error = self._run_link()
            if self._retired.is_set():
                break
            self._become("failing")
            self._retired.wait(self._outage.failed(error))

    def _run_link(self) -> BrokerUnavailable | BrokerMisconfigured:
        try:
            given = parameters(self.url, purpose="publisher", heartbeat=HEARTBEAT)
        except BrokerMisconfigured as error:
            return error
        try:
            link = self._link = Link(self.handover, given, partial(self._on_ready, given))
            if self._retired.is_set():
                link.close()  # retire() may have come just before there was a link to close
            return in_our_words(link.run(), given)
        except Exception as error:
            # A fault of ours must not leave a process that never sends a hint again.
            logger.exception("The publisher failed.", extra={"action": "publish_failed"})
            return BrokerUnavailable(f"{broker_name(given)} is not available: {error!r}")
        finally:
            self._link = None

    def _on_ready(self, given: URLParameters, ready: bool) -> None:
        self._become("connected" if ready else "failing")
        if ready:
            self._outage.over(broker_name(given))

    def _become(self, state: str) -> None:
        self.state = state
        self.handover.failing(state == "failing")
        _tell()


# One publisher a process -----------------------------------------------------------------------


def _publisher(url: str) -> Publisher:
    global _current
    with _lock:
        publisher = _current
        if publisher is None or publisher.url != url or not publisher.is_alive():
            if publisher is not None:
                publisher.retire()
            publisher = Publisher(url)
            publisher.start()
            _current = publisher
        return publisher


def _tell() -> None:
    if _watcher is None:
        return
    try:
        _watcher()
    except Exception:
        # Sending must not end with what only tells of it.
        logger.exception("How hints stand is not told.", extra={"action": "metrics_incomplete"})


def _forget() -> None:
    """Begin anew in a forked child: threads do not cross a fork, and a lock may be held."""
    global _current, _lock
    _current = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)
# So that `manage.py shell -c "create_program(…)"` sends its hint before it ends.
atexit.register(close)
