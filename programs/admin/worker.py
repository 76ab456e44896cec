"""Workers: who is there, and what each of them serves."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from programs.admin.readonly import ReadOnlyAdmin
from programs.admin.text import legible, moment
from programs.models import Worker

COLUMNS = (
    "name",
    "is_live",
    "host",
    "pid",
    "served",
    "slots",
    "version",
    "started",
    "last_seen",
    "stopped",
)


class WorkerAdmin(ReadOnlyAdmin):
    """The list of workers, newest first."""

    list_display = COLUMNS
    search_fields = ["name", "host"]
    search_help_text = "By name or host"
    fields = [*COLUMNS, "known_jobs"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        live = Worker.objects.live().filter(pk=OuterRef("pk"))
        workers: QuerySet[Any] = super().get_queryset(request).annotate(live=Exists(live))
        return workers

    @admin.display(description="live", boolean=True)
    def is_live(self, worker: Any) -> bool:
        return bool(worker.live)

    @admin.display(ordering="started_at")
    def started(self, worker: Worker) -> str:
        return moment(worker.started_at)

    @admin.display(ordering="last_seen_at")
    def last_seen(self, worker: Worker) -> str:
        return moment(worker.last_seen_at)

    @admin.display(ordering="stopped_at")
    def stopped(self, worker: Worker) -> str:
        return moment(worker.stopped_at)

    @admin.display(description="queues")
    def served(self, worker: Worker) -> str:
        return legible(", ".join(worker.queues))

    @admin.display(description="jobs")
    def known_jobs(self, worker: Worker) -> str:
        return legible(", ".join(worker.jobs))
