"""The columns of a program, as its page and the list show them."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from programs import inspection
from programs.admin.text import legible, moment
from programs.admin.words import column, said
from programs.models import Program, State

SUMMARY = ("queue", "created_by", "idempotency_key", "worker")
TIMES = (
    "created_at",
    "run_at",
    "due_at",
    "started_at",
    "step_started_at",
    "paused_at",
    "stop_requested_at",
    "stopped_at",
    "finished_at",
    "errored_at",
    "updated_at",
)
COUNTERS = ("step", "step_retry_count", "losses", "epoch", "content_hash")

Facts = list[tuple[str, str]]


def state(program: Program) -> SafeString:
    """Return the state of a program as a badge."""
    return format_html(
        '<span class="programs-state programs-{}">{}</span>',
        program.state.value,
        said(program.state.label),
    )


def progress(program: Program) -> str:
    """Return where a program stands: "step 2 of 5: import_orders"."""
    jobs = program.jobs if isinstance(program.jobs, list) else []  # rows may be others' work
    name = jobs[program.step] if 0 <= program.step < len(jobs) else _("no such job")
    told = _("step {number} of {count}: {job}")
    return told.format(number=program.step + 1, count=len(jobs), job=legible(name))


def error(program: Program) -> str:
    """Return what is wrong with a program; a failure that a retry has mended is history."""
    return "" if program.state is State.FINISHED else legible(program.error_message)


def reason(program: Program) -> SafeString | str:
    """Return what an open program is at or waits for; empty for one that has ended."""
    found = inspection.why(program, translated=True)
    if found is None:
        return ""
    stuck = " programs-stuck" if found.needs_somebody else ""
    return format_html(
        '<p class="programs-reason{}"><bdi>{}.</bdi></p>', stuck, capfirst(legible(found.text))
    )


def summary(program: Program) -> Facts:
    """Return what tells this program from the others."""
    return [(column(name), legible(getattr(program, name))) for name in SUMMARY]


def times(program: Program) -> Facts:
    """Return when what happened to it, or shall happen."""
    return [(column(name), moment(getattr(program, name))) for name in TIMES]


def counters(program: Program) -> Facts:
    """Return what the engine counts."""
    counted = [(column(name), legible(getattr(program, name))) for name in COUNTERS]
    return [*counted, (_("trace"), legible(program.trace_id))] if program.trace_id else counted
