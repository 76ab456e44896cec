"""A broker that refuses us, or that we must not trust: said once, and work goes on without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import trustme

from programs.submission import create_programs
from programs.transport.topology import broker_queue, declaration
from tests.faults.arena import LONG, Arena, all_end
from tests.faults.conftest import Verdict
from tests.faults.hinting import consumers, heard_at
from tests.faults.proxy import Proxy
from tests.faults.tls import TlsFront
from tests.messages import channel_to, leaderless, make_classic
from tests.servers import RabbitMQ
from tests.waiting import eventually

USER, PASSWORD, WRONG = "ada", "s3cr3t-and-right", "s3cr3t-and-wrong"
SAID = "work goes on through the database"
# What is said, by queue.
WORDS = {
    "arguments": "(406): PRECONDITION_FAILED - inequivalent arg 'x-queue-type'",
    "password": f"refuses user {USER!r} or its password: correct AMQP_URL",
    "vhost": f"refuses virtual host 'nowhere' to user {USER!r} (530)",
    "name": "cannot be trusted or speaks no TLS: [SSL: CERTIFICATE_VERIFY_FAILED] "
    "certificate verify failed: IP address mismatch",
    "authority": "cannot be trusted or speaks no TLS: [SSL: CERTIFICATE_VERIFY_FAILED] "
    "certificate verify failed: unable to get local issuer certificate",
    "leader": "has its queue a leader?",
}
# `make test` has no half a minute until a worker tries again, and sees the others without TLS in
# tests/integration/transport.
TRIED = tuple(WORDS) if LONG else ("name", "authority")
HASTY = """
from tests.faults.settings import *
from programs.transport import connection

connection.MISCONFIGURED_DELAY = connection.ANSWER_TIMEOUT = 0.5
"""


@contextmanager
def user(rabbitmq: RabbitMQ) -> Iterator[None]:
    """Make the user whose password must not be seen."""
    rabbitmq.ctl("add_user", USER, PASSWORD)
    rabbitmq.ctl("set_permissions", USER, ".*", ".*", ".*")
    try:
        yield
    finally:
        rabbitmq.ctl("delete_user", USER)


class Lane:
    """A queue with a worker of its own, whose way to the broker can be wrong."""

    def __init__(
        self,
        arena: Arena,
        queue: str,
        *,
        port: int | None,
        password: str = PASSWORD,
        vhost: str = "%2F",
        authority: Path | None = None,
        tls: bool = False,
    ) -> None:
        self.queue = queue
        self.proxy = Proxy(f"amqp://127.0.0.1:{port}")
        scheme = "amqps" if tls else "amqp"
        query = f"?ssl_options={quote(str({'cafile': str(authority)}))}" if authority else ""
        url = f"{scheme}://{USER}:{password}@127.0.0.1:{self.proxy.port}/{vhost}{query}"
        hasty = {} if LONG else {"DJANGO_SETTINGS_MODULE": "hasty", "PYTHONPATH": str(arena.folder)}
        self.worker = arena.worker("--queue", queue, AMQP_URL=url, **hasty)

    def has_tried(self, times: int) -> bool:
        return self.proxy.connections >= times

    @property
    def told(self) -> list[str]:
        """What the worker has said of its trouble with the broker."""
        return [line for line in self.worker.output.splitlines() if SAID in line]


@contextmanager
def all_kinds(arena: Arena, rabbitmq: RabbitMQ) -> Iterator[dict[str, Lane]]:
    """Start a worker for each way in which a broker can be of no use, and one that is well."""
    (arena.folder / "hasty.py").write_text(HASTY)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(cafile := arena.folder / "authority.pem")
    plain = urlsplit(rabbitmq.url).port
    ours = TlsFront(rabbitmq.url, authority.issue_cert("127.0.0.1"))
    theirs = TlsFront(rabbitmq.url, authority.issue_cert("elsewhere.example"))
    make_classic(rabbitmq, broker_queue("arguments"))
    with ExitStack() as stack:
        stack.callback(ours.close)
        stack.callback(theirs.close)
        stack.enter_context(user(rabbitmq))
        if "leader" in TRIED:
            with channel_to(rabbitmq) as channel:
                channel.queue_declare(**declaration(broker_queue("leader")))
            stack.enter_context(leaderless(rabbitmq, broker_queue("leader")))
        ways = {
            "arguments": partial(Lane, port=plain),
            "password": partial(Lane, port=plain, password=WRONG),
            "vhost": partial(Lane, port=plain, vhost="nowhere"),
            "name": partial(Lane, port=theirs.port, tls=True, authority=cafile),
            "authority": partial(Lane, port=ours.port, tls=True),
            "leader": partial(Lane, port=plain),
            "well": partial(Lane, port=ours.port, tls=True, authority=cafile),
        }
        lanes = {queue: ways[queue](arena, queue) for queue in (*TRIED, "well")}
        for lane in lanes.values():
            stack.callback(lane.proxy.close)
        yield lanes


@pytest.mark.fault("broker queue with other arguments; wrong password, vhost, TLS; no leader")
@pytest.mark.invariant(11)
@pytest.mark.timeout(180)
def test_a_broker_of_no_use_is_reported_once_and_work_goes_on_without_it(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    with all_kinds(arena, rabbitmq) as lanes:
        for queue in lanes:
            given = arena.given("succeed")
            create_programs([{"jobs": ["behave"], "program_data": given, "queue": queue}] * 3)
        all_end(within=60)
        heard_at(arena, rabbitmq, "well")  # or this test's own TLS would be wrong
        for queue in TRIED:
            tried = partial(lanes[queue].has_tried, 3 - LONG)
            eventually(tried, within=90)
            assert consumers(rabbitmq, queue) == 0, queue
            [line] = lanes[queue].told
            assert WORDS[queue] in line, queue
        for lane in lanes.values():
            assert PASSWORD not in lane.worker.output, lane.queue
            assert WRONG not in lane.worker.output, lane.queue
            assert lane.worker.process.poll() is None, lane.queue
        tries = [lanes[queue].proxy.connections for queue in TRIED]
    verdict.audited(arena.audit())
    verdict.says(f"{len(TRIED)} kinds, each tried {min(tries)} times at least and said once")
