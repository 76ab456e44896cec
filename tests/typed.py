"""Jobs whose data has types: `import_day`, and others that a test makes as it needs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework import serializers

from programs import registry
from programs.job import Job, JobData
from programs.message import Message


class Item(serializers.Serializer[Any]):
    """A nested value."""

    name = serializers.CharField()
    price = serializers.DecimalField(max_digits=6, decimal_places=2)


class DayData(serializers.Serializer[Any]):
    """What `import_day` takes."""

    day = serializers.DateField(help_text="Which day is imported.")
    mode = serializers.ChoiceField(choices=[("full", "All of it"), ("part", "A part")])
    limit = serializers.IntegerField(default=100, min_value=1, max_value=1000)
    is_dry = serializers.BooleanField(default=False)
    items = Item(many=True, required=False)
    token = serializers.ChoiceField(choices=["good-token"], required=False)


class RegionData(serializers.Serializer[Any]):
    """What `import_day` reads of the program data."""

    region = serializers.CharField(max_length=10)
    since = serializers.DateTimeField(required=False)


DAY = {"day": "2026-11-24", "mode": "full"}
REGION = {"region": "north"}


@contextmanager
def typed_job(
    name: str = "import_day",
    data_class: type[Any] | None = DayData,
    program_data_class: type[Any] | None = RegionData,
) -> Iterator[type[Job]]:
    """Register a job that has these classes for its data."""

    def execute(self: Job, message: Message, job_data: JobData) -> None:
        job_data.merge({"done": True})

    attributes = {
        "name": name,
        "execute": execute,
        "data_class": data_class,
        "program_data_class": program_data_class,
        "__doc__": "Imports a day.",
        "__module__": __name__,
    }
    job: type[Job] = registry.register(type(name.title(), (Job,), attributes))
    try:
        yield job
    finally:
        del registry._jobs[name]


def serializer_of(**attributes: Any) -> type[serializers.Serializer[Any]]:
    """Return a serializer class that has these fields and methods."""
    return type("MadeData", (serializers.Serializer,), {"__module__": __name__, **attributes})
