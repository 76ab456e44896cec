"""The jobs that a program can be made of, and the definitions that name some."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from inspect import cleandoc

from django.utils.translation import gettext as _

from programs import registry
from programs.admin.text import legible
from programs.definition.code import registered_definitions
from programs.models import Definition, Worker

OFFERED_AT_MOST = 500  # names of definitions that a field proposes


@dataclass(frozen=True)
class KnownJob:
    """One job, and what its class says of it."""

    name: str
    paragraphs: list[str]
    can_be_chosen: bool  # no program is made of a name that cannot be printed

    @classmethod
    def of(cls, name: str, text: str | None) -> KnownJob:
        paragraphs = re.split(r"\n\s*\n", legible(cleandoc(text or "")))
        return cls(
            legible(name),
            [paragraph for paragraph in paragraphs if paragraph],
            name.isprintable() and name == name.strip(),
        )


def known_jobs(cloned: Iterable[str] = ()) -> list[KnownJob]:
    """Return the jobs registered here, those that only live workers know, and those `cloned`.

    The engine's own are left out: nobody creates them by hand.
    """
    here = registry.registered()
    elsewhere = Worker.objects.live().known_jobs() - here.keys()
    nowhere = set(cloned) - here.keys() - elsewhere
    return [
        *(KnownJob.of(name, job.__doc__) for name, job in here.items() if not job.internal),
        *(KnownJob.of(name, _("Known to live workers only.")) for name in sorted(elsewhere)),
        *(KnownJob.of(name, _("Known to nobody now.")) for name in sorted(nowhere)),
    ]


def defined_names() -> list[str]:
    """Return names of definitions, to be proposed by fields: those in code, and as many others."""
    stored = Definition.objects.values_list("name", flat=True)[:OFFERED_AT_MOST]
    return sorted({*registered_definitions(), *stored})
