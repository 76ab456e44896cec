"""The overview: how many programs stand where, what ended lately, and how the jobs do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from programs.admin.charts import Chart, bar_chart
from programs.admin.pages import ProgramPages
from programs.admin.sections import sections
from programs.admin.text import decimal, legible, moment, number
from programs.admin.words import said
from programs.conf import settings
from programs.inspection import Count, counts, span
from programs.inspection.queues import waiting_since
from programs.inspection.recent import Recent
from programs.inspection.statistics import (
    Endings,
    JobTimes,
    Period,
    Recently,
    endings,
    recent_attempts,
)
from programs.models.clock import now

JOBS_SHOWN = 15
QUEUES_SHOWN = 15
QUEUES_ASKED = 50  # of which those that have waited for longest are shown
FRESH = 5.0  # seconds for which a process keeps what costs much to find out

recent_endings = Recent[Endings](FRESH)
recent_jobs = Recent[Recently](FRESH)


@dataclass(frozen=True)
class ShownJob:
    """One job's row, its texts legible."""

    name: str
    url: str
    attempts: str
    failures: str
    share: str
    median: str
    percentile_95: str
    longest: str
    bar: str  # the 95th percentile, of 100: the slowest job's


class OverviewPage(ProgramPages):
    """The page that says how things stand."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.overview_view)
        return [path("overview/", view, name="programs_program_overview"), *super().get_urls()]

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """Show it all, or, to the page itself, what moves."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        alias = settings.DATABASE
        ended = recent_endings.get(alias, endings)
        lately = recent_jobs.get(alias, recent_attempts)
        context = {
            "title": _("Overview"),
            "sections": sections(request, self.admin_site.name),
            "at": moment(timezone.now()),
            "states": self._states(),
            "hour": _charts("minute", ended.minutes, "H:i"),
            "day": _charts("quarter", ended.quarters, "D H:i"),
            "counted_from": ended.counted_from and moment(ended.counted_from),
            "attempts": number(lately.attempts),
            "attempts_since": moment(lately.since),
            **self._jobs(lately),
            **self._waiting(),
        }
        page = "overview_now" if "live" in request.GET else "overview"
        return self.render(request, page, context)

    def _list(self, **filters: str) -> str:
        return f"{self.url_of('changelist')}?{urlencode(filters)}"

    def _states(self) -> list[tuple[str, str, str, str]]:
        return [
            (state.value, said(state.label), shown_count(count), self._list(state=state.value))
            for state, count in counts().items()
        ]

    def _jobs(self, lately: Recently) -> dict[str, Any]:
        timed = [job for job in lately.jobs if job.times]
        slowest = sorted(timed, key=lambda job: (-(job.percentile_95 or 0.0), job.job))
        failing = sorted(
            (job for job in lately.jobs if job.failures), key=lambda job: (-job.failures, job.job)
        )
        longest = slowest[0].percentile_95 if slowest else None
        return {
            "slowest": [self._job(job, longest) for job in slowest[:JOBS_SHOWN]],
            "failing": [self._job(job, longest) for job in failing[:JOBS_SHOWN]],
            "slower_ones": max(0, len(slowest) - JOBS_SHOWN),
            "failing_ones": max(0, len(failing) - JOBS_SHOWN),
        }

    def _job(self, job: JobTimes, longest: float | None) -> ShownJob:
        return ShownJob(
            name=legible(job.job),
            url=self._list(job=job.job),
            attempts=number(job.attempts),
            failures=number(job.failures),
            share=f"{decimal(f'{100 * job.failures / job.attempts:.1f}')} %",
            median=seconds(job.median),
            percentile_95=seconds(job.percentile_95),
            longest=seconds(job.longest),
            bar=f"{100 * (job.percentile_95 or 0.0) / longest:.1f}" if longest else "0",
        )

    def _waiting(self) -> dict[str, Any]:
        present = now(settings.DATABASE)
        asked = list(islice(waiting_since(limit=QUEUES_ASKED + 1), QUEUES_ASKED + 1))
        late = [(name, due_at) for name, due_at in asked[:QUEUES_ASKED] if due_at <= present]
        late.sort(key=lambda each: each[1])
        return {
            "waiting": [
                (
                    legible(name),
                    span((present - due_at).total_seconds()),
                    self._list(queue=name, state="waiting"),
                )
                for name, due_at in late[:QUEUES_SHOWN]
            ],
            "waiting_ones": max(0, len(late) - QUEUES_SHOWN),
            "queues_asked": QUEUES_ASKED if len(asked) > QUEUES_ASKED else 0,
        }


def shown_count(count: Count) -> str:
    """Return a count as people read it.

    >>> shown_count(Count(1234, True)), shown_count(Count(10000, False))
    ('1,234', 'more than 10,000')
    """
    shown = number(count.number)
    return shown if count.is_exact else _("more than {number}").format(number=shown)


def seconds(value: float | None) -> str:
    """Return a length of time with three digits that count, where it is short.

    >>> seconds(None), seconds(0.0042), seconds(1.23456), seconds(75.0)
    ('-', '4.2 ms', '1.23 s', '1 min 15 s')
    """
    if value is None:
        return "-"
    if value < 1:
        return f"{decimal(f'{1000 * value:.3g}')} ms" if value < 0.9995 else f"{decimal('1.00')} s"
    return f"{decimal(f'{value:.3g}')} s" if value < 60 else span(value)


def _charts(unit: str, periods: Sequence[Period], form: str) -> dict[str, Any]:
    """Return two charts of the same periods, and the table that says the same."""
    labels = [_label(period.start, form) for period in periods]
    if unit == "minute":
        titles = {"finished": _("Finished per minute"), "errored": _("Errored per minute")}
        summary = _("{total} in all, at most {highest} in one minute")
    else:
        titles = {
            "finished": _("Finished per quarter of an hour"),
            "errored": _("Errored per quarter of an hour"),
        }
        summary = _("{total} in all, at most {highest} in one quarter")
    charts: list[Chart] = []
    for kind, title in titles.items():
        points = list(zip(labels, map(attrgetter(kind), periods), strict=True))
        told = summary if any(map(attrgetter(kind), periods)) else _("none")
        charts.append(bar_chart(f"{kind}-{unit}", kind, title, told, points))
    rows = [
        (label, number(period.finished), number(period.errored))
        for label, period in zip(labels, periods, strict=True)
    ]
    return {"key": unit, "charts": charts, "rows": rows[::-1]}


def _label(start: datetime, form: str) -> str:
    return date_format(timezone.localtime(start) if timezone.is_aware(start) else start, form)
