"""A job whose data has a value of each kind, for processes that tests start."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from programs.job import Job, JobData
from programs.message import Message
from programs.registry import register
from tests.typed import Item, RegionData

LONG = "W" * 60  # a word that no line breaks


class KindsData(serializers.Serializer[Any]):
    """One of each."""

    text = serializers.CharField(help_text=LONG, label=f"Text {LONG}")
    lines = serializers.CharField(style={"base_template": "textarea.html"}, required=False)
    number = serializers.IntegerField(min_value=1, max_value=10, default=5)
    price = serializers.DecimalField(6, 2, required=False)
    is_dry = serializers.BooleanField(default=True)
    is_known = serializers.BooleanField(allow_null=True, default=None)
    day = serializers.DateField()
    time = serializers.TimeField(required=False)
    moment = serializers.DateTimeField(required=False)
    span = serializers.DurationField(required=False)
    choice = serializers.ChoiceField([("a", "Apple"), ("b", LONG)], default="a")
    several = serializers.MultipleChoiceField(choices=[("x", "Ex"), ("y", LONG)], required=False)
    numbers = serializers.MultipleChoiceField(choices=range(50), required=False)
    items = Item(many=True, required=False)


@register
class Kinds(Job):
    """Takes a value of each kind."""

    name = "kinds"
    data_class = KindsData
    program_data_class = RegionData

    def execute(self, message: Message, job_data: JobData) -> None:
        pass
