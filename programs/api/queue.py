"""Queues: what waits in each, and whether it is paused."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from programs import operations
from programs.api.endpoint import Endpoint
from programs.api.schema import described
from programs.api.serializers import ReasonSerializer
from programs.inspection.queues import QueueFacts, queues
from programs.models import Queue

VIEW_QUEUE = "programs.view_queue"
MANAGE = "programs.manage_queues"


class CountSerializer(serializers.Serializer[Any]):
    """How many there are."""

    number = serializers.IntegerField()
    is_exact = serializers.BooleanField(help_text="If not, there are more than that.")


class QueueFactsSerializer(serializers.Serializer[QueueFacts]):
    """How one queue stands."""

    name = serializers.CharField()
    due = CountSerializer(help_text="That anyone may claim now.")
    oldest_due_at = serializers.DateTimeField(allow_null=True)
    scheduled = CountSerializer(help_text="Whose time has not come.")
    running = serializers.IntegerField()
    workers = serializers.IntegerField(help_text="Live ones that serve it.")
    paused_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(many=False)
class QueuesSerializer(serializers.Serializer[Any]):
    """The queues that workers serve, that are paused, or that have open programs."""

    results = QueueFactsSerializer(many=True)
    are_all = serializers.BooleanField(help_text="If not, there are more than these 100.")


class QueueSerializer(serializers.ModelSerializer[Queue]):
    """What operators have said about a queue."""

    is_paused = serializers.SerializerMethodField()

    class Meta:
        model = Queue
        fields = ("name", "is_paused", "paused_at")

    def get_is_paused(self, queue: Queue) -> bool:
        return queue.paused_at is not None


class QueueEndpoint(Endpoint):
    """Queues."""

    lookup_field = "name"
    lookup_value_regex = r"[^\x00]+"  # a name may hold a slash
    permissions = {
        "list": (VIEW_QUEUE,),
        "pause": (VIEW_QUEUE, MANAGE),
        "resume": (VIEW_QUEUE, MANAGE),
    }

    @described(responses=QueuesSerializer)
    def list(self, request: Request) -> Response:
        """List the queues: what waits in each, for how long, and who serves it."""
        self.query()
        found = queues()
        return self.shown(QueuesSerializer, {"results": found.shown, "are_all": found.are_all})

    @described(request=ReasonSerializer, responses=QueueSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, name: str) -> Response:
        """Let no worker start or carry on a program of this queue; jobs that run end first."""
        fields = self.body(ReasonSerializer)
        return self.shown(QueueSerializer, operations.pause_queue(name, by=self.by, **fields))

    @described(request=ReasonSerializer, responses=QueueSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, name: str) -> Response:
        """Let workers take up the programs of this queue again."""
        fields = self.body(ReasonSerializer)
        return self.shown(QueueSerializer, operations.resume_queue(name, by=self.by, **fields))
