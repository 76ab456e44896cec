"""What goes in and out as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework import serializers

from programs.api.errors import encodable
from programs.inspection import visible, visible_job_data
from programs.models import Attempt, Program

ATTEMPTS_SHOWN = 50  # the newest; each may hold a traceback and a log of 64 KiB


# Out ----------------------------------------------------------------------------------------


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One attempt, with what its job logged."""

    class Meta:
        model = Attempt
        fields = (
            "step",
            "job",
            "number",
            "outcome",
            "started_at",
            "ended_at",
            "worker",
            "error_class",
            "message",
            "traceback",
            "log",
        )


class ProgramSerializer(serializers.ModelSerializer[Program]):
    """A program in a list: without its data, which may be large."""

    state = serializers.CharField(read_only=True)

    class Meta:
        model = Program
        fields: tuple[str, ...] = (
            "run_id",
            "state",
            "jobs",
            "step",
            "step_retry_count",
            "queue",
            "error_message",
            "created_by",
            "idempotency_key",
            "worker",
            "created_at",
            "run_at",
            "due_at",
            "started_at",
            "step_started_at",
            "updated_at",
            "paused_at",
            "stop_requested_at",
            "stopped_at",
            "finished_at",
            "errored_at",
        )


class ProgramDetailSerializer(ProgramSerializer):
    """A program by itself, with its data and its newest attempts."""

    program_data = serializers.SerializerMethodField()
    job_data = serializers.SerializerMethodField()
    attempts = serializers.SerializerMethodField()

    class Meta(ProgramSerializer.Meta):
        fields = (*ProgramSerializer.Meta.fields, "program_data", "job_data", "attempts")

    def get_program_data(self, program: Program) -> Any:
        return visible(program.program_data, self.context["request"].user)

    def get_job_data(self, program: Program) -> Any:
        return visible_job_data(program.job_data, self.context["request"].user)

    def get_attempts(self, program: Program) -> Any:
        newest = program.attempts.order_by("-id")[:ATTEMPTS_SHOWN]
        return AttemptSerializer(newest, many=True).data


# In -----------------------------------------------------------------------------------------


class PlainField(serializers.Field[Any, Any, Any, Any]):
    """A value that is handed on as it came: `create_program` checks it."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class MomentField(serializers.Field[Any, Any, Any, Any]):
    """A moment in ISO 8601. That it has a zone, `create_program` checks."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            moment = parse_datetime(data) if isinstance(data, str) else None
        except ValueError:
            moment = None
        if moment is None:
            raise serializers.ValidationError(
                "must be a moment in ISO 8601, such as 2030-01-31T12:00:00Z"
            )
        return moment


class StrictSerializer(serializers.Serializer[Any]):
    """Fields that are not known are refused, not overlooked."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = self.initial_data.keys() - self.fields.keys()
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {encodable(name): [f"is no field here; there are {known}"] for name in unknown}
            )
        return attrs


class CreationSerializer(StrictSerializer):
    """What a program is made of. The fields are those of `create_program`, which checks them."""

    jobs = PlainField()
    program_data = PlainField(required=False, allow_null=True)
    job_data = PlainField(required=False, allow_null=True)
    queue = PlainField(required=False)
    run_at = MomentField(required=False, allow_null=True)
    idempotency_key = PlainField(required=False, allow_null=True)


class ReasonSerializer(StrictSerializer):
    """Why an operation is done."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)
