"""The console and the API in production: a real web server behind a proxy, and a real browser."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from subprocess import DEVNULL

import pytest
import yaml
from playwright.sync_api import Page

from programs.models import Program, State
from programs.submission import create_program
from tests.site import ROOT, SITE, Site
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)

PAGES = ["/", "/admin/", "/admin/programs/program/", "/api/programs/", "/nowhere/"]
LIST = "/admin/programs/program/"
PLAIN = {"SECURE_SSL_REDIRECT": "0", "TRUSTED_PROXIES": "0"}  # as compose.yaml has it
A_YEAR = "max-age=31536000; includeSubDomains"


def test_every_page_insists_on_https_and_says_what_may_be_loaded(start_web: Start) -> None:
    ada = start_web().client("right")

    answers = {page: ada.get(page) for page in PAGES}

    assert [answer.status for answer in answers.values()] == [200, 200, 200, 200, 404]
    for page, answer in answers.items():
        assert answer.headers["Strict-Transport-Security"] == A_YEAR, page
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"], page


def test_cookies_are_for_https_and_that_of_the_session_for_no_script(start_web: Start) -> None:
    client = start_web().client()

    headers = client.log_in("ada", "right").headers

    set_ = headers.get_all("Set-Cookie", [])
    session = next(line for line in set_ if line.startswith("sessionid="))
    assert "Secure" in session
    assert "HttpOnly" in session


@pytest.mark.parametrize(("proxies", "status"), [("0", 301), ("1", 200)])
def test_https_is_believed_only_of_a_proxy(start_web: Start, proxies: str, status: int) -> None:
    web = start_web(TRUSTED_PROXIES=proxies)

    assert web.client().get("/").status == status


@pytest.mark.parametrize("told", [{"TRUSTED_PROXIES": "0"}, {"ALLOWED_HOSTS": "elsewhere"}, PLAIN])
def test_a_server_that_is_ready_is_healthy(start_web: Start, told: dict[str, str]) -> None:
    web = start_web(**told)
    check = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["web"]["healthcheck"]
    form, python, *arguments, port = check["test"]
    assert (form, python, port) == ("CMD", "python", "8000")
    command = [sys.executable, *arguments, str(web.port)]

    assert subprocess.run(command, timeout=10, check=False).returncode == 0
    web.end()
    assert subprocess.run(command, timeout=10, check=False, stderr=DEVNULL).returncode == 1


def test_who_guesses_waits_whatever_he_says_where_he_is(start_web: Start) -> None:
    web = start_web()
    statuses = []

    for number in range(5):
        guesser = web.client()
        guesser.address = f"203.0.113.{number}, 198.51.100.1"  # the proxy adds the second
        statuses.append(guesser.log_in("ada", "wrong").status)

    assert statuses == [200, 200, 200, 200, 429]
    assert guesser.log_in("ada", "right").status == 429
    assert web.client().log_in("ada", "right").status == 302


@pytest.fixture
def program(site: Site) -> Program:
    return create_program(["noop"], using=SITE)


def test_a_browser_refuses_nothing_of_our_pages(
    start_web: Start, program: Program, page: Page
) -> None:
    address = f"http://localhost:{start_web(ALLOWED_HOSTS='localhost', **PLAIN).port}"
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))

    page.goto(f"{address}/api/login/login/?next=/api/programs/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "right")
    page.click("button")
    assert program.run_id in page.content()
    for path in (
        *("/", "/admin/", "/admin/auth/user/", f"{LIST}add/", f"{LIST}{program.pk}/change/"),
        *(f"{LIST}{program.pk}/stop/", LIST, f"/api/programs/{program.run_id}/"),
    ):
        answer = page.goto(address + path)
        assert answer is not None
        assert answer.status == 200, path
    page.goto(f"{address}/api/programs/")
    page.fill("[name=_content]", '{"jobs": ["noop"]}')
    page.click("button:has-text('POST')")
    page.wait_for_selector("text=201 Created")
    assert complaints == []

    page.click("text=Log out")
    page.wait_for_selector("text=401 Unauthorized")


def test_who_waits_for_the_end_of_a_program_holds_up_nobody(site: Site, start_web: Start) -> None:
    web = start_web()
    browser = web.client("right")
    program = create_program(["noop"])
    path = f"/api/programs/{program.run_id}/wait/?timeout=50"
    headers = {"X-Forwarded-Proto": "https", "Cookie": f"sessionid={browser.cookies['sessionid']}"}

    with closing(HTTPConnection("127.0.0.1", web.port, timeout=60)) as waiting:
        waiting.request("GET", path, headers=headers)
        assert browser.get(LIST).status == 200  # came behind it, and is answered before it
        assert Program.objects.get().state is State.WAITING
        site.worker("--burst")
        assert waiting.getresponse().read().decode().count('"ended":true') == 1


def test_a_server_needs_no_home(start_web: Start) -> None:
    """As in a container, or as a service: its user has none, and nothing else can be written."""
    web = start_web(HOME="/proc/nowhere", XDG_RUNTIME_DIR="")
    assert web.client().get("/").status == 200
    web.end()
    assert "ERROR" not in web.output
