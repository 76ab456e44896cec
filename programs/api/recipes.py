"""What comes out as JSON of definitions and schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from programs.api.fields import NamesField, RowSerializer, StoredField
from programs.api.permissions import VIEW
from programs.conf import settings
from programs.definition import AnyDefinition
from programs.inspection import visible, visible_job_data
from programs.inspection.runs import Record, record_of
from programs.inspection.visibility import SCHEDULE_FIELDS
from programs.models import Schedule, Tick
from programs.scheduling.telling import coming_ticks, explained


class DefinitionSerializer(serializers.Serializer[AnyDefinition]):
    """A definition in a list: without its data."""

    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    jobs = NamesField()
    queue = serializers.CharField()
    is_in_code = serializers.BooleanField(help_text="If not, an operator made it.")
    is_shadowed = serializers.BooleanField(
        help_text="Whether one in code has the same name: that one is found and started."
    )
    missing_jobs = serializers.SerializerMethodField(
        help_text="Those of its jobs that neither this server nor a live worker knows: with one it "
        "does not start."
    )

    @extend_schema_field(NamesField)
    def get_missing_jobs(self, definition: AnyDefinition) -> list[str]:
        return sorted(self.context["unknown"] & set(definition.jobs))


@extend_schema_serializer(many=False)
class DefinitionPageSerializer(serializers.Serializer[Any]):
    """Some definitions, and the way to the next ones."""

    results = DefinitionSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page; null at the end.")


class RecordSerializer(serializers.Serializer[Record]):
    """What became of the last 100 programs that ended; times in seconds, of those that finished."""

    finished = serializers.IntegerField()
    errored = serializers.IntegerField()
    stopped = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="From 0 to 1.")
    median = serializers.FloatField(allow_null=True)
    percentile_95 = serializers.FloatField(allow_null=True)


class DefinitionDetailSerializer(DefinitionSerializer):
    """A definition with its data, and how its programs went."""

    program_data = serializers.SerializerMethodField()
    job_data = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="row.created_at", allow_null=True, default=None)
    updated_at = serializers.DateTimeField(source="row.updated_at", allow_null=True, default=None)
    created_by = serializers.CharField(source="row.created_by", allow_null=True, default=None)
    record = serializers.SerializerMethodField(
        help_text="Null for who may not see programs (`programs.view_program`)."
    )

    @extend_schema_field(StoredField)
    def get_program_data(self, definition: AnyDefinition) -> Any:
        return visible(definition.program_data, self.context["request"].user)

    @extend_schema_field(StoredField)
    def get_job_data(self, definition: AnyDefinition) -> Any:
        return visible_job_data(definition.job_data, self.context["request"].user)

    @extend_schema_field(RecordSerializer(allow_null=True))
    def get_record(self, definition: AnyDefinition) -> Any:
        if not self.context["request"].user.has_perm(VIEW):
            return None
        return RecordSerializer(record_of(definition.name, settings.DATABASE)).data


class ScheduleSerializer(RowSerializer[Schedule]):
    """A schedule in a list: without its data."""

    explained = serializers.SerializerMethodField(help_text="When it ticks, in words.")

    class Meta:
        model = Schedule
        fields: tuple[str, ...] = (*SCHEDULE_FIELDS, "explained")

    def get_explained(self, schedule: Schedule) -> str:
        return explained(schedule)


@extend_schema_serializer(many=False)
class SchedulePageSerializer(serializers.Serializer[Any]):
    """Some schedules, the newest first."""

    results = ScheduleSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page; null at the end.")


class ScheduleDetailSerializer(ScheduleSerializer):
    """A schedule with its data, and the moments to come."""

    program_data = serializers.SerializerMethodField()
    job_data = serializers.SerializerMethodField()
    next = serializers.SerializerMethodField(help_text="The next five ticks; none while paused.")

    class Meta(ScheduleSerializer.Meta):
        fields = (*ScheduleSerializer.Meta.fields, "program_data", "job_data", "next")

    @extend_schema_field(StoredField)
    def get_program_data(self, schedule: Schedule) -> Any:
        return visible(schedule.program_data, self.context["request"].user)

    @extend_schema_field(StoredField)
    def get_job_data(self, schedule: Schedule) -> Any:
        return visible_job_data(schedule.job_data, self.context["request"].user)

    def get_next(self, schedule: Schedule) -> list[datetime]:
        return coming_ticks(schedule)


class TickSerializer(RowSerializer[Tick]):
    """What became of one moment of a schedule, or of several that were missed in a row."""

    run_id = serializers.SerializerMethodField(
        help_text="Of the program that it started; null for who may not see programs."
    )

    class Meta:
        model = Tick
        fields = ("at", "outcome", "count", "run_id", "message", "by", "created_at")

    def get_run_id(self, tick: Tick) -> str | None:
        may_look = self.context["request"].user.has_perm(VIEW)
        return tick.program.run_id if tick.program and may_look else None


@extend_schema_serializer(many=False)
class TickPageSerializer(serializers.Serializer[Any]):
    """Some ticks of one schedule, the newest first."""

    results = TickSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page; null at the end.")
