"""The console: programs, definitions, schedules, queues, workers … in Django's admin.

The stock site has it by itself. `register(site)` puts it into an `AdminSite` of one's own.
"""

from __future__ import annotations

from django.contrib import admin

from programs.admin.definition import DefinitionAdmin
from programs.admin.operation import OperationAdmin
from programs.admin.program import ProgramAdmin
from programs.admin.queue import QueueAdmin
from programs.admin.schedule import ScheduleAdmin
from programs.admin.webhook import WebhookAdmin
from programs.admin.words import name_models
from programs.admin.worker import WorkerAdmin
from programs.models import Definition, Operation, Program, Queue, Schedule, Webhook, Worker


def register(site: admin.AdminSite) -> None:
    """Register the console's pages with `site`."""
    site.register(Program, ProgramAdmin)
    site.register(Definition, DefinitionAdmin)
    site.register(Schedule, ScheduleAdmin)
    site.register(Queue, QueueAdmin)
    site.register(Worker, WorkerAdmin)
    site.register(Operation, OperationAdmin)
    site.register(Webhook, WebhookAdmin)


name_models()
register(admin.site)
