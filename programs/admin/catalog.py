"""The jobs that a program can be made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import cleandoc

from programs import registry
from programs.admin.text import legible
from programs.models import Worker


@dataclass(frozen=True)
class KnownJob:
    """One job, and what its class says of it."""

    name: str
    paragraphs: list[str]

    @classmethod
    def of(cls, name: str, text: str | None) -> KnownJob:
        paragraphs = re.split(r"\n\s*\n", legible(cleandoc(text or "")))
        return cls(legible(name), [paragraph for paragraph in paragraphs if paragraph])


def known_jobs() -> list[KnownJob]:
    """Return the jobs registered here, then those that only live workers know."""
    here = registry.registered()
    elsewhere = Worker.objects.live().known_jobs() - here.keys()
    return [
        *(KnownJob.of(name, job.__doc__) for name, job in here.items()),
        *(KnownJob.of(name, "Known to live workers only.") for name in sorted(elsewhere)),
    ]
