"""The API's URLs, to be included under a prefix of the project's choice."""

from __future__ import annotations

from typing import Any

from django.db.transaction import non_atomic_requests
from rest_framework.routers import SimpleRouter

from programs.api.definition import DefinitionEndpoint
from programs.api.description import DescriptionEndpoint
from programs.api.job import JobEndpoint
from programs.api.operation import OperationEndpoint
from programs.api.program import ProgramEndpoint
from programs.api.queue import QueueEndpoint
from programs.api.schedule import ScheduleEndpoint
from programs.api.statistics import StatisticsEndpoint
from programs.api.worker import WorkerEndpoint
from programs.conf import settings

app_name = "programs"

router = SimpleRouter()
router.register("programs", ProgramEndpoint, basename="program")
router.register("definitions", DefinitionEndpoint, basename="definition")
router.register("schedules", ScheduleEndpoint, basename="schedule")
router.register("jobs", JobEndpoint, basename="job")
router.register("workers", WorkerEndpoint, basename="worker")
router.register("queues", QueueEndpoint, basename="queue")
router.register("operations", OperationEndpoint, basename="operation")
router.register("statistics", StatisticsEndpoint, basename="statistics")
router.register("schema", DescriptionEndpoint, basename="schema")

urlpatterns: list[Any] = router.urls

# In a transaction of ATOMIC_REQUESTS nobody would see a program's end.
waiting: Any = next(pattern for pattern in urlpatterns if pattern.name == "program-wait")
non_atomic_requests(using=settings.DATABASE)(waiting.callback)
