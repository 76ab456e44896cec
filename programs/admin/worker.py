"""Workers: who is there, what each of them runs, and the page that drains one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs import operations
from programs.admin.switches import Switch, SwitchPages
from programs.admin.text import legible, moment
from programs.conf import settings
from programs.inspection import span
from programs.models import Program, Worker
from programs.models.clock import Utc, now

LIVE_SHOWN, GONE_SHOWN = 200, 50
RUNNING_SHOWN = 200
CLAIMS_COUNTED = 10_000
JOBS_SHOWN = 500

DRAIN = Switch(
    "drain",
    _("Drain worker"),
    _(
        "The worker claims nothing more, and ends once its running jobs have ended. It hears of "
        "that with its next heartbeat, within seconds."
    ),
    _("Worker {} is asked to drain."),
    "drain_worker",
    str(dict(Worker._meta.permissions)["drain_worker"]),
    operations.drain_worker,
)


@dataclass(frozen=True)
class Running:
    """What one slot is at."""

    run_id: str
    url: str
    job: str
    since: str


@dataclass(frozen=True)
class ShownWorker:
    """One worker, its texts legible."""

    name: str
    url: str
    standing: str
    place: str
    version: str
    started: str
    seen: str  # how long ago
    slots: int
    used: int
    queues: str
    jobs: list[str]
    more_jobs: int
    running: list[Running]
    draining: str  # since when
    drain_url: str  # empty where that cannot be done any more


class WorkerAdmin(SwitchPages):
    """The workers: those that live, those that were lost, and those that have ended."""

    fields = [
        *("own_name", "is_live", "own_host", "pid", "served", "slots", "own_version"),
        *("started", "last_seen", "drain_requested", "stopped", "known_jobs"),
    ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.drain_view)
        page = path("<path:object_id>/drain/", view, name="programs_worker_drain")
        return [page, *super().get_urls()]

    def drain_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask one worker to end."""
        if not DRAIN.is_permitted(request):
            raise PermissionDenied
        worker = self.get_object(request, unquote(object_id))
        if worker is None:
            raise Http404(f"There is no worker {object_id}.")
        return self.switch(request, DRAIN, worker.name)

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Show the workers, and what runs in them."""
        live = list(Worker.objects.live()[: LIVE_SHOWN + 1])
        silent = Worker.objects.filter(
            stopped_at__isnull=True, last_seen_at__lt=Utc(after=-settings.lease)
        )
        ended = Worker.objects.filter(stopped_at__isnull=False).order_by("-stopped_at")
        lost = list(silent.order_by("-last_seen_at")[:GONE_SHOWN])
        claims = Program.objects.filter(worker__isnull=False)
        slots = claims.order_by().values_list("worker", flat=True)[:CLAIMS_COUNTED]
        used = Counter(_worker_of(slot) for slot in slots)
        running = self._running(claims)
        groups = []
        for key, standing, workers in (
            ("live", gettext("live"), live[:LIVE_SHOWN]),
            ("lost", gettext("lost: not heard of for over a lease, and not signed off"), lost),
            ("ended", gettext("ended"), list(ended[:GONE_SHOWN])),
        ):
            shown = [self._shown(worker, key, used, running) for worker in workers]
            groups.append((key, standing, shown))
        context = {
            "title": gettext("Workers"),
            "groups": groups,
            "live_shown": LIVE_SHOWN if len(live) > LIVE_SHOWN else 0,
            "gone_shown": GONE_SHOWN,
            "running_shown": RUNNING_SHOWN if sum(used.values()) > RUNNING_SHOWN else 0,
            "may_drain": DRAIN.is_permitted(request),
            "permission_name": DRAIN.permission_name,
        }
        return self.section(request, "list_now" if "live" in request.GET else "list", context)

    def _running(self, claims: QuerySet[Any]) -> dict[str, list[Running]]:
        """Return what runs in each worker: those that have run for longest."""
        rows = claims.order_by("step_started_at").only(
            "pk", "run_id", "worker", "jobs", "step", "step_started_at"
        )
        present, found = now(settings.DATABASE), dict[str, list[Running]]()
        for program in rows[:RUNNING_SHOWN]:
            began = program.step_started_at
            url = reverse(
                "admin:programs_program_change",
                args=[program.pk],
                current_app=self.admin_site.name,
            )
            found.setdefault(_worker_of(program.worker), []).append(
                Running(
                    run_id=legible(program.run_id),
                    url=url,
                    job=legible(program.job),
                    since=span((present - began).total_seconds()) if began else "",
                )
            )
        return found

    def _shown(
        self,
        worker: Worker,
        standing: str,
        used: Counter[str],
        running: dict[str, list[Running]],
    ) -> ShownWorker:
        present = now(settings.DATABASE)
        ago = span((present - worker.last_seen_at).total_seconds())
        place = gettext("{host}, process {pid}")
        jobs = _texts(worker.jobs)
        asked = worker.drain_requested_at
        return ShownWorker(
            name=legible(worker.name),
            url=self.url_of("change", worker.pk),
            standing=standing,
            place=place.format(host=legible(worker.host), pid=worker.pid),
            version=legible(worker.version),
            started=moment(worker.started_at),
            seen=gettext("{span} ago").format(span=ago),
            slots=worker.slots,
            used=used[worker.name],
            queues=", ".join(_texts(worker.queues)),
            jobs=jobs[:JOBS_SHOWN],
            more_jobs=max(0, len(jobs) - JOBS_SHOWN),
            running=running.get(worker.name, []),
            draining=moment(asked) if asked else "",
            drain_url="" if asked or standing != "live" else self.url_of("drain", worker.pk),
        )

    # The stock page of one worker ------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        live = Worker.objects.live().filter(pk=OuterRef("pk"))
        workers: QuerySet[Any] = super().get_queryset(request).annotate(live=Exists(live))
        return workers

    @admin.display(description=_("live"), boolean=True)
    def is_live(self, worker: Any) -> bool:
        return bool(worker.live)

    @admin.display(description=_("name"))
    def own_name(self, worker: Worker) -> str:
        return legible(worker.name)

    @admin.display(description=_("host"))
    def own_host(self, worker: Worker) -> str:
        return legible(worker.host)

    @admin.display(description=_("version"))
    def own_version(self, worker: Worker) -> str:
        return legible(worker.version)

    @admin.display(description=_("started"))
    def started(self, worker: Worker) -> str:
        return moment(worker.started_at)

    @admin.display(description=_("last seen"))
    def last_seen(self, worker: Worker) -> str:
        return moment(worker.last_seen_at)

    @admin.display(description=_("asked to drain"))
    def drain_requested(self, worker: Worker) -> str:
        return moment(worker.drain_requested_at)

    @admin.display(description=_("stopped"))
    def stopped(self, worker: Worker) -> str:
        return moment(worker.stopped_at)

    @admin.display(description=_("queues"))
    def served(self, worker: Worker) -> str:
        return ", ".join(_texts(worker.queues))

    @admin.display(description=_("jobs"))
    def known_jobs(self, worker: Worker) -> str:
        return ", ".join(_texts(worker.jobs))


def _worker_of(slot: str | None) -> str:
    """Return the worker that a slot is in: `worker/child.thread`."""
    return (slot or "").rpartition("/")[0]


def _texts(names: Iterable[object]) -> list[str]:
    return [legible(name) for name in names]
