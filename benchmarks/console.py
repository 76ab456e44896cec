"""The console on a million programs: how long each page takes, from a web server as in production.

`make scale` runs it on the tests' servers. It fills the PostgreSQL that DATABASE_URL names: give it
no other than one for this. What is there stays, so that a second run measures at once; a run fails
when a page is missing, or slower than `LIMIT` at its 95th percentile.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import NoReverseMatch, reverse

from benchmarks.population import JOBS, QUEUES, RARE_TEXT, beat, fill, much_tried
from programs.inspection import Selection
from programs.models import BulkOutcome, Operation, Program, State, Verb, Worker
from tests.web import Browser, Web

LIMIT = 300.0  # ms
SIZE = 50  # programs on a page of the list
DEEP = 200  # pages
FEW = 5  # requests of a page that is asked for at intervals
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """A page to measure; `path` is empty where the console has no such page."""

    name: str
    path: str
    every: float = 0.0  # seconds between two requests: what is kept for so long is found out anew


@dataclass(frozen=True)
class Result:
    """How a page answered."""

    name: str
    median: float = 0.0  # ms
    slow: float = 0.0  # ms, 95th percentile
    size: int = 0  # bytes
    queries: int = 0
    fault: str = ""

    def __str__(self) -> str:
        if self.fault:
            return f"{self.name:<44} {self.fault}"
        figures = f"{self.median:8.0f} {self.slow:8.0f} {self.queries:8} {self.size / 1000:8.0f}"
        return f"{self.name:<44} {figures}{'  SLOW' if self.slow > LIMIT else ''}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=30, help="of each page")
    parser.add_argument("--only", default="", help="pages with this in their names")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "No directory at")  # pages are asked of the web server
    call_command("migrate", verbosity=0)
    fill(options.programs)
    results = []
    with site() as browser:
        for page in pages():
            if options.only in page.name:
                results.append(measured(page, browser, options.requests))
                print(".", end="", flush=True)
    results.sort(key=lambda result: (bool(result.fault), result.slow), reverse=True)
    print(f"\n{'':<44} {'median':>8} {'95th ms':>8} {'queries':>8} {'kB':>8}")
    print(*results, sep="\n")
    print(f"load average: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    return int(any(result.fault or result.slow > LIMIT for result in results))


@contextmanager
def site() -> Iterator[Browser]:
    """Serve the console in production's settings; yield a superuser's browser."""
    ada, _ = User.objects.get_or_create(username="ada", is_superuser=True, is_staff=True)
    known = Client()
    known.force_login(ada)
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.web_settings",
            "DEBUG": "",
            "SECRET_KEY": settings.SECRET_KEY,  # so that ada's session is valid there
            "ALLOWED_HOSTS": HOST,
            "TRUSTED_PROXIES": "1",
            "TEST_STATIC_ROOT": folder,
        }
        collect = (sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0")
        subprocess.run(collect, env=environment, check=True)
        web = Web(environment, Path(folder) / "web.log", "--workers", "1", "--threads", "2")
        try:
            browser = Browser(web.port)
            browser.cookies["sessionid"] = known.cookies["sessionid"].value
            yield browser
        finally:
            web.end()


def measured(page: Address, browser: Browser, requests: int) -> Result:
    if not page.path:
        return Result(page.name, fault="absent")
    times, size = [], 0
    for _ in range((min(requests, FEW) if page.every else requests) + 1):
        beat()
        time.sleep(page.every)
        began = time.perf_counter()
        answer = browser.get(page.path)
        times.append((time.perf_counter() - began) * 1000)
        size = len(answer.text)
        if answer.status not in (200, 204):
            return Result(page.name, fault=f"answers {answer.status}: {page.path}")
    ordered = sorted(times[1:])  # the first one compiles templates
    slow = ordered[int(len(ordered) * 0.95)]
    return Result(page.name, statistics.median(ordered), slow, size, queries_of(page))


def queries_of(page: Address) -> int:
    client = Client(SERVER_NAME=HOST)
    client.force_login(User.objects.get(username="ada"))
    with override_settings(ALLOWED_HOSTS=[HOST]), CaptureQueriesContext(connection) as queries:
        client.get(page.path)
    return len(queries)


# The pages ---------------------------------------------------------------------------------------


def pages() -> Iterator[Address]:
    """Yield all pages of the console, with what is asked of them."""
    newest = Program.objects.order_by("-created_at")[0]
    yield from list_pages(newest)
    yield from program_pages()
    yield from bulk_pages(newest)
    for name, page in {
        "overview": "program_overview",
        "queues": "queue_changelist",
        "workers": "worker_changelist",
    }.items():
        yield Address(name, url(page))
        yield Address(f"{name}, live", url(page, live="1"))
        yield Address(f"{name}, anew", url(page), every=5.5)
    worker = Worker.objects.get(name="worker-3")
    yield Address("worker", url("worker_change", worker.pk))
    yield Address("drain a worker", url("worker_drain", worker.pk))
    yield Address("pause a queue", url("queue_pause", name=QUEUES[0]))
    yield Address("admin index", reverse("admin:index"))
    operation = Operation.objects.order_by("-pk")[0]
    yield Address("operation", url("operation_change", operation.pk))
    yield Address("operations", url("operation_changelist"))
    for asked in (
        {"verb": "retry"},
        {"by": "operator3"},
        {"subject": newest.run_id},
        {"subject": QUEUES[0]},
        {"by": "nobody"},
    ):
        (text,) = asked.values()
        yield Address(f"operations: {text}", url("operation_changelist", **asked))


def list_pages(newest: Program) -> Iterator[Address]:
    """Yield the list with each filter, and with those that mislead."""
    a_day, a_week = (newest.created_at - timedelta(days=days) for days in (1, 7))
    month_ago = newest.created_at - timedelta(days=29)
    asked: dict[str, dict[str, str]] = {
        "all": {},
        **{str(state): {"state": state.value} for state in State},
        "text in many": {"q": "operator4"},
        "text in few": {"q": RARE_TEXT},
        "text in none": {"q": "no such text"},
        "text in none, errored": {"q": "no such text", "state": "errored"},
        "text in none, finished": {"q": "no such text", "state": "finished"},
        "text in few, errored": {"q": RARE_TEXT, "state": "errored"},
        "run id": {"q": Program.objects.order_by("created_at")[3].run_id},
        "run id, absent": {"q": "0" * 24},
        "run id, begun": {"q": newest.run_id[:9]},
        "queue": {"queue": QUEUES[0]},
        "queue, rare": {"queue": QUEUES[-1]},
        "queue, rare, finished": {"queue": QUEUES[-1], "state": "finished"},
        "queue, waiting": {"queue": QUEUES[3], "state": "waiting"},
        "job": {"job": JOBS[3]},
        "job, absent": {"job": "no_such_job"},
        "worker": {"worker": "worker-3"},
        "worker, running": {"worker": "worker-3", "state": "running"},
        "worker, absent": {"worker": "no such worker"},
        "since a day": {"since": a_day.isoformat()},
        "until a week ago": {"until": a_week.isoformat()},
        "a day long ago": {
            "since": month_ago.isoformat(),
            "until": (month_ago + timedelta(days=1)).isoformat(),
        },
        "errored since a day": {"since": a_day.isoformat(), "state": "errored"},
        "paused since a day": {"since": a_day.isoformat(), "state": "paused"},
        "paused until a week ago": {"until": a_week.isoformat(), "state": "paused"},
        "waiting since a day": {"since": a_day.isoformat(), "state": "waiting"},
        "waiting until a week ago": {"until": a_week.isoformat(), "state": "waiting"},
        "scheduled until a week ago": {"until": a_week.isoformat(), "state": "scheduled"},
        "everything at once": {
            "q": "no such text",
            "state": "errored",
            "queue": QUEUES[0],
            "job": JOBS[3],
            "since": a_week.isoformat(),
            "until": newest.created_at.isoformat(),
        },
    }
    for name, parameters in asked.items():
        yield Address(f"list: {name}", url("program_changelist", **parameters))
    for state in (None, State.FINISHED, State.ERRORED, State.WAITING):
        parameters = {"older": deep(state), **({"state": state.value} if state else {})}
        name = f"list: {state or 'all'}, {DEEP} pages down"
        yield Address(name, url("program_changelist", **parameters))
    rows = [f"{program.pk}.00000000" for program in Selection().page(SIZE).programs]  # all changed
    seen = (newest.created_at - timedelta(minutes=5)).isoformat()
    live: dict[str, str | list[str]] = {"live": "1", "row": rows, "seen": seen}
    yield Address("list: live", url("program_changelist", **live))
    sought: dict[str, str | list[str]] = {**live, "q": "no such text"}
    yield Address("list: text in none, live", url("program_changelist", **sought))


def program_pages() -> Iterator[Address]:
    """Yield the pages of one program, of those in each state and of extraordinary ones."""
    found = {str(state): first_of(state) for state in State}
    with_outcomes = BulkOutcome.objects.order_by("-pk").values("bulk")[:1]
    found["with thousands of attempts"] = much_tried()
    found["that treated thousands"] = Program.objects.get(pk__in=with_outcomes)
    for name, program in found.items():
        yield Address(f"program: {name}", url("program_change", program.pk))
        yield Address(f"program: {name}, live", url("program_change", program.pk, live="1"))
    outcomes = found["that treated thousands"].pk
    for only in ("done", "refused"):
        yield Address(f"outcomes: {only}", url("program_outcomes", outcomes, only=only))
    yield Address("create", url("program_add"))
    yield Address("create: a clone", url("program_add", clone=str(found["errored"].pk)))
    for verb, state in {
        Verb.STOP: State.RUNNING,
        Verb.PAUSE: State.WAITING,
        Verb.RESUME: State.PAUSED,
        Verb.RETRY: State.ERRORED,
        Verb.SKIP: State.ERRORED,
        Verb.EDIT: State.STOPPED,
    }.items():
        yield Address(f"program: {verb.value}", url(f"program_{verb.value}", first_of(state).pk))


def bulk_pages(newest: Program) -> Iterator[Address]:
    """Yield the page that asks before something is done to all that match."""
    selected = [program.run_id for program in Selection().page(SIZE).programs]
    a_week = (newest.created_at - timedelta(days=7)).isoformat()
    for name, asked in {
        "all": {"all": "1"},
        "all errored": {"all": "1", "state": "errored"},
        "all finished": {"all": "1", "state": "finished"},
        "all with a text in few": {"all": "1", "q": RARE_TEXT},
        "all errored with a text in none": {"all": "1", "q": "no such text", "state": "errored"},
        "all of a rare queue": {"all": "1", "queue": QUEUES[-1]},
        "all since a week": {"all": "1", "since": a_week},
    }.items():
        yield Address(f"bulk: {name}", url("program_bulk", verb="retry", **asked))
    yield Address("bulk: selected", url("program_bulk", verb="stop", run_id=selected))


def first_of(state: State) -> Program:
    return Program.objects.in_state(state).order_by("-created_at")[0]


def deep(state: State | None) -> str:
    """Return the cursor of a page far down, as the page before it would give it."""
    selection = Selection(state=state)
    rows = Program.objects.in_state(state) if state else Program.objects.filter(Q())
    last = rows.order_by(f"-{selection.moment}", "-pk")[SIZE * DEEP % rows.count()]
    return f"{getattr(last, selection.moment).isoformat()}~{last.pk}"


def url(page: str, *key: int, **asked: str | list[str]) -> str:
    """Return the address of a page of the console, or nothing where there is none."""
    try:
        path = reverse(f"admin:programs_{page}", args=key)
    except NoReverseMatch:
        return ""
    return f"{path}?{urlencode(asked, doseq=True)}" if asked else path


if __name__ == "__main__":
    sys.exit(main())
