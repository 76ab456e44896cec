"""Workers: who is there, and what each of them serves."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from programs.admin.readonly import ReadOnlyAdmin
from programs.admin.text import legible
from programs.models import Worker


class WorkerAdmin(ReadOnlyAdmin):
    """The list of workers, newest first."""

    list_display = [
        "name",
        "is_live",
        "host",
        "pid",
        "served",
        "slots",
        "version",
        "started_at",
        "last_seen_at",
        "stopped_at",
    ]
    search_fields = ["name", "host"]
    fields = [
        ("name", "version"),
        ("host", "pid"),
        ("started_at", "last_seen_at", "stopped_at", "is_live"),
        ("served", "slots"),
        "known_jobs",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        live = Worker.objects.live().filter(pk=OuterRef("pk"))
        workers: QuerySet[Any] = super().get_queryset(request).annotate(live=Exists(live))
        return workers

    @admin.display(description="live", boolean=True)
    def is_live(self, worker: Any) -> bool:
        return bool(worker.live)

    @admin.display(description="queues")
    def served(self, worker: Worker) -> str:
        return legible(", ".join(worker.queues))

    @admin.display(description="jobs")
    def known_jobs(self, worker: Worker) -> str:
        return legible(", ".join(worker.jobs))
