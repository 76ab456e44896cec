"""The import of the airports as a definition: what operators start and schedule, by a form."""

from __future__ import annotations

from datetime import date
from pathlib import PurePosixPath
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from jobs.airports import PROGRAM
from jobs.airports.clocks import YEARS
from programs.definition import register_definition

NAME = "airports"


class AirportsData(serializers.Serializer[Any]):
    """What the jobs of the airports read."""

    day = serializers.DateField(
        default=timezone.localdate,
        help_text="The day of which the report tells what the clocks show. By default today.",
    )
    file = serializers.CharField(
        required=False,
        help_text="The path of a CSV file on the workers. By default the airports of the package "
        "airportsdata.",
    )

    def validate_day(self, day: date) -> date:
        if day.year not in YEARS:
            raise serializers.ValidationError(f"must be in {YEARS[0]} to {YEARS[-1]}")
        return day

    def validate_file(self, file: str) -> str:
        if not PurePosixPath(file).is_absolute():
            raise serializers.ValidationError(
                "must be an absolute path, such as /data/airports.csv"
            )
        return file


register_definition(
    NAME,
    PROGRAM,
    description="Imports the airports of the world, validates and counts them, and writes a report "
    "with a map, and with what the clocks show on a day.",
    data_class=AirportsData,
)
