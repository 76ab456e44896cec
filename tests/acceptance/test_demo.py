"""`make run`: the demonstration as a process, from its first line to Ctrl-C."""

import http.cookiejar
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
SERVING = "Serving until Ctrl-C."
START = 60.0  # seconds until it serves, on a slow machine
END = 15.0  # seconds until it has ended


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Demo:
    """The demonstration with a database and a folder of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.output = folder / "output.txt"
        ours = ("AMQP_URL", "DEBUG", "DJANGO_SETTINGS_MODULE", "SECRET_KEY")
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        own = {
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "MEDIA_ROOT": str(folder / "media"),
            "PORT": str(self.port),
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "executor_project.demo"],
                cwd=ROOT,
                env={**inherited, **own, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def lines(self) -> list[str]:
        return self.output.read_text(encoding="utf-8").splitlines()

    def line(self, start: str) -> str:
        return next(line for line in self.lines if line.startswith(start))

    def serves(self) -> None:
        def serving() -> bool:
            assert self.process.poll() is None, self.lines
            return SERVING in self.lines

        eventually(serving, within=START)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(END)

    def fails(self) -> str:
        """Return what it says when it ends by itself, with exit code 1."""
        assert self.process.wait(START) == 1, self.lines
        return "\n".join(self.lines)

    def console_pids(self) -> list[int]:
        log = (self.folder / "media" / "demo" / "console.log").read_text()
        return [int(pid) for pid in re.findall(r"(?:Booting worker with pid: |\] \[)(\d+)", log)]

    def worker_pids(self) -> list[int]:
        with sqlite3.connect(self.folder / "db.sqlite3") as database:
            return [pid for (pid,) in database.execute("SELECT pid FROM programs_worker")]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def start(**environment: str) -> Demo:
        demos.append(Demo(tmp_path, **environment))
        return demos[-1]

    yield start
    for demo in demos:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def log_in(demo: Demo, user: str, password: str) -> str:
    """Log in to the console and return the page that it shows then."""
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(cookies)
    )
    page = f"http://127.0.0.1:{demo.port}/admin/login/"
    assert browser.open(page, timeout=10).status == 200
    token = next(cookie.value for cookie in cookies if cookie.name == "csrftoken")
    form = {"username": user, "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"}
    answer = browser.open(page, urllib.parse.urlencode(form).encode(), timeout=10)
    assert answer.url == f"http://127.0.0.1:{demo.port}/admin/"
    return str(answer.read().decode())


def test_it_shows_programs_and_serves_until_ctrl_c(start: Callable[..., Demo]) -> None:
    demo = start()

    demo.serves()
    assert demo.line("Console").endswith(f"http://127.0.0.1:{demo.port}/admin/")
    assert demo.line("Login").endswith("user admin, password admin")
    assert "Log out" in log_in(demo, "admin", "admin")
    told = [tuple(line.split()[:2]) for line in demo.lines if re.search(r" \d+\.\d\d s", line)]
    assert told[0] == ("import_airports", "done")
    assert told.count(("look_up_clocks", "retried")) == 2
    assert told[-1] == ("report_airports", "done")
    report = demo.line("Its report: ").removeprefix("Its report: file://")
    assert "<svg" in Path(report).read_text(encoding="utf-8")
    pids = [*demo.console_pids(), *demo.worker_pids()]
    assert len(set(pids)) >= 3
    assert all(is_alive(pid) for pid in pids)

    assert demo.end(signal.SIGINT) == 0

    assert not any(is_alive(pid) for pid in pids)


def test_a_second_run_has_the_same_login_and_programs(start: Callable[..., Demo]) -> None:
    first = start()
    first.serves()
    login = first.line("Login")
    assert first.end(signal.SIGTERM) == 0

    second = start()
    second.serves()

    assert second.line("Login") == login
    log_in(second, "admin", "admin")
    with sqlite3.connect(second.folder / "db.sqlite3") as database:
        query = "SELECT count(*) FROM programs WHERE finished_at IS NOT NULL AND step = 5"
        assert database.execute(query).fetchone() == (2,)


def test_a_taken_port_is_said_before_anything_is_started(start: Callable[..., Demo]) -> None:
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", 0))
        taker.listen()
        port = taker.getsockname()[1]

        demo = start(PORT=str(port))

        assert demo.fails() == (
            f"Port {port} is taken: end what uses it, or take another with PORT, "
            f"as in `PORT={port + 1} make run`."
        )
    assert not (demo.folder / "db.sqlite3").exists()


def test_a_child_that_dies_is_named_and_ends_the_other(start: Callable[..., Demo]) -> None:
    demo = start()
    demo.serves()
    worker = demo.worker_pids()[0]

    os.kill(demo.console_pids()[0], signal.SIGKILL)

    assert "The console ended with exit code -9" in demo.fails()
    assert not is_alive(worker)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PORT": "http"}, "PORT=http is no port: give a number from 1 to 65535."),
        ({"DEBUG": "0", "SECRET_KEY": "x"}, "make run is for development: unset DEBUG"),
        ({"DATABASE_URL": "postgres://ada:secret@127.0.0.1:1/x"}, "Correct DATABASE_URL"),
    ],
)
def test_what_keeps_it_from_starting_is_told_with_the_remedy(
    environment: dict[str, str], told: str, start: Callable[..., Demo]
) -> None:
    said = start(**environment).fails()

    assert told in said
    assert "Traceback" not in said
    assert "secret" not in said
