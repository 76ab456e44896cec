"""The rows of the list of programs, and what of them changes while somebody looks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from programs import registry
from programs.admin import facts
from programs.admin.text import NOTHING, legible, moment
from programs.models import Program, State

SHOWN = re.compile(r"([0-9]{1,18})\.([0-9a-f]{8})")  # a row's key, and its version


@dataclass(frozen=True)
class Row:
    """One program, its texts legible."""

    pk: int
    key: str  # its run id, to the letter
    run_id: str
    state: SafeString
    progress: str
    remark: str
    failed: bool
    when: str
    queue: str
    definition: str  # that it was started from; empty: none
    created: str
    creator: str

    @classmethod
    def of(cls, program: Program, moment_column: str) -> Row:
        if moment_column != "created_at":
            when = getattr(program, moment_column)
        else:
            when = None if program.worker else program.due_at  # claimed: the lease's end
        return cls(
            pk=program.pk,
            key=program.run_id,
            run_id=legible(program.run_id),
            state=facts.state(program),
            progress=facts.progress(program),
            remark=remark(program),
            failed=bool(facts.error(program)),
            when=moment(when),
            queue=legible(program.queue) or NOTHING,
            definition=legible(program.definition),
            created=moment(program.created_at),
            creator=legible(program.created_by) or NOTHING,
        )

    @property
    def version(self) -> str:
        """Return what is another once a part of the row is that may change."""
        parts = (self.state, self.progress, self.remark, self.failed, self.when)
        return f"{self.pk}.{crc32(repr(parts).encode()):08x}"


def remark(program: Program) -> str:
    """Return, in a few words, what an operator wants to know of a program beside its step."""
    error, state = facts.error(program), program.state
    if program.worker is not None:
        said = _("held by {worker}").format(worker=legible(program.worker))
    elif state is State.SCHEDULED and program.step_retry_count:
        job = registry.find(program.job)
        told = _("retry {number} of {limit}") if job and job.max_retries else _("retry {number}")
        said = told.format(number=program.step_retry_count, limit=job.max_retries if job else "")
    elif state is State.WAITING and program.queue is None:
        said = _("inserted by another program")
    elif state is State.WAITING and program.is_nodes:
        said = _("executed by Node")
    elif state is State.WAITING and program.losses:
        said = _("its worker was lost")
    else:
        said = ""
    return ": ".join(part for part in (said, error) if part)


def shown_versions(given: Iterable[str], at_most: int) -> dict[int, str]:
    """Return the versions of the rows that a page says it shows, by key; nonsense is passed over.

    >>> shown_versions(["7.0a1b2c3d", "x", "8.nothing", "9.00000000"], at_most=50)
    {7: '7.0a1b2c3d', 9: '9.00000000'}
    """
    matches = (SHOWN.fullmatch(text) for text in list(given)[:at_most])
    return {int(match[1]): match[0] for match in matches if match}


def changed(versions: dict[int, str], moment_column: str) -> list[Row]:
    """Return the rows of these programs that look another way by now."""
    if not versions:
        return []
    programs = Program.objects.filter(pk__in=versions).defer("program_data", "job_data")
    rows = [Row.of(program, moment_column) for program in programs]
    return [row for row in rows if row.version != versions[row.pk]]
