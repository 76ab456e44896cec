"""Secrets: one is planted in every input that there is, and all output is searched for it.

A job's own exception is logged with its text: that is its author's to write, and no secret here.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connections

from programs.models import Program, State
from programs.submission import create_program
from programs.transport.topology import broker_queue
from tests.messages import send
from tests.servers import Postgres, RabbitMQ
from tests.servers.server import free_port
from tests.site import ROOT, SITE, Site, wait_for
from tests.waiting import eventually
from tests.web import Browser, Start, Web

API, LIST = "/api/programs/", "/admin/programs/program/"
NOWHERE = "127.0.0.1:1"


class Planted:
    """Secrets, each in one place, and what said them aloud."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        """Return a new secret for this place."""
        secret = f"planted{secrets.token_hex(8)}"
        self.know(place, secret)
        return secret

    def know(self, place: str, secret: str) -> None:
        """Hold a secret that is there already."""
        self._places[secret] = place

    def found_in(self, *outputs: str) -> list[str]:
        """Return the places whose secret an output holds."""
        assert all(outputs)
        return [
            place
            for secret, place in self._places.items()
            if any(secret in output for output in outputs)
        ]


@pytest.fixture
def plant() -> Planted:
    return Planted()


@pytest.fixture
def environment(site: Site, static_root: Path, plant: Planted) -> Iterator[dict[str, str]]:
    """The site's, with a password in the URL of the database."""
    url = urlsplit(site.environment["DATABASE_URL"])
    with known_by(plant("DATABASE_URL")) as (user, password):
        login = f"{user or url.username}:{password}@{url.hostname}:{url.port}"
        site.environment.update(
            DATABASE_URL=url._replace(netloc=login).geturl(),
            SECRET_KEY=plant("SECRET_KEY"),
            METRICS_TOKEN=plant("METRICS_TOKEN"),
            DJANGO_SETTINGS_MODULE="tests.web_settings",
            TEST_STATIC_ROOT=str(static_root),
        )
        yield site.environment


@contextmanager
def known_by(password: str) -> Iterator[tuple[str | None, str]]:
    """Let the site's database know somebody by this password; None: it asks nobody for one.

    MySQL refuses a password of whoever needs none, so that there it takes a user who needs it.
    """
    connection = connections[SITE]
    if connection.vendor != "mysql":
        yield None, password
        return
    user, name = f"user{secrets.token_hex(4)}", connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("CREATE USER %s IDENTIFIED BY %s", [user, password])
        cursor.execute(f"GRANT ALL ON `{name}`.* TO %s", [user])
    yield user, password
    with connection.cursor() as cursor:
        cursor.execute("DROP USER %s", [user])


@pytest.fixture(params=["there", "down", "refusing"])
def broker(
    request: pytest.FixtureRequest,
    rabbitmq: RabbitMQ,
    environment: dict[str, str],
    plant: Planted,
) -> Iterator[str]:
    """A broker whose password is a secret: it knows it, is not there, or knows another."""
    if not rabbitmq.private:
        pytest.skip("the RabbitMQ of TEST_AMQP_URL is not ours to add users to")
    kind, user, password = request.param, f"user{secrets.token_hex(4)}", plant("AMQP_URL")
    address = NOWHERE if kind == "down" else urlsplit(rabbitmq.url).netloc.rpartition("@")[2]
    environment["AMQP_URL"] = f"amqp://{user}:{password}@{address}/"
    if kind != "there":
        yield kind
        return
    rabbitmq.ctl("add_user", user, password)
    rabbitmq.ctl("set_permissions", user, ".*", ".*", ".*")
    yield kind
    rabbitmq.ctl("delete_user", user)


def log_in(web: Web, plant: Planted) -> Browser:
    """Guess until it is refused, from elsewhere; then log in, and hold what the cookies hold."""
    guesser = web.client()
    guesser.address = "198.51.100.1"
    statuses = [guesser.log_in("ada", plant(f"password {n}")).status for n in range(6)]
    assert statuses[-2:] == [429, 429]
    guesser.log_in(plant("user name"), "wrong")
    ada = web.client("right")
    for name, value in ada.cookies.items():
        plant.know(f"cookie {name}", value)
    return ada


def use_the_api(ada: Browser, plant: Planted) -> None:
    """Ask what is done, and all that is refused."""

    def status(body: object) -> int:
        return ada.post(API, body).status

    given = {
        "jobs": ["noop", "behave"],
        "program_data": {"secret": plant("program data"), "how": "fail"},
        "job_data": {"noop": {"secret": plant("job data")}},
        "idempotency_key": plant("idempotency key"),
    }
    assert (status(given), status(given)) == (201, 200)
    assert status({**given, "jobs": ["noop"]}) == 409
    assert status(f'{{"jobs": ["noop"], "program_data": {{"a": "{plant("broken JSON")}"') == 400
    assert status({"jobs": [plant("unknown job")]}) == 400
    assert status({"jobs": ["noop"], plant("unknown field"): 1}) == 400
    assert status({"jobs": ["noop"], "program_data": plant("no object")}) == 400
    assert status({"jobs": ["noop"], "program_data": {"a": plant("NUL") + "\0"}}) in (201, 400)
    assert status({"jobs": ["noop"], "program_data": {"a": plant("size") * 100_000}}) == 400
    assert status({"jobs": ["noop"], "run_at": plant("run_at")}) == 400
    assert status({"jobs": ["noop"], "queue": plant("queue") * 9}) == 400
    assert ada.get(f"{API}?cursor={plant('cursor')}").status == 400
    assert ada.get(f"{API}nobody/?token={plant('query')}").status == 404
    stranger = Browser(ada.port, cookies={"sessionid": plant("foreign session")})
    for scheme in ("Basic", "Bearer", "Token"):
        authorization = f"{scheme} {plant(scheme)}"
        assert stranger.get(API, Authorization=authorization).status == 401
    forger = Browser(ada.port, cookies={**ada.cookies, "csrftoken": plant("csrf token")})
    assert forger.post(API, given).status == 403


def use_the_console(ada: Browser, plant: Planted) -> None:
    page = f"{LIST}{Program.objects.using(SITE).latest('pk').pk}"
    form = {"jobs": "noop", "queue": "default"}
    data = f'{{"a": "{plant("typed data")}"}}'

    assert ada.submit(f"{LIST}add/", **form, program_data=data).status == 302
    assert ada.submit(f"{LIST}add/", **form, program_data=plant("typed, no JSON")).status == 200
    assert ada.submit(f"{page}/stop/", reason=plant("reason")).status == 302
    assert ada.submit(f"{LIST}add/", csrfmiddlewaretoken=plant("form token")).status == 403


def ask_for_metrics(environment: dict[str, str], plant: Planted, *ports: int) -> list[str]:
    """Probe what listens, and ask for metrics with the token and without; return what was said."""
    answers = []
    for asked in map(Browser, ports):
        token = environment["METRICS_TOKEN"]
        assert asked.get("/metrics", Authorization=f"Bearer {plant('token')}").status == 401
        answers.append(asked.get("/metrics", Authorization=f"Bearer {token}"))
        answers += [asked.get("/healthz"), asked.get("/readyz")]
    assert [answer.status for answer in answers[::3]] == [200] * len(ports)
    return [answer.text for answer in answers]


def send_what_is_no_hint(rabbitmq: RabbitMQ, plant: Planted) -> None:
    bodies = (
        plant("hint, no JSON"),
        f'{{"jobs": ["noop"], "programData": {{"a": "{plant("hint, no run id")}"}}}}',
        f'{{"runId": ["{plant("hint, run id")}"]}}',
        f'{{"runId": "nobody", "programData": {{"a": "{plant("hint, unknown")}"}}}}',
    )
    send(rabbitmq, broker_queue("default"), *(body.encode() for body in bodies))


@pytest.mark.parametrize("site", ["rabbitmq"], indirect=True)
@pytest.mark.invariant(11)
def test_no_process_says_a_secret(
    site: Site, broker: str, rabbitmq: RabbitMQ, start_web: Start, plant: Planted
) -> None:
    worker = site.worker("--health-port", str(port := free_port()))
    web = start_web(**site.environment)

    ada = log_in(web, plant)
    use_the_api(ada, plant)
    program = create_program(["behave"], {"how": ["retry", "kill_process", "succeed"]}, using=SITE)
    wait_for(program, State.FINISHED, within=40)
    use_the_console(ada, plant)
    if broker == "there":
        send_what_is_no_hint(rabbitmq, plant)
        eventually(lambda: worker.output.count("is no hint") == 3)
    else:
        eventually(lambda: "is not available" in worker.output or "refuse" in worker.output)
    eventually(lambda: not Program.objects.using(SITE).open().exists())
    answers = ask_for_metrics(site.environment, plant, port, web.port)

    assert worker.terminate() == 0
    assert plant.found_in(worker.output, web.output, *answers) == []
    for line in ("Bad Request: /api/programs/", "Conflict", "Locking out", "Forbidden"):
        assert line in web.output
    for line in ("job failed", "died with exit code", "program finished"):
        assert line in worker.output


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("environment")
def test_no_process_says_a_secret_while_the_database_is_away(
    site: Site, postgres: Postgres, start_web: Start, plant: Planted
) -> None:
    if not postgres.private:
        pytest.skip("the PostgreSQL of TEST_DATABASE_URL is not ours to stop")
    worker = site.worker().started()
    web = start_web(**site.environment)
    ada = web.client("right")
    given = {
        "jobs": ["noop"],
        "program_data": {"a": plant("program data")},
        "idempotency_key": plant("idempotency key"),
    }
    connections[SITE].close()

    postgres.stop()
    try:
        assert ada.post(API, given).status == 503
        assert ada.submit(f"{LIST}add/", jobs="noop", program_data=plant("form")).status == 503
        assert web.client().log_in("ada", plant("password")).status == 503
        eventually(lambda: "the database" in worker.output)
        answers = ask_for_metrics(site.environment, plant, web.port)
        outputs = [output_of(site.environment, name) for name in ("migrate", "showmigrations")]
    finally:
        postgres.start()

    assert ada.post(API, given).status == 201
    assert plant.found_in(web.output, worker.output, *answers, *outputs) == []
    assert answers[2].startswith("not ready")
    assert all("OperationalError" in output for output in outputs)


def output_of(environment: dict[str, str], *arguments: str) -> str:
    """Run a management command; return its exit code and all that it said."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return f"{done.returncode}: {done.stdout}"


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_no_command_says_a_secret(site: Site, environment: dict[str, str], plant: Planted) -> None:
    create_program(["noop"], {"a": plant("program data")}, using=SITE)
    environment["AMQP_URL"] = f"amqp://ada:{plant('AMQP_URL')}@{NOWHERE}/"
    environment["DJANGO_SUPERUSER_PASSWORD"] = plant("DJANGO_SUPERUSER_PASSWORD")
    grace = ("createsuperuser", "--noinput", "--username", "grace", "--email", "")

    commands = ("check --database default", "migrate", "runworker --burst", "showmigrations")
    outputs = [output_of(environment, *command.split()) for command in commands]
    outputs += [output_of(environment, *command) for command in (grace, grace)]
    outputs.append(output_of(environment, "check", "--deploy"))

    assert plant.found_in(*outputs) == []
    assert [output.split(":")[0] for output in outputs] == [*"00000", "1", "0"]


URLS = [
    "{}/x@127.0.0.1:1/db",
    "{}#x@127.0.0.1:1/db",
    "{}?x@127.0.0.1:1/db",
    "{}@[127.0.0.1:1/db",
    "{}@127.0.0.1:port/db",
]


@pytest.mark.parametrize("url", URLS)
def test_a_url_of_no_database_is_refused_without_its_secret(url: str, plant: Planted) -> None:
    given = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
        "DATABASE_URL": f"postgres://ada:{url.format(plant('DATABASE_URL'))}",
    }

    output = output_of(given, "migrate")

    assert output.startswith("1: ")
    assert plant.found_in(output) == []


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
@pytest.mark.parametrize("url", URLS)
def test_a_url_of_no_broker_is_named_without_its_secret(
    site: Site, url: str, plant: Planted
) -> None:
    worker = site.worker(AMQP_URL=f"amqp://ada:{url.format(plant('AMQP_URL'))}")

    eventually(lambda: "AMQP_URL has no valid host and port" in worker.output)

    assert plant.found_in(worker.output) == []
