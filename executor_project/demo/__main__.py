"""`python -m executor_project.demo`: what `make run` starts."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, connection

from executor_project.demo import Trouble, administrator
from executor_project.demo.children import Children, Ended
from programs.conf import settings as executor_settings
from programs.redaction import redact_url

HOST = "127.0.0.1"  # whoever reaches the console can try the easy password
START_DEADLINE = 30.0  # seconds until the console answers
GRACE = 3  # seconds for running jobs and requests when we end


def main() -> None:
    try:
        demonstrate()
    except Trouble as trouble:
        sys.exit(str(trouble))
    except KeyboardInterrupt:  # before anything was started
        sys.exit(130)


def demonstrate() -> None:
    """Start console and worker, show programs, and serve until Ctrl-C."""
    with listening(port_asked_for()) as listener:
        prepare()
        with Children(settings.BASE_DIR, settings.MEDIA_ROOT / "demo") as children:
            try:
                present(children, listener)
            except Ended:
                say(f"\nEnding console and worker; what runs has {GRACE} s more.")


def present(children: Children, listener: socket.socket) -> None:
    """Start both children, tell what is where, and show programs as long as nothing ends us."""
    # Its models can be imported now that Django is set up, and not before.
    from executor_project.demo import showcase

    login = administrator.login()
    address = start_console(children, listener)
    start_worker(children)
    say(f"Console   {address}")
    say(f"Login     {login}")
    say(f"Database  {database_in_use()}")
    say(f"Broker    {broker_in_use()}")
    say(f"Logs      {shown(children.log('console'))}, {shown(children.log('worker'))}\n")
    showcase.run_real_program(children.watch, say)
    showcase.create_examples(say)
    say(f"Look at them at {address}")
    say("Serving until Ctrl-C.")
    while True:
        children.watch()


def say(line: str = "") -> None:
    print(line, flush=True)


# Before anything is started -------------------------------------------------------------------


def port_asked_for() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise Trouble(f"PORT={text} is no port: give a number from 1 to 65535.")
    return int(text)


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Take the port for the console; nobody else can have it from here on."""
    with socket.socket() as listener:
        # Closed connections of an earlier run do not hold the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError as error:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"({error.strerror})"
            raise Trouble(
                f"Port {port} {reason}: end what uses it, or take another with PORT, "
                f"as in `PORT={port + 1 if port < 65535 else 8000} make run`."
            ) from error
        yield listener


def prepare() -> None:
    """Set up Django for development, here and in the children, and bring the tables up to date."""
    os.environ.setdefault("DEBUG", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "executor_project.settings")
    try:
        django.setup()
    except ImproperlyConfigured as error:
        raise Trouble(f"The settings are wrong: {error}.") from error
    if not settings.DEBUG:
        raise Trouble("make run is for development: unset DEBUG, or serve as the Procfile does.")
    try:
        call_command("migrate", verbosity=0)
    except DatabaseError as error:
        raise Trouble(
            f"The database cannot be used: {database_in_use()}: {str(error).strip()}\n"
            "Correct DATABASE_URL, or unset it to use SQLite."
        ) from error


# Console and worker ---------------------------------------------------------------------------


def start_console(children: Children, listener: socket.socket) -> str:
    """Start the console on the listening socket and return its address once it answers."""
    descriptor, port = listener.fileno(), listener.getsockname()[1]
    children.start(
        "console",
        [
            *(sys.executable, "-m", "gunicorn", "executor_project.wsgi"),
            *("--bind", f"fd://{descriptor}"),
            *("--workers", "1", "--threads", "4"),
            *("--graceful-timeout", str(GRACE)),
        ],
        pass_fds=[descriptor],
    )
    listener.close()  # so that nobody waits for a console that has died
    deadline = monotonic() + START_DEADLINE
    while (status := answer(port)) != http.client.OK:
        if status is not None or monotonic() > deadline:
            raise Trouble(
                f"The console answers {status or 'nothing'}: {children.log('console')} tells why."
            )
        children.watch()
    return f"http://{HOST}:{port}/admin/"


def answer(port: int) -> int | None:
    """Return the status of the login page, or None where there is no answer yet."""
    console = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        console.request("GET", "/admin/login/")
        return console.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        console.close()


def start_worker(children: Children) -> None:
    """Start a worker; programs wait for it in the database until it is there."""
    command = [sys.executable, "manage.py", "runworker", "--shutdown-timeout", str(GRACE)]
    children.start("worker", command)


# What is in use -------------------------------------------------------------------------------


def database_in_use() -> str:
    """Return which database it is, without its password."""
    parts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"SQLite, {shown(Path(parts['NAME']))}"
    return f"{connection.display_name}, {parts['NAME']} on {parts['HOST'] or 'this machine'}"


def broker_in_use() -> str:
    """Return which broker it is, without its password."""
    url = executor_settings.AMQP_URL
    return redact_url(url) if url else "none: the worker looks into the database"


def shown(path: Path) -> str:
    """Return a path as seen from here, where it lies below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    main()
