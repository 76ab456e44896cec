"""Workers: see who is there, and let one end in good order."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from programs import operations
from programs.api import parameters
from programs.api.endpoint import Endpoint
from programs.api.errors import encodable
from programs.api.fields import NamesField, RowSerializer
from programs.api.query import next_url
from programs.api.schema import described
from programs.api.serializers import ReasonSerializer
from programs.conf import settings
from programs.models import Worker

VIEW_WORKER = "programs.view_worker"
PAGE, MOST = 50, 200
NEWEST = 10**18 - 1


class WorkerSerializer(RowSerializer[Worker]):
    """One worker, as it was heard of last."""

    queues = NamesField(read_only=True)
    jobs = NamesField(read_only=True)
    is_live = serializers.SerializerMethodField(help_text="Heard of within one lease.")

    class Meta:
        model = Worker
        fields = (
            "name",
            "is_live",
            "host",
            "pid",
            "queues",
            "slots",
            "jobs",
            "version",
            "started_at",
            "last_seen_at",
            "stopped_at",
            "drain_requested_at",
        )

    def get_is_live(self, worker: Worker) -> bool:
        return worker.pk in self.context["live"]


@extend_schema_serializer(many=False)
class WorkerPageSerializer(serializers.Serializer[Any]):
    """Some workers, those that started last first. One is remembered for a day after its end."""

    results = WorkerSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page; null at the end.")


class WorkerEndpoint(Endpoint):
    """Workers."""

    lookup_field = "name"
    lookup_value_regex = r"[^/\x00]+"
    permissions = {
        "list": (VIEW_WORKER,),
        "retrieve": (VIEW_WORKER,),
        "drain": (VIEW_WORKER, "programs.drain_worker"),
    }

    @described(
        parameters=[parameters.CURSOR, parameters.page_size(PAGE, MOST)],
        responses=WorkerPageSerializer,
    )
    def list(self, request: Request) -> Response:
        """List the workers, those that started last first."""
        query = self.query("cursor", "page_size")
        size = query.whole("page_size", least=1, most=MOST, usual=PAGE)
        older = query.whole("cursor", least=1, most=NEWEST, usual=NEWEST)
        rows = Worker.objects.using(settings.DATABASE).filter(pk__lt=older).order_by("-pk")
        found = list(rows[: size + 1])
        cursor = str(found[size - 1].pk) if len(found) > size else ""
        page = {"results": found[:size], "next": next_url(request, cursor)}
        return Response(WorkerPageSerializer(page, context=_context(found)).data)

    @described(responses=WorkerSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """Show one worker."""
        return self._shown(name)

    @described(request=ReasonSerializer, responses=WorkerSerializer)
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, name: str) -> Response:
        """Let a worker end: it claims nothing more, and its running jobs end first."""
        fields = self.body(ReasonSerializer)
        self._found(name)
        operations.drain_worker(name, by=self.by, **fields)
        return self._shown(name)

    def _shown(self, name: str) -> Response:
        worker = self._found(name)
        return Response(WorkerSerializer(worker, context=_context([worker])).data)

    def _found(self, name: str) -> Worker:
        worker = Worker.objects.using(settings.DATABASE).filter(name=name).first()
        if worker is None:
            raise NotFound(encodable(f"There is no worker named {name!r:.300}."))
        return worker


def _context(workers: list[Worker]) -> dict[str, Any]:
    """Return which of them live, by the database's clock."""
    rows = Worker.objects.using(settings.DATABASE).live()
    keys = rows.filter(pk__in=[worker.pk for worker in workers]).values_list("pk", flat=True)
    return {"live": set(keys)}
