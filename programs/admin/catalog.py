"""The jobs that a program can be made of."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import cleandoc

from programs import registry
from programs.admin.text import legible
from programs.models import Worker


@dataclass(frozen=True)
class KnownJob:
    """One job, and what its class says of it."""

    name: str
    text: str


def known_jobs() -> list[KnownJob]:
    """Return the jobs registered here, then those that only live workers know."""
    here = registry.registered()
    elsewhere = Worker.objects.live().known_jobs() - here.keys()
    return [
        *(
            KnownJob(legible(name), legible(cleandoc(job.__doc__ or "")))
            for name, job in here.items()
        ),
        *(KnownJob(legible(name), "Known to live workers only.") for name in sorted(elsewhere)),
    ]
