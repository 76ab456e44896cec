"""Programs of one definition, as its page lists them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from programs.admin import facts
from programs.admin.overview import seconds
from programs.admin.text import duration, legible, moment
from programs.admin.words import said
from programs.inspection.runs import Record, length_of
from programs.models import Program, State


@dataclass(frozen=True)
class ShownRun:
    """One program, its texts legible."""

    pk: int
    run_id: str
    url: str
    state: SafeString
    created: str
    took: str
    by: str

    @classmethod
    def of(cls, program: Program, url: str) -> ShownRun:
        length = length_of(program)
        return cls(
            pk=program.pk,
            run_id=legible(program.run_id),
            url=url,
            state=facts.state(program),
            created=moment(program.created_at),
            took=duration(length) if length is not None else "",
            by=legible(program.created_by),
        )


def shown_record(record: Record) -> facts.Facts:
    """Return how the last programs went; nothing where none has ended."""
    if record.success_rate is None:
        return []
    counts = (
        (record.finished, State.FINISHED),
        (record.errored, State.ERRORED),
        (record.stopped, State.STOPPED),
    )
    return [
        (_("success rate"), f"{100 * record.success_rate:.0f} %"),
        (
            _("of the last {number} that ended").format(number=record.ended),
            ", ".join(f"{count} {said(state.label)}" for count, state in counts if count),
        ),
        (_("run time, median"), seconds(record.median)),
        (_("95 of 100 finish within"), seconds(record.percentile_95)),
    ]
