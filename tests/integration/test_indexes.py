"""The partial indexes: what claims ask for, they answer, however many programs have ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections

from programs.models import Program, State
from programs.submission import create_programs

QUESTIONS: dict[str, Callable[[], Any]] = {
    "due": lambda: Program.objects.ripe("default").unclaimed()[:8],
    "worker": lambda: Program.objects.held_by(["w/1.1", "w/1.2"]).order_by(),
    "finish": lambda: Program.objects.in_state(State.FINISHED).order_by("-finished_at")[:50],
    "error": lambda: Program.objects.in_state(State.ERRORED).order_by("-errored_at")[:50],
    "stop": lambda: Program.objects.in_state(State.STOPPED).order_by("-stopped_at")[:50],
    "pause": lambda: Program.objects.in_state(State.PAUSED).order_by("-paused_at")[:50],
    "asked": lambda: Program.objects.in_state(State.STOPPING).order_by("-stop_requested_at")[:50],
    "create": lambda: Program.objects.order_by("-created_at")[:50],
    "define": lambda: Program.objects.filter(definition="a").order_by("-created_at", "-pk")[:50],
}


@pytest.mark.parametrize("index", QUESTIONS)
def test_an_index_answers_its_question(bookkeeping: str, index: str) -> None:
    programs = create_programs([{"jobs": ["noop"]}] * 2000)
    ended = [program.pk for program in programs[20:]]
    Program.objects.filter(pk__in=ended).update(finished_at=datetime.now(UTC), due_at=None)
    with connections[bookkeeping].cursor() as cursor:
        cursor.execute("ANALYZE TABLE programs" if cursor.db.vendor == "mysql" else "ANALYZE")

    plan = QUESTIONS[index]().explain()

    assert re.search(rf"\bprograms_{index}_idx\b", plan), plan
