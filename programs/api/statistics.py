"""How things stand: how many programs are in each state, what ended lately, how the jobs do."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from programs.api.endpoint import VIEW, Endpoint
from programs.api.schema import described
from programs.conf import settings
from programs.inspection import counts
from programs.inspection.recent import Recent
from programs.inspection.statistics import Endings, Recently, endings, recent_attempts
from programs.models import State

FRESH = 5.0  # seconds for which a process keeps what costs much to find out

recent_endings = Recent[Endings](FRESH)
recent_jobs = Recent[Recently](FRESH)


class StateCountSerializer(serializers.Serializer[Any]):
    """How many programs are in one state."""

    state = serializers.ChoiceField(choices=State.choices)
    number = serializers.IntegerField()
    is_exact = serializers.BooleanField(help_text="If not, there are more than that.")


class PeriodSerializer(serializers.Serializer[Any]):
    """How many programs ended within one stretch of time."""

    start = serializers.DateTimeField()
    finished = serializers.IntegerField()
    errored = serializers.IntegerField()


class JobTimesSerializer(serializers.Serializer[Any]):
    """What became of the newest attempts of one job; times in seconds."""

    job = serializers.CharField()
    attempts = serializers.IntegerField()
    failures = serializers.IntegerField()
    median = serializers.FloatField(allow_null=True)
    percentile_95 = serializers.FloatField(allow_null=True)
    longest = serializers.FloatField(allow_null=True)


@extend_schema_serializer(many=False)
class StatisticsSerializer(serializers.Serializer[Any]):
    """How things stand, as it was at most five seconds ago."""

    states = StateCountSerializer(many=True)
    minutes = PeriodSerializer(many=True, help_text="The last hour, oldest first.")
    quarters = PeriodSerializer(many=True, help_text="The last day by quarters of an hour.")
    counted_from = serializers.DateTimeField(
        allow_null=True, help_text="Where the day had more endings than are counted."
    )
    jobs = JobTimesSerializer(many=True)
    attempts = serializers.IntegerField(help_text="The newest ones, of which `jobs` tells.")
    attempts_since = serializers.DateTimeField(allow_null=True)


class StatisticsEndpoint(Endpoint):
    """Statistics."""

    permissions = {"list": (VIEW,)}

    @described(responses=StatisticsSerializer)
    def list(self, request: Request) -> Response:
        """Show how many programs are in each state, what ended lately, and how the jobs do."""
        self.query()
        alias = settings.DATABASE
        ended = recent_endings.get(alias, endings)
        lately = recent_jobs.get(alias, recent_attempts)
        told = {
            "states": [
                {"state": state, "number": count.number, "is_exact": count.is_exact}
                for state, count in counts(alias).items()
            ],
            "minutes": ended.minutes,
            "quarters": ended.quarters,
            "counted_from": ended.counted_from,
            "jobs": lately.jobs,
            "attempts": lately.attempts,
            "attempts_since": lately.since,
        }
        return self.shown(StatisticsSerializer, told)
