"""Log lines for machines: each is JSON, and says which step, worker and trace it belongs to."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from programs import logs
from tests.spans import Recorded


@pytest.fixture(autouse=True)
def _worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_worker", "w1-host-7-abc")


def line(message: str = "hello", *values: object, **given: Any) -> dict[str, Any]:
    """Return a line as a machine reads it."""
    logger = logging.getLogger("shop")
    extra, exc_info = given.pop("extra", None), given.pop("exc_info", None)
    record = logger.makeRecord(
        "shop", logging.INFO, "f.py", 1, message, values, exc_info, extra=extra, **given
    )
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text
    read: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return read


def test_a_line_of_a_job_says_where_it_belongs() -> None:
    with logs.step_log(run_id="r1", step=2, job="noop", attempt=1):
        read = line("%d orders", 7, extra={"action": "counted"})

    assert read.pop("time").endswith("+00:00")
    assert read == {
        "level": "INFO",
        "logger": "shop",
        "message": "7 orders",
        "action": "counted",
        "worker": "w1-host-7-abc",
        "run_id": "r1",
        "step": 2,
        "job": "noop",
        "attempt": 1,
    }


def test_a_line_of_a_slot_names_the_slot() -> None:
    assert line(extra={"worker": "w1-host-7-abc/1.3"})["worker"] == "w1-host-7-abc/1.3"


def test_a_line_in_a_trace_has_its_ids() -> None:
    with Recorded().tracer.start_as_current_span("x") as span:
        read = line()

    context = span.get_span_context()
    assert int(read["trace_id"], 16) == context.trace_id
    assert int(read["span_id"], 16) == context.span_id
    assert "trace_id" not in line()


def test_what_extra_gives_is_told_if_it_is_a_plain_value() -> None:
    told = {"order": 7, "paid": True, "price": 1.5, "coupon": None, "level": "mine"}
    objects = {"request": object(), "rows": [1], "ratio": float("nan"), "limit": float("inf")}

    read = line(extra={**told, **objects})

    assert {name: read[name] for name in told} == {**told, "level": "INFO"}
    assert not objects.keys() & read.keys()


def test_an_exception_and_any_text_stay_on_one_line() -> None:
    try:
        raise ValueError("two\nlines \ud800\0")
    except ValueError as error:
        read = line("a\nb \ud800\0", exc_info=(ValueError, error, error.__traceback__))

    assert read["message"] == "a\nb \ud800\0"
    assert read["exception"].startswith("Traceback")
    assert read["exception"].endswith("ValueError: two\nlines \ud800\0")
