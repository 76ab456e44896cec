"""The JSON that documents show is what is really said."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from programs.logs import JsonFormatter
from programs.webhooks.ends import End
from tests.blocks import ROOT, blocks
from tests.clients import ADD, client_of, post
from tests.running import run


def example(document: str) -> Any:
    """Return the one example of JSON in a document."""
    (block,) = (each for each in blocks(ROOT / "docs" / document) if each.language == "json")
    return json.loads(block.code)


@pytest.mark.django_db
def test_the_problem_of_the_api_is_its_answer() -> None:
    answer = post(client_of(ADD), "/api/programs/", {"jobs": []})

    assert answer.json() == example("api.md")


@pytest.mark.django_db(transaction=True)
def test_the_call_of_a_webhook_has_what_its_example_has() -> None:
    end = End.of(run("fail"), "errored")

    assert end is not None
    assert [*end.told(), "delivery"] == [*example("webhooks.md")]


def test_the_line_of_a_log_has_what_its_example_has(caplog: pytest.LogCaptureFixture) -> None:
    shown = example("worker.md")
    told = {key: shown[key] for key in ("action", "run_id", "worker")}
    with caplog.at_level(logging.INFO):
        logging.getLogger(shown["logger"]).info(shown["message"], extra=told)

    line = json.loads(JsonFormatter().format(caplog.records[-1]))

    assert {**line, "time": shown["time"]} == shown
