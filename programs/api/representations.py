"""What comes out as JSON: programs and all that is known of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from programs import inspection
from programs.api.fields import NamesField, RowSerializer, StoredField
from programs.inspection import visible, visible_detail, visible_job_data
from programs.inspection.visibility import ATTEMPT_FIELDS, PROGRAM_FIELDS
from programs.models import Attempt, Operation, Program, State

ATTEMPTS_SHOWN = 50  # the newest; each may hold a traceback and a log of 64 KiB


class AttemptSerializer(RowSerializer[Attempt]):
    """One attempt, with what its job logged."""

    class Meta:
        model = Attempt
        fields = ATTEMPT_FIELDS


class ProgramSerializer(RowSerializer[Program]):
    """A program in a list: without its data, which may be large."""

    state = serializers.ChoiceField(choices=State.choices, read_only=True)
    jobs = NamesField(read_only=True)

    class Meta:
        model = Program
        fields: tuple[str, ...] = PROGRAM_FIELDS


@extend_schema_serializer(many=False)
class ProgramPageSerializer(serializers.Serializer[Any]):
    """Some programs, and the way to the next ones."""

    results = ProgramSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page; null at the end.")
    searched_back_to = serializers.DateTimeField(
        allow_null=True,
        help_text="Where the search paused, with more programs behind: follow `next`, even though "
        "this page is not full.",
    )


class ProgramDetailSerializer(ProgramSerializer):
    """A program with its data."""

    program_data = serializers.SerializerMethodField()
    job_data = serializers.SerializerMethodField()

    class Meta(ProgramSerializer.Meta):
        fields = (*ProgramSerializer.Meta.fields, "program_data", "job_data")

    @extend_schema_field(StoredField)
    def get_program_data(self, program: Program) -> Any:
        return visible(program.program_data, self.context["request"].user)

    @extend_schema_field(StoredField)
    def get_job_data(self, program: Program) -> Any:
        return visible_job_data(program.job_data, self.context["request"].user)


class ProgramHistorySerializer(ProgramDetailSerializer):
    """A program by itself: with its data, why it waits, and its newest attempts."""

    why = serializers.SerializerMethodField(
        help_text="Why it waits, or what it is at; null once it has ended."
    )
    attempts = serializers.SerializerMethodField()

    class Meta(ProgramDetailSerializer.Meta):
        fields = (*ProgramDetailSerializer.Meta.fields, "why", "attempts")

    def get_why(self, program: Program) -> str | None:
        reason = inspection.why(program)
        return reason.text if reason else None

    @extend_schema_field(AttemptSerializer(many=True))
    def get_attempts(self, program: Program) -> Any:
        newest = program.attempts.order_by("-id")[:ATTEMPTS_SHOWN]
        return AttemptSerializer(newest, many=True).data


class AwaitedSerializer(ProgramDetailSerializer):
    """A program that was waited for."""

    ended = serializers.SerializerMethodField(help_text="Whether it has ended, in whatever way.")

    class Meta(ProgramDetailSerializer.Meta):
        fields = (*ProgramDetailSerializer.Meta.fields, "ended")

    def get_ended(self, program: Program) -> bool:
        return program.state in (State.FINISHED, State.ERRORED, State.STOPPED)


class CreatedSerializer(serializers.Serializer[Any]):
    """Many programs, just created."""

    run_ids = serializers.ListField(
        child=serializers.CharField(), help_text="In the order of the request."
    )


@extend_schema_serializer(many=False)
class AttemptPageSerializer(serializers.Serializer[Any]):
    """Some attempts of one program, the newest first."""

    results = AttemptSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page; null at the end.")


class OperationSerializer(RowSerializer[Operation]):
    """What an operator did."""

    run_id = serializers.SerializerMethodField(
        help_text="Of the program; null for a queue or a worker, and for a program that is gone."
    )

    class Meta:
        model = Operation
        fields: tuple[str, ...] = ("id", "verb", "run_id", "subject", "by", "reason", "created_at")

    def get_run_id(self, operation: Operation) -> str | None:
        run_ids: dict[int, str] = self.context["run_ids"]
        return run_ids.get(operation.program_id or 0)


class OperationDetailSerializer(OperationSerializer):
    """What an operator did, with what was before and after."""

    detail = serializers.SerializerMethodField()

    class Meta(OperationSerializer.Meta):
        fields = (*OperationSerializer.Meta.fields, "detail")

    @extend_schema_field(StoredField)
    def get_detail(self, operation: Operation) -> Any:
        return visible_detail(operation.detail, self.context["request"].user)


@extend_schema_serializer(many=False)
class OperationPageSerializer(serializers.Serializer[Any]):
    """Some operations, the newest first, without their details."""

    results = OperationSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page; null at the end.")
    searched_back_to = serializers.DateTimeField(
        allow_null=True, help_text="Where the search paused, with more operations behind."
    )
