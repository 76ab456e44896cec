"""The jobs that a program can be made of."""

from __future__ import annotations

from collections import Counter
from inspect import cleandoc
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from programs import registry
from programs.api.data_schema import data_schema
from programs.api.endpoint import VIEW, Endpoint
from programs.api.fields import SchemaField
from programs.api.schema import described
from programs.conf import settings
from programs.models import Worker

WORKERS_AT_MOST = 1_000


class JobSerializer(serializers.Serializer[Any]):
    """One job, and what its class says of it."""

    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True, help_text="Its docstring.")
    is_registered = serializers.BooleanField(
        help_text="Whether this server knows its class; if not, only workers do, and the rest is "
        "not known here."
    )
    workers = serializers.IntegerField(help_text="How many live workers know it.")
    max_retries = serializers.IntegerField(
        allow_null=True, help_text="Of retryable errors, for each step; null: no limit."
    )
    retry_delay = serializers.FloatField(
        allow_null=True, help_text="Seconds before the first retry."
    )
    retry_backoff = serializers.FloatField(
        allow_null=True, help_text="Each further delay is so many times longer."
    )
    data_schema = SchemaField(
        allow_null=True, help_text="What its own data must be, as JSON Schema; null: any object."
    )
    program_data_schema = SchemaField(
        allow_null=True, help_text="What it asks of the program data, likewise."
    )


@extend_schema_serializer(many=False)
class JobsSerializer(serializers.Serializer[Any]):
    """All jobs, by their names."""

    results = JobSerializer(many=True)


class JobEndpoint(Endpoint):
    """Jobs."""

    permissions = {"list": (VIEW,)}

    @described(responses=JobsSerializer)
    def list(self, request: Request) -> Response:
        """List the jobs that this server or a live worker knows, but for the engine's own."""
        self.query()
        here = registry.registered()
        live = Worker.objects.using(settings.DATABASE).live().values_list("jobs", flat=True)
        knowing = Counter(name for names in live[:WORKERS_AT_MOST] for name in set(names))
        internal = {name for name, job in here.items() if job.internal}
        names = sorted((here.keys() | knowing.keys()) - internal)
        found = [_facts(name, here.get(name), knowing[name]) for name in names]
        return self.shown(JobsSerializer, {"results": found})


def _facts(name: str, job: Any, workers: int) -> dict[str, Any]:
    return {
        "name": name,
        "description": cleandoc(getattr(job, "__doc__", None) or ""),
        "is_registered": job is not None,
        "workers": workers,
        "max_retries": getattr(job, "max_retries", None),
        "retry_delay": getattr(job, "retry_delay", None),
        "retry_backoff": getattr(job, "retry_backoff", None),
        "data_schema": data_schema(getattr(job, "data_class", None)),
        "program_data_schema": data_schema(getattr(job, "program_data_class", None)),
    }
