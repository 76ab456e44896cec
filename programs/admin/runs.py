"""Programs of one definition, as its page lists them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from programs.admin import facts
from programs.admin.overview import seconds
from programs.admin.text import duration, legible, moment
from programs.inspection.runs import Record, length_of
from programs.models import Program


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
        (record.finished, "finished"),
        (record.errored, "errored"),
        (record.stopped, "stopped"),
    )
    return [
        ("success rate", f"{100 * record.success_rate:.0f} %"),
        (
            f"of the last {record.ended} that ended",
            ", ".join(f"{count} {what}" for count, what in counts if count),
        ),
        ("run time, median", seconds(record.median)),
        ("95 of 100 finish within", seconds(record.percentile_95)),
    ]
