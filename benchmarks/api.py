"""The API's figures: creations per second, one by one and many at once, and how quick a list is.

`python -m tests.servers -- python -m benchmarks.api` runs it on the tests' servers. It empties the
tables of the database that DATABASE_URL names: give it no other. One gunicorn process with four
threads serves; each client keeps its connection. Beside each figure stands how much processor time
the server took for one request: unlike the figure it hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from knox.models import AuthToken

from benchmarks.population import fill
from programs.models import Attempt, Operation, Program

BODY = {"jobs": ["noop"], "program_data": {"year": 2026, "customer": 4711}}
AT_ONCE = 1000  # programs of one request
QUERIES = (
    "",
    "?page_size=200",
    "?state=errored",
    "?state=finished",
    "?in_progress=true",
    "?ordering=created_at",
    "?step_retry_count__gte=1",
    "?queue=legal",
    "?job=send_stock&state=errored",
    "?q=disk",
)


@dataclass(frozen=True)
class Server:
    """A gunicorn, and a token for it."""

    port: int
    pid: int  # of the worker
    token: str

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """Return a whole request, so that a client has nothing to do but to send it."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Token {self.token}\r\nAccept: application/json\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    def processor_time(self) -> float:
        """Return the seconds of processor time that the worker has used."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creations", type=int, default=3000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="of which all are printed")
    parser.add_argument("--superuser", action="store_true", help="who needs no permissions")
    parser.add_argument("--listed", type=int, metavar="N", help="time lists alone, of N programs")
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    with served(options.superuser) as server:
        if options.listed:
            fill(options.listed)
            for query in QUERIES:
                lists(server, query)
            return 0
        for _ in range(options.rounds):
            creations(server, options.creations, options.clients)
        for _ in range(options.rounds):
            creations_at_once(server, 10)
    return 0


def creations(server: Server, many: int, clients: int) -> None:
    empty()
    request = server.request("POST", "/api/programs/", BODY)
    with measured("creations", server, many):
        at_once(clients, lambda: ask(server, request, many // clients, 201))
    assert Program.objects.count() == many // clients * clients


def creations_at_once(server: Server, requests: int) -> None:
    empty()
    request = server.request("POST", "/api/programs/bulk-create/", {"programs": [BODY] * AT_ONCE})
    with measured("creations, 1,000 a request", server, requests * AT_ONCE):
        ask(server, request, requests, 201)
    assert Program.objects.count() == requests * AT_ONCE


def lists(server: Server, query: str) -> None:
    request = server.request("GET", f"/api/programs/{query}")
    before = server.processor_time()
    times = sorted(ask(server, request, 100, 200))
    spent = (server.processor_time() - before) / len(times)
    print(
        f"list {query or '(all)'}: median {statistics.median(times) * 1000:.1f} ms, "
        f"95th {times[94] * 1000:.1f} ms; {spent * 1000:.2f} ms of processor time each",
        flush=True,
    )


@contextmanager
def measured(name: str, server: Server, many: int) -> Iterator[None]:
    before, began = server.processor_time(), time.monotonic()
    yield
    took, spent = time.monotonic() - began, server.processor_time() - before
    print(
        f"{name}: {many / took:.0f}/s; {spent / many * 1000:.3f} ms of processor time each "
        f"({spent / took:.0%} of one processor)",
        flush=True,
    )


def at_once(clients: int, ask_all: Callable[[], object]) -> None:
    threads = [threading.Thread(target=ask_all) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ask(server: Server, request: bytes, times: int, status: int) -> list[float]:
    """Send the same request so many times over one connection; return how long each took."""
    taken = []
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        for _ in range(times):
            began = time.monotonic()
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            content = answer.read()
            taken.append(time.monotonic() - began)
            if answer.status != status:
                raise AssertionError(f"{answer.status}: {content[:500]!r}")
    return taken


def empty() -> None:
    for model in (Attempt, Operation, Program):
        rows = model._default_manager.all()
        rows._raw_delete(rows.db)


@contextmanager
def served(is_superuser: bool) -> Iterator[Server]:
    User.objects.filter(username="bench").delete()
    user = User.objects.create_user("bench", is_superuser=is_superuser)
    codenames = ("add_program", "view_program")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    token = AuthToken.objects.create(user)[1]
    environment = {
        **os.environ,
        "DEBUG": "",
        "SECRET_KEY": "for the benchmark of the API",
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "0",
        "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
    }
    command = [sys.executable, "-m", "gunicorn", "executor_project.wsgi"]
    options = ["--bind", "127.0.0.1:0", "--workers", "1", "--threads", "4"]
    process = subprocess.Popen(
        [*command, *options], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        yield _started(process, token)
    finally:
        process.terminate()
        process.wait()
        user.delete()


def _started(process: subprocess.Popen[str], token: str) -> Server:
    port = 0
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"Listening at: http://\S+:(\d+)", line):
            port = int(found[1])
        if found := re.search(r"Booting worker with pid: (\d+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return Server(port, int(found[1]), token)
    raise AssertionError("gunicorn has ended")


if __name__ == "__main__":
    sys.exit(main())
