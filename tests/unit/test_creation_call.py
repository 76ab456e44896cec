"""The call that the console shows for what is typed, run as Python and by a shell would."""

from __future__ import annotations

import ast
import html
import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import path

from programs.models import Program
from tests.clients import ADD, client_of, post
from tests.console import CREATE

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

API = "/api/programs/"
CURL = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done > "$OUT/words"
cat > "$OUT/body"
"""

HOSTILE = [
    "it's",
    'say "no"',
    "$(touch stolen) `touch stolen` $HOME ${HOME}",
    "\\",
    "\\'",
    "JSON",
    "\nJSON\ntouch stolen\n",
    "'\nJSON\n'",
    "'''\"\"\"",
    "{a} %s #",
    "é 日本 🙂",
    "\u202e\x7f\x1b[31m\t\r\u2028",
    "</pre><script>alert(1)</script>",
    "x" * 300,
]
PRINTABLE = [name for name in HOSTILE if name.isprintable()]


def shown(client: Client, **typed: str) -> dict[str, str]:
    """Return the calls that the page shows, as a reader of it would copy them."""
    given = {"jobs": "noop", "queue": "default", **typed, "show": "1"}
    page = client.post(CREATE, given).content.decode()
    found = re.findall(r'<pre [^>]*id="call-(\w+)"[^>]*>(.*?)</pre>', page, re.DOTALL)
    return {language: html.unescape(code) for language, code in found}


def python_arguments(code: str) -> dict[str, Any]:
    """Return what the call passes on: `create_program` is not run, its arguments are read."""
    *imports, call = ast.parse(code).body
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    names = {alias.name for line in imports for alias in getattr(line, "names", [])}
    assert ast.unparse(call.value.func) in names
    (jobs,) = call.value.args
    given = {str(word.arg): word.value for word in call.value.keywords}
    moment = given.pop("run_at", None)
    arguments = {name: ast.literal_eval(value) for name, value in given.items()}
    if moment is not None:
        assert isinstance(moment, ast.Call)
        assert ast.unparse(moment.func) == "datetime.fromisoformat"
        assert "datetime" in names
        arguments["run_at"] = datetime.fromisoformat(ast.literal_eval(moment.args[0]))
    return {"jobs": ast.literal_eval(jobs), **arguments}


def run_in_shell(code: str, folder: Path) -> tuple[list[str], str]:
    """Return the words and the body with which a shell runs curl."""
    (folder / "bin").mkdir()
    curl = folder / "bin" / "curl"
    curl.write_text(CURL)
    curl.chmod(0o755)
    (folder / "empty").mkdir()
    found = f"{folder / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": found, "OUT": str(folder), "TOKEN": "t"}
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run(
        [shell, "-c", code],
        env=environment,
        cwd=folder / "empty",
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == b""
    assert list((folder / "empty").iterdir()) == []
    return (folder / "words").read_text().split("\0")[:-1], (folder / "body").read_text()


def test_only_what_is_set_stands_in_the_call(admin_client: Client) -> None:
    calls = shown(admin_client)

    assert calls["python"].splitlines() == [
        "from programs.submission import create_program",
        "",
        "create_program(",
        "    ['noop'],",
        ")",
    ]
    assert not Program.objects.exists()


def test_all_that_is_set_stands_in_both_calls(admin_client: Client, tmp_path: Path) -> None:
    typed = {
        "jobs": "noop, behave\ncount",
        "program_data": '{"year": 2024, "exact": 12345678901234567890123, "none": null}',
        "job_data": '{"count": {"n": [1, 2.5, true]}}',
        "queue": "reports",
        "run_at": "2050-01-31T12:30",
        "idempotency_key": "orders",
    }

    with override_settings(TIME_ZONE="Europe/Paris"):
        calls = shown(admin_client, **typed)

    expected = {
        "jobs": ["noop", "behave", "count"],
        "program_data": {"year": 2024, "exact": 12345678901234567890123, "none": None},
        "job_data": {"count": {"n": [1, 2.5, True]}},
        "queue": "reports",
        "run_at": datetime(2050, 1, 31, 11, 30, tzinfo=UTC),
        "idempotency_key": "orders",
    }
    assert python_arguments(calls["python"]) == expected
    words, body = run_in_shell(calls["curl"], tmp_path)
    assert json.loads(body) == {**expected, "run_at": "2050-01-31T11:30:00+00:00"}
    assert words[0] == f"http://testserver{API}"
    assert "Authorization: Token t" in words
    assert "Content-Type: application/json" in words
    assert not Program.objects.exists()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_data_is_data_in_both_calls(
    admin_client: Client, tmp_path: Path, text: str
) -> None:
    data = {text: text, "inside": [{text: [text] * 20}]}

    calls = shown(admin_client, program_data=json.dumps(data))

    assert python_arguments(calls["python"])["program_data"] == data
    assert json.loads(run_in_shell(calls["curl"], tmp_path)[1])["program_data"] == data
    assert "\u202e" not in "".join(calls.values())
    assert "\x1b" not in "".join(calls.values())


@pytest.mark.parametrize("name", PRINTABLE)
def test_hostile_names_are_names_in_both_calls(
    admin_client: Client, tmp_path: Path, name: str
) -> None:
    typed = {"jobs": f"noop\n{name}", "queue": name[:100], "idempotency_key": name[:255]}

    calls = shown(admin_client, **typed)

    expected = {
        "jobs": ["noop", name],
        "queue": name[:100],
        "idempotency_key": name[:255],
    }
    assert python_arguments(calls["python"]) == expected
    assert json.loads(run_in_shell(calls["curl"], tmp_path)[1]) == expected


def test_what_databases_refuse_is_shown_as_it_would_be_stored(admin_client: Client) -> None:
    calls = shown(admin_client, program_data=r'{"x": "\u0000 \ud800"}')

    assert python_arguments(calls["python"])["program_data"] == {"x": "\ufffd \ufffd"}


def test_the_api_takes_what_curl_sends(admin_client: Client, tmp_path: Path) -> None:
    typed = {"jobs": "noop", "program_data": '{"x": "it\'s"}', "run_at": "2050-01-31T12:30"}
    body = run_in_shell(shown(admin_client, **typed)["curl"], tmp_path)[1]

    answer = post(admin_client, API, body)

    program = Program.objects.get()
    assert answer.status_code == 201
    assert program.program_data == {"x": "it's"}
    assert program.run_at == datetime(2050, 1, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "typed"),
    [("jobs", ""), ("program_data", "{"), ("program_data", "[1]"), ("job_data", '{"x": NaN}')],
)
def test_of_bad_input_no_call_is_shown(admin_client: Client, field: str, typed: str) -> None:
    response = admin_client.post(CREATE, {"jobs": "noop", "queue": "q", field: typed, "show": "1"})

    assert response.context["call"] is None
    assert list(response.context["form"].errors) == [field]
    assert "There is none yet: see the errors above." in response.content.decode()


def test_who_may_only_add_sees_the_call_too() -> None:
    calls = shown(client_of(ADD))

    assert python_arguments(calls["python"]) == {"jobs": ["noop"]}


class NoApi:
    """The URLs of a project that has the console alone."""

    urlpatterns = [path("admin/", admin.site.urls)]


def test_a_project_without_the_api_is_shown_python_only() -> None:
    with override_settings(ROOT_URLCONF=NoApi):
        client = Client()
        client.force_login(User.objects.create_superuser("ada"))
        calls = shown(client)

    assert list(calls) == ["python"]
