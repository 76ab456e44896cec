"""The console and the API as a real web server in production settings, and clients of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User

from tests.site import SITE, Site
from tests.waiting import eventually

ROOT = Path(__file__).parent.parent
LOGIN, API_LOGIN = "/admin/login/", "/api/login/login/"


class Web:
    """A gunicorn process, its output in a file."""

    def __init__(
        self,
        environment: dict[str, str],
        log: Path,
        *options: str,
        wsgi: str = "executor_project.wsgi",
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", wsgi),
                    *("--bind", "127.0.0.1:0", *options),
                ],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def port(self) -> int:
        """The port that it took, once it listens."""
        listening = re.compile(r"Listening at: http://\S+:(\d+)")
        return int(eventually(lambda: listening.findall(self.output), within=30)[0])

    def client(self, password: str = "") -> Browser:
        """Return a client behind a proxy that speaks HTTPS; with a password, ada is logged in."""
        browser = Browser(self.port)
        if password:
            assert browser.log_in("ada", password).status == 302
        return browser

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Browser:
    """Keeps cookies, also those that are for HTTPS only, and follows no redirect."""

    port: int
    address: str = "192.0.2.7"  # as the proxy tells it
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, None, headers)

    def submit(self, path: str, **fields: str) -> Answer:
        """Send a form, as its page would."""
        form = {"csrfmiddlewaretoken": self.cookies.get("csrftoken", ""), **fields}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(form), kind)

    def post(self, path: str, body: Any) -> Answer:
        """Send JSON; a text as it is."""
        text = body if isinstance(body, str) else json.dumps(body)
        token = {"X-CSRFToken": self.cookies.get("csrftoken", "")}
        return self._ask("POST", path, text, {"Content-Type": "application/json", **token})

    def log_in(self, user: str, password: str, page: str = LOGIN) -> Answer:
        """Open the login page and send its form."""
        self.get(page)
        return self.submit(page, username=user, password=password, next="/admin/")

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        sent = {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": self.address,
            "Origin": f"https://127.0.0.1:{self.port}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {**sent, **headers})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return Answer(response.status, response.headers, text)


Start = Callable[..., Web]


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collected static files, which production's pages need."""
    folder = tmp_path_factory.mktemp("static")
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "DEBUG": "", **_settings(folder)},
        check=True,
    )
    return folder


@pytest.fixture
def start_web(site: Site, static_root: Path) -> Iterator[Start]:
    """Start the site's web server, behind one proxy: `start_web(VARIABLE="value")`.

    Its superuser is ada, with the password "right".
    """
    webs: list[Web] = []
    User.objects.db_manager(SITE).create_superuser("ada", password="right")
    production = {
        **site.environment,
        **_settings(static_root),
        "DEBUG": "",
        "SECRET_KEY": "for the tests of the web server",
        "ALLOWED_HOSTS": "127.0.0.1",
        "TRUSTED_PROXIES": "1",
    }

    def start(**environment: str) -> Web:
        log = site.folder / f"web-{len(webs) + 1}.log"
        webs.append(Web({**production, **environment}, log))
        return webs[-1]

    yield start
    for web in webs:
        web.end()
    for model in (User, AccessAttempt):
        model._default_manager.using(SITE).all().delete()


def _settings(static_root: Path) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "tests.web_settings", "TEST_STATIC_ROOT": str(static_root)}
