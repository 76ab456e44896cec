"""Alarms out of a worker: by mail and by Sentry, as docs/alerting.md sets them up."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from programs.models import State
from programs.submission import create_program
from tests.receiver import Receiver, receiving
from tests.site import Site, wait_for
from tests.waiting import eventually

on_postgresql = pytest.mark.parametrize("site", ["postgresql"], indirect=True)

pytestmark = on_postgresql


@pytest.fixture
def sentry() -> Iterator[Receiver]:
    """A server that takes what Sentry's library sends."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def alarmed(site: Site, sentry: Receiver) -> Site:
    """The site, with all that the document says in its workers."""
    site.environment.update(
        DJANGO_SETTINGS_MODULE="tests.alerting_settings",
        TEST_MAILS=str(site.folder / "mails"),
        SENTRY_DSN=f"http://key@127.0.0.1:{sentry.port}/1",
    )
    return site


def mails(site: Site) -> list[Message]:
    separator = "-" * 79
    texts = (path.read_text() for path in Path(site.environment["TEST_MAILS"]).glob("*.log"))
    return [
        message_from_string(mail.strip())
        for text in texts
        for mail in text.split(separator)
        if mail.strip()
    ]


def text_of(mail: Message) -> str:
    """Return the text of a mail, whose lines may have been broken on the way."""
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode()


def events(sentry: Receiver) -> list[dict[str, Any]]:
    """Return the events in the envelopes that came in."""
    found = []
    for call in list(sentry.calls):
        body = gzip.decompress(call.body) if call.headers["Content-Encoding"] else call.body
        _, *parts = body.splitlines()
        items = list(zip(parts[::2], parts[1::2], strict=False))
        found += [json.loads(item) for head, item in items if json.loads(head)["type"] == "event"]
    return found


def test_an_unexpected_error_raises_an_alarm_once_and_others_do_not(
    site: Site, sentry: Receiver
) -> None:
    data = {"how": "fail", "text": "out of paper", "customer": "planted-1"}
    create_program(["behave_too"], {"how": "ignore"})
    create_program(["behave_too"], {"how": ["retry", "succeed"]})
    failed = create_program(["noop", "behave"], data, {"behave": {"card": "planted-2"}})
    worker = site.worker("--burst")
    assert worker.process.wait(timeout=60) == 0
    wait_for(failed, State.ERRORED)

    (mail,) = mails(site)
    assert mail["Subject"] == "[Django] Job behave failed"
    assert mail["To"] == "ada@example.org"
    assert failed.run_id in text_of(mail)
    assert "RuntimeError: out of paper" in text_of(mail)

    (event,) = events(sentry)
    assert event["tags"] == {"job": "behave", "run_id": failed.run_id}
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("RuntimeError", "out of paper")
    frames = exception["stacktrace"]["frames"]
    assert frames[-1]["function"] == "fail"
    assert "planted" not in json.dumps(event)


def test_a_job_that_kills_its_workers_raises_an_alarm_out_of_the_supervisor(
    site: Site, sentry: Receiver
) -> None:
    program = create_program(["behave"], {"how": "kill_process"})
    worker = site.worker()
    wait_for(program, State.ERRORED, within=60)

    (mail,) = eventually(lambda: mails(site))
    assert "WorkerLost: worker lost 3 times at step 0" in text_of(mail)
    assert worker.terminate() == 0
    messages = [event.get("logentry", {}).get("message", "") for event in events(sentry)]
    assert sum("died with exit code" in message for message in messages) == 3
    assert "WorkerLost" in {
        value["type"]
        for event in events(sentry)
        for value in event.get("exception", {}).get("values", [])
    }


def test_alarms_that_nobody_takes_keep_no_program_from_its_end(
    site: Site, sentry: Receiver
) -> None:
    Path(site.environment["TEST_MAILS"]).write_text("a file, where mails need a folder")
    site.environment["SENTRY_DSN"] = "http://key@127.0.0.1:1/1"
    failed = create_program(["behave"], {"how": "fail"})
    after = create_program(["noop"])
    worker = site.worker("--burst")
    assert worker.process.wait(timeout=60) == 0

    wait_for(failed, State.ERRORED)
    wait_for(after, State.FINISHED)
    assert "mail_the_admins" in worker.output
