"""The API by curl: what the README has people type into a shell, and what is too much."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from knox.models import AuthToken

from programs.models import Program, State
from tests.site import ROOT, SITE, Site
from tests.web import Start

pytestmark = pytest.mark.parametrize("site", ["sqlite"], indirect=True)


def session(port: int) -> str:
    """Return the README's session, with its token as it comes from outside, and this port."""
    text = (ROOT / "README.md").read_text().partition("```sh\nTOKEN=")[2].partition("```")[0]
    return text.partition("\n")[2].replace("127.0.0.1:8000", f"127.0.0.1:{port}")


@pytest.fixture(autouse=True)
def curl() -> None:
    if shutil.which("curl") is None:
        missing = "There is no curl here."
        pytest.fail(missing, pytrace=False) if os.environ.get("CI") else pytest.skip(missing)


@pytest.fixture
def token(start_web: Start) -> str:
    user = User.objects.using(SITE).get(username="ada")
    _, text = AuthToken.objects.db_manager(SITE).create(user)
    return text


def test_the_session_creates_waits_reads_and_stops(
    site: Site, start_web: Start, token: str, tmp_path: Path
) -> None:
    web = start_web(SECURE_SSL_REDIRECT="0", TRUSTED_PROXIES="0")
    site.worker().started()
    assert web.port

    done = subprocess.run(
        ["sh", "-eu"],
        input=session(web.port),
        env={**os.environ, "TOKEN": token},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    decoder, answers, rest = json.JSONDecoder(), [], done.stdout
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    awaited, attempts, stopped = answers
    assert awaited["ended"] is True
    assert [attempt["job"] for attempt in attempts["results"]] == ["sleep", "succeed"]
    assert stopped["state"] in ("stopped", "stopping")
    first, second = Program.objects.using(SITE).order_by("pk")
    assert first.state is State.FINISHED
    assert second.operations.get().reason == "created by mistake"


def test_ten_megabytes_are_refused_before_they_are_read(
    start_web: Start, token: str, tmp_path: Path
) -> None:
    web = start_web(SECURE_SSL_REDIRECT="0", TRUSTED_PROXIES="0")
    body = tmp_path / "body.json"
    body.write_text(f'{{"jobs": ["noop"], "program_data": {{"text": "{"x" * 10_000_000}"}}}}')

    done = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--header", f"Authorization: Token {token}"),
            *("--header", "Content-Type: application/json", "--data-binary", f"@{body}"),
            f"http://127.0.0.1:{web.port}/api/programs/",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert json.loads(done.stdout)["status"] == 413
    assert not Program.objects.using(SITE).exists()
