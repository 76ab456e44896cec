"""What goes in as JSON: the bodies of requests."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from programs.api.fields import (
    CronField,
    DefinitionField,
    DescriptionField,
    JobsField,
    KeyField,
    MomentField,
    ObjectField,
    ObjectsField,
    QueueField,
    ReasonField,
    RequiredReasonField,
    ScheduleDescriptionField,
    StrictSerializer,
    WholeField,
    ZoneField,
)
from programs.models import CatchUp, Overlap
from programs.scheduling.checking import MOST_CAUGHT_UP

CREATED_AT_ONCE = 1000  # programs of one request

JOBS = "Names of jobs, in the order in which they run."
PROGRAM_DATA = "What all jobs of the program see."
JOB_DATA = "The data of single jobs, by their names; each must be among `jobs`."
QUEUE = "Only workers that serve this queue run the program."
RUN_AT = "Not before this moment. Needs a time zone."
KEY = (
    "Unique for ever: the same key with the same content returns the first program. The header "
    "`Idempotency-Key` says the same."
)
EPOCH = "As the program was when it was looked at: refused (409) once it is another."


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two jobs",
            {
                "jobs": ["import_orders", "send_report"],
                "program_data": {"year": 2026},
                "job_data": {"import_orders": {"page": 1}},
                "queue": "default",
                "run_at": "2030-01-31T12:00:00Z",
                "idempotency_key": "orders-2026",
            },
            request_only=True,
        ),
        OpenApiExample("One job", {"jobs": ["send_report"]}, request_only=True),
    ]
)
class CreationSerializer(StrictSerializer):
    """What a program is made of. The fields are those of `create_program`, which checks them."""

    jobs = JobsField(help_text=JOBS)
    program_data = ObjectField(required=False, allow_null=True, help_text=PROGRAM_DATA)
    job_data = ObjectsField(required=False, allow_null=True, help_text=JOB_DATA)
    queue = QueueField(required=False, help_text=QUEUE)
    run_at = MomentField(required=False, allow_null=True, help_text=RUN_AT)
    idempotency_key = KeyField(required=False, allow_null=True, help_text=KEY)


class ProgramsField(serializers.ListField):
    """Programs to be created; those of plain fields alone, which need no look, are not looked at.

    A list may hold a thousand.
    """

    PLAIN = frozenset({"jobs", "program_data", "job_data", "queue", "idempotency_key"})

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        return data if all(map(self._is_plain, data)) else super().run_child_validation(data)

    def _is_plain(self, item: Any) -> bool:
        return (
            isinstance(item, dict)
            and item.keys() <= self.PLAIN
            and item.get("jobs") is not None
            and item.get("queue", "") is not None
        )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two programs",
            {
                "programs": [
                    {"jobs": ["send_report"], "program_data": {"year": 2025}},
                    {"jobs": ["send_report"], "program_data": {"year": 2026}},
                ]
            },
            request_only=True,
        )
    ]
)
class BulkCreationSerializer(StrictSerializer):
    """Many programs, of which all are created, or none."""

    programs = ProgramsField(child=CreationSerializer(), min_length=1, max_length=CREATED_AT_ONCE)


@extend_schema_serializer(
    examples=[OpenApiExample("With a reason", {"reason": "no longer wanted"}, request_only=True)]
)
class ReasonSerializer(StrictSerializer):
    """Why an operation is done; kept with the user's name."""

    reason = ReasonField(required=False)


class SkipSerializer(StrictSerializer):
    """A step is not skipped without a word."""

    reason = RequiredReasonField()
    epoch = WholeField(required=False, help_text=EPOCH)


class EditSerializer(StrictSerializer):
    """Other data. What is absent, or null, stays as it is stored."""

    program_data = ObjectField(required=False, allow_null=True, help_text=PROGRAM_DATA)
    job_data = ObjectsField(required=False, allow_null=True, help_text=JOB_DATA)
    reason = ReasonField(required=False)
    epoch = WholeField(required=False, help_text=EPOCH)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "From the start, with other data",
            {"from_step": 0, "program_data": {"year": 2025}, "reason": "the year was wrong"},
            request_only=True,
        )
    ]
)
class RetrySerializer(EditSerializer):
    """Where to begin again, and with which data; by default where it ended, as it is stored."""

    from_step = WholeField(required=False, help_text="The first step is 0.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two jobs",
            {
                "name": "nightly-orders",
                "description": "Imports the orders of a day.",
                "jobs": ["import_orders", "send_report"],
                "program_data": {"year": 2026},
            },
            request_only=True,
        )
    ]
)
class DefinitionBodySerializer(StrictSerializer):
    """What a definition is made of. Data may lack what is to be given at the start."""

    name = DefinitionField(help_text="By which programs are started from it. It never changes.")
    jobs = JobsField(help_text=JOBS)
    description = DescriptionField(required=False, help_text="What it is for.")
    program_data = ObjectField(required=False, allow_null=True, help_text=PROGRAM_DATA)
    job_data = ObjectsField(required=False, allow_null=True, help_text=JOB_DATA)
    queue = QueueField(required=False, help_text=QUEUE)
    reason = ReasonField(required=False)


class DefinitionChangeSerializer(StrictSerializer):
    """What is to be another. What is absent stays. Programs that exist do not change."""

    jobs = JobsField(required=False, help_text=JOBS)
    description = DescriptionField(required=False, help_text="What it is for.")
    program_data = ObjectField(required=False, help_text=PROGRAM_DATA)
    job_data = ObjectsField(required=False, help_text=JOB_DATA)
    queue = QueueField(required=False, help_text=QUEUE)
    reason = ReasonField(required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample("For a day", {"program_data": {"day": "2026-11-24"}}, request_only=True),
        OpenApiExample("As it is defined", {}, request_only=True),
    ]
)
class StartSerializer(StrictSerializer):
    """What is to be other than in the definition: data is merged over its own, key by key."""

    program_data = ObjectField(required=False, allow_null=True, help_text=PROGRAM_DATA)
    job_data = ObjectsField(required=False, allow_null=True, help_text=JOB_DATA)
    queue = QueueField(required=False, allow_null=True, help_text=f"{QUEUE} Its own by default.")
    run_at = MomentField(required=False, allow_null=True, help_text=RUN_AT)
    idempotency_key = KeyField(required=False, allow_null=True, help_text=KEY)


CRON = "Minute, hour, day of the month, month and day of the week, such as `30 2 * * *`."
INTERVAL = "Seconds between two ticks. Either this or `cron`."
MERGED = "Merged over the data of the definition, key by key."
CATCH_UP = "What becomes of ticks that no worker was there for within a minute."
OVERLAP = "What becomes of a tick while the program of an earlier one is open."


class ScheduleChangeSerializer(StrictSerializer):
    """What is to be another. What is absent stays; `cron` and `interval` replace each other."""

    definition = DefinitionField(required=False, help_text="The name of what is started.")
    description = ScheduleDescriptionField(required=False, help_text="What it is for.")
    cron = CronField(required=False, allow_null=True, help_text=CRON)
    interval = WholeField(required=False, allow_null=True, least=1, help_text=INTERVAL)
    time_zone = ZoneField(required=False, help_text="On whose clocks `cron` is read.")
    program_data = ObjectField(required=False, help_text=MERGED)
    job_data = ObjectsField(required=False, help_text=f"{MERGED} For each job by itself.")
    catch_up = serializers.ChoiceField(CatchUp.choices, required=False, help_text=CATCH_UP)
    catch_up_limit = WholeField(
        required=False, least=1, most=MOST_CAUGHT_UP, help_text="Of `catch_up: all`."
    )
    overlap = serializers.ChoiceField(Overlap.choices, required=False, help_text=OVERLAP)
    reason = ReasonField(required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Every night",
            {"definition": "nightly-orders", "cron": "30 2 * * *", "time_zone": "Europe/Berlin"},
            request_only=True,
        ),
        OpenApiExample(
            "Every quarter of an hour",
            {"definition": "nightly-orders", "interval": 900, "overlap": "queue"},
            request_only=True,
        ),
    ]
)
class ScheduleBodySerializer(ScheduleChangeSerializer):
    """When programs of a definition start: by `cron` or by `interval`."""

    definition = DefinitionField(help_text="The name of what is started.")
