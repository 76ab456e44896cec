"""A web server whose processes are forks of one that has published already."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pika
import pytest

from programs.models import Program
from tests.faults.arena import Arena, all_end, scaled
from tests.faults.conftest import Verdict
from tests.faults.hinting import run_more_than_once
from tests.servers import RabbitMQ
from tests.waiting import eventually
from tests.web import Browser, Web

WORKERS, CLIENTS = 4, 12
CREATIONS = int(scaled(100, 600))
FRAME_ERROR = re.compile(r"frame_error|unexpected_frame|frame_too_large|UnexpectedFrameError")
POSTED = re.compile(r"^pid <(\d+)> POST 201$", re.MULTILINE)


@contextmanager
def preloading(arena: Arena) -> Iterator[Web]:
    """Start gunicorn with an application that publishes while it is loaded, then forks."""
    environment = {
        **arena.environment,
        "DEBUG": "",
        "SECRET_KEY": "for the tests of preloading",
        "ALLOWED_HOSTS": "127.0.0.1",
        "TRUSTED_PROXIES": "1",
        "TEST_PROGRAM_DATA": json.dumps(arena.given("succeed")),
        "TEST_SESSION": str(arena.folder / "session"),
    }
    options = (
        *("--preload", "--workers", str(WORKERS)),
        *("--access-logfile", "-", "--access-logformat", "pid %(p)s %(m)s %(s)s"),
    )
    web = Web(environment, arena.folder / "web.log", *options, wsgi="tests.faults.preloaded")
    try:
        yield web
    finally:
        web.end()


def children(web: Web) -> set[int]:
    """Return the process ids of the web workers."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(web.process.pid)], capture_output=True, text=True
    )
    return {int(pid) for pid in listed.stdout.split()}


def garble(rabbitmq: RabbitMQ) -> None:
    """Send over a connection what two threads or processes at once would: no frame."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url))
    connection._impl._transport._sock.send(b"x" * 100)  # type: ignore[attr-defined]
    with pytest.raises(pika.exceptions.AMQPError):
        connection.channel()


@pytest.mark.fault("gunicorn with preload, 4 workers, all creating after a publish in the master")
@pytest.mark.invariant(1)
@pytest.mark.timeout(240)
def test_web_workers_forked_after_a_publish_have_all_their_programs_run(
    arena: Arena, rabbitmq: RabbitMQ, verdict: Verdict
) -> None:
    logged_before = len(rabbitmq.log())
    arena.worker("--threads", "4").started()
    with preloading(arena) as web:
        port = web.port
        workers = eventually(lambda: len(children(web)) == WORKERS and children(web))
        session = (arena.folder / "session").read_text()

        def create(number: int) -> int:
            client = Browser(port, cookies={"sessionid": session, "csrftoken": "x" * 32})
            program = {"jobs": ["behave", "behave_too"], "program_data": arena.given("succeed")}
            return client.post("/api/programs/", program).status

        with ThreadPoolExecutor(CLIENTS) as clients:
            statuses = list(clients.map(create, range(CREATIONS)))
        all_end(within=60)
        creators = [int(pid) for pid in POSTED.findall(web.output)]
        connected = rabbitmq.ctl("list_connections", "client_properties")

        assert statuses == [201] * CREATIONS
        assert children(web) == workers
        assert set(creators) == workers
        for pid in workers:  # each over a connection of its own
            assert len(re.findall(rf"publisher [^:]+:{pid}\"", connected)) == 1
    assert Program.objects.count() == CREATIONS + 1
    verdict.audited(arena.audit())
    verdict.says(f"{min(map(creators.count, workers))} or more created by each of {WORKERS}")
    assert run_more_than_once(arena) == []
    for log in (web.output, *(worker.output for worker in arena._workers)):
        assert not FRAME_ERROR.search(log)
        assert "Traceback" not in log
    assert not FRAME_ERROR.search(rabbitmq.log()[logged_before:])
    garble(rabbitmq)  # and this is how it would look
    eventually(lambda: FRAME_ERROR.search(rabbitmq.log()[logged_before:]))
