"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from programs import registry
from programs.job import Job
from programs.webhooks import listeners


@pytest.fixture
def webhooks_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no count of statements depend on the moment: every 5 s an end reads the webhooks."""
    monkeypatch.setattr(listeners, "INTERVAL", float("inf"))


@pytest.fixture
def job() -> Iterator[Callable[..., str]]:
    """Register job classes for one test: `job(name, execute, **attributes)` returns the name."""
    names: list[str] = []

    def make(name: str, execute: Any, **attributes: object) -> str:
        body = {"name": name, "execute": execute, "__module__": __name__, **attributes}
        registry.register(type(name.title(), (Job,), body))
        names.append(name)
        return name

    yield make
    for name in names:
        registry._jobs.pop(name, None)
