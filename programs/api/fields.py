"""Fields of bodies: strict, for a value of another type is a mistake of the client's."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from programs.api.errors import encodable
from programs.definition.recipe import DESCRIPTION_LENGTH, NAME
from programs.models.columns import NAME_LENGTH
from programs.models.definition import NAME_LENGTH as DEFINITION_LENGTH
from programs.scheduling import checking as scheduling
from programs.scheduling.timetable import CRON_LENGTH, ZONE_LENGTH
from programs.specification import QUEUE_NAME_LENGTH, TEXT_LENGTH

ModelT = TypeVar("ModelT", bound=Model)

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
LARGEST = 2**31 - 1
REASON_LENGTH = 2000  # characters

JOB_NAME = {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH, "pattern": r"\S"}
OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": True}
OBJECTS = {"type": "object", "additionalProperties": OBJECT}


class PlainField(serializers.Field[Any, Any, Any, Any]):
    """A value that is handed on as it came: `create_program` and the operations check it."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "array", "items": JOB_NAME, "minItems": 1, "maxItems": 1000})
class JobsField(PlainField):
    """The names of jobs, in the order in which they run."""


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class NamesField(PlainField):
    """Names as they are stored."""


@extend_schema_field(OBJECT)
class ObjectField(PlainField):
    """A JSON object."""


@extend_schema_field(OBJECTS)
class ObjectsField(PlainField):
    """The data of single jobs: JSON objects by the names of the jobs."""


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class SchemaField(PlainField):
    """A JSON Schema."""


@extend_schema_field(OpenApiTypes.ANY)
class StoredField(PlainField):
    """What a row holds; those of the original's users may hold anything."""


@extend_schema_field(
    {"type": "string", "minLength": 1, "maxLength": QUEUE_NAME_LENGTH, "pattern": r"\S"}
)
class QueueField(PlainField):
    """The name of a queue."""


@extend_schema_field(
    {"type": "string", "maxLength": DEFINITION_LENGTH, "pattern": f"^{NAME.pattern}$"}
)
class DefinitionField(PlainField):
    """The name of a definition."""


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": TEXT_LENGTH, "pattern": r"\S"})
class KeyField(PlainField):
    """An idempotency key."""


@extend_schema_field({"type": "string", "maxLength": DESCRIPTION_LENGTH})
class DescriptionField(PlainField):
    """What a definition is for."""


@extend_schema_field({"type": "string", "maxLength": scheduling.DESCRIPTION_LENGTH})
class ScheduleDescriptionField(PlainField):
    """What a schedule is for."""


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": CRON_LENGTH})
class CronField(PlainField):
    """A cron expression of five fields."""


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": ZONE_LENGTH})
class ZoneField(PlainField):
    """The name of a time zone."""


@extend_schema_field({"type": "string", "format": "date-time"})
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


@extend_schema_field({"type": "string", "maxLength": REASON_LENGTH, "pattern": r"^[^\x00]*$"})
class ReasonField(serializers.Field[Any, Any, Any, Any]):
    """Why it is done: a text, and no number that would become one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(f"must be a text, not {type(data).__name__}")
        if len(data) > REASON_LENGTH:
            raise serializers.ValidationError(f"must have at most {REASON_LENGTH} characters")
        if UNSTORABLE.search(data):
            raise serializers.ValidationError("holds characters that cannot be stored")
        return data.strip()


@extend_schema_field(
    {
        "type": "string",
        "minLength": 1,
        "maxLength": REASON_LENGTH,
        "pattern": r"^[^\x00]*[^\s\x00][^\x00]*$",
    }
)
class RequiredReasonField(ReasonField):
    """A reason without which it is not done."""

    def to_internal_value(self, data: Any) -> str:
        reason = super().to_internal_value(data)
        if not reason:
            raise serializers.ValidationError("is required: say why")
        return reason


class WholeField(serializers.IntegerField):
    """A number without a fraction: neither a text nor a boolean that could be read as one."""

    def __init__(self, *, least: int = 0, most: int = LARGEST, **kwargs: Any) -> None:
        super().__init__(min_value=least, max_value=most, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        is_whole = isinstance(data, int) or (isinstance(data, float) and data.is_integer())
        if isinstance(data, bool) or not is_whole:
            raise serializers.ValidationError("must be a whole number")
        return super().to_internal_value(int(data))


class RowSerializer(serializers.ModelSerializer[ModelT]):
    """A row as it is, by the names of `Meta.fields`: its fields tell the schema, and cost no time.

    What is no column has a method `get_<name>`.
    """

    def to_representation(self, instance: ModelT) -> dict[str, Any]:
        return {
            name: getattr(self, method)(instance) if method else getattr(instance, name)
            for name, method in self._methods()
        }

    def _methods(self) -> list[tuple[str, str]]:
        names: tuple[str, ...] = self.Meta.fields  # type: ignore[assignment]
        return [(name, f"get_{name}" if hasattr(self, f"get_{name}") else "") for name in names]


class StrictSerializer(serializers.Serializer[Any]):
    """Fields that are not known are refused, not overlooked."""

    def to_internal_value(self, data: Any) -> Any:
        fields = super().to_internal_value(data)
        unknown = sorted(data.keys() - self.fields.keys())
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {encodable(name): [f"is no field here; there are {known}"] for name in unknown}
            )
        return fields
