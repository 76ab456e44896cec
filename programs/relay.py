"""Tell those who execute a program of it: workers by a hint, the original by the whole program.

A hint may be lost, for the sweep finds its row; but nobody looks for a program of Node's. So the
row is its outbox: it stays due until RabbitMQ has confirmed its message. Who creates such a program
wakes a thread of its process, which sends what is due; so does each worker once a second.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading

from django.db import connections, reset_queries

from programs import dialect
from programs.conf import settings
from programs.errors import BrokenProgram, BrokerMisconfigured, BrokerUnavailable
from programs.models import Program, Queue
from programs.models.clock import Utc
from programs.models.deadlines import answer_expected
from programs.models.persistence import TRANSIENT_ERRORS, note_failure, persist
from programs.models.program import ProgramQuerySet
from programs.models.sending import SENDING
from programs.transport import publisher
from programs.transport.connection import Outage
from programs.transport.original import Sender, message

logger = logging.getLogger(__name__)

BATCH = 20  # programs that are read at a time, with their data
INTERVAL = 1.0  # seconds between two looks of a worker
EXIT_TIMEOUT = 1.0
FAREWELL = 0.2
MARGIN = 15.0  # seconds of SENDING, for RabbitMQ's answer
AFTER_TROUBLE = 1.0  # seconds until the database, or a fault of ours, is tried again

_current: Relay | None = None
_lock = threading.Lock()


def publish(run_id: str, queue: str) -> None:
    """Let the program be looked at, or be sent; return at once, whatever the broker does."""
    if not dialect.node_executes(queue):
        publisher.publish(run_id, queue)
    elif settings.AMQP_URL is not None:
        wake()


def wake() -> None:
    """Let this process send what is due to the original; return at once."""
    _relay().wake()


def keep_looking() -> None:
    """Let this process, a worker's, look for what is due from now on."""
    if dialect.node_queues():
        _relay().keep_looking()


def close(timeout: float = EXIT_TIMEOUT) -> None:
    """Wait until what is due is sent, or cannot be, and end the thread."""
    global _current
    relay = _current
    if relay is not None:
        relay.idle.wait(timeout)
        relay.retire()
        relay.join(FAREWELL)
        with _lock:
            if _current is relay:
                _current = None


def send_due() -> int:
    """Send each program of Node's that is due, and return how many; raises what the broker does."""
    sent = 0
    if not (queues := dialect.node_queues()):
        return sent
    due = Program.objects.open().filter(queue__in=queues, due_at__lte=Utc(), paused_at=None)
    due = due.exclude(queue__in=Queue.objects.paused().names()).order_by("due_at")
    if not (programs := _read(due)):
        return sent
    with Sender() as sender:
        while programs:
            for program in programs:
                sent += _send(program, sender)
            programs = _read(due)
    return sent


def _read(due: ProgramQuerySet) -> list[Program]:
    with answer_expected(settings.DATABASE):
        return list(due[:BATCH])


def _send(program: Program, sender: Sender) -> bool:
    with answer_expected(program.alias):
        if not program.take_to_send():
            return False
    assert program.queue is not None
    try:
        body = message(program)
    except BrokenProgram as error:
        logger.error(
            "program %s is not sent to Node: %s",
            program.run_id,
            error,
            extra={"action": "program_broken", "run_id": program.run_id},
        )
        program.refuse_to_send(str(error))
        return False
    sender.send(program.queue, body)
    # Before another one takes it: what is sent twice is executed by two chains of messages.
    persist(program.note_sent, program.alias, patience=SENDING - MARGIN)
    logger.info(
        "program %s is sent to Node",
        program.run_id,
        extra={"action": "program_sent", "run_id": program.run_id, "queue": program.queue},
    )
    return True


class Relay(threading.Thread):
    """The thread that sends; one a process."""

    def __init__(self) -> None:
        super().__init__(name="program-executor-relay", daemon=True)
        self._woken = threading.Event()
        self._retired = threading.Event()
        self._interval: float | None = None
        self._outage = Outage(logger, "relay", "programs for Node wait in the database")
        self.idle = threading.Event()  # nothing is due, or nothing can be sent for now

    def wake(self) -> None:
        self.idle.clear()
        self._woken.set()

    def keep_looking(self) -> None:
        self._interval = INTERVAL
        self._woken.set()

    def retire(self) -> None:
        self._retired.set()
        self._woken.set()

    def run(self) -> None:
        while True:
            self._woken.wait(self._interval)
            self._woken.clear()
            if self._retired.is_set():
                return
            pause = self._look()
            # Set behind a look: what came meanwhile has set the event anew.
            if not self._woken.is_set():
                self.idle.set()
            if pause:
                self._retired.wait(pause)
                self._woken.set()

    def _look(self) -> float:
        """Send what is due; return the seconds after which it must be tried again, or 0."""
        try:
            if send_due():
                self._outage.over("RabbitMQ")
        except (BrokerUnavailable, BrokerMisconfigured) as error:
            return self._outage.failed(error)
        except TRANSIENT_ERRORS as error:
            note_failure(settings.DATABASE)
            logger.warning(
                "the database does not say what to send to Node, trying again: %s",
                str(error).strip(),
                extra={"action": "relay_failed"},
            )
            return AFTER_TROUBLE
        except Exception:  # (ours: the thread must not die of it)
            logger.exception("The relay to Node failed.", extra={"action": "relay_failed"})
            return AFTER_TROUBLE
        finally:
            if self._interval is None:  # it may be long until the next look
                connections[settings.DATABASE].close()
            reset_queries()
        return 0.0


# One relay a process -----------------------------------------------------------------------------


def _relay() -> Relay:
    global _current
    with _lock:
        if _current is None or not _current.is_alive():
            _current = Relay()
            _current.start()
        return _current


def _forget() -> None:
    """Begin anew in a forked child: threads do not cross a fork, and a lock may be held."""
    global _current, _lock
    _current = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)
# So that `manage.py createprogram --queue …` sends its program before it ends.
atexit.register(close)
