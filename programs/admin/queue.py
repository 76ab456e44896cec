"""Queues: what waits in each, and the pages that pause and resume one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs import operations
from programs.admin.overview import shown_count
from programs.admin.switches import Switch, SwitchPages
from programs.admin.text import legible, moment, number
from programs.conf import settings
from programs.errors import BrokerMisconfigured, BrokerUnavailable
from programs.inspection import span
from programs.inspection.queues import NAMES_AT_MOST, QueueFacts, queues
from programs.inspection.recent import Recent
from programs.models import Operation, Queue, Verb
from programs.models.clock import now
from programs.transport.depth import Depth, depths

OPERATIONS_READ = 1_000
BROKER_PATIENCE = 0.2  # seconds: the page comes without the broker's numbers then
MANAGE = ("manage_queues", str(dict(Queue._meta.permissions)["manage_queues"]))

PAUSE = Switch(
    "pause",
    _("Pause queue"),
    _(
        "No worker starts or carries on a program of this queue until it is resumed. Jobs that run "
        "end first. New programs can be created, and wait as well."
    ),
    _("Queue {} is paused."),
    *MANAGE,
    operations.pause_queue,
)
RESUME = Switch(
    "resume",
    _("Resume queue"),
    _("Workers take up the programs of this queue again."),
    _("Queue {} is resumed."),
    *MANAGE,
    operations.resume_queue,
)

Answer = tuple[dict[str, Depth], str]
recent_depths = Recent[Answer](2.0)  # also what is not answered: a dead broker is asked as rarely


@dataclass(frozen=True)
class ShownQueue:
    """One queue's row, its texts legible."""

    name: str
    due: str
    due_url: str
    oldest: str
    scheduled: str
    scheduled_url: str
    running: str
    running_url: str
    workers: int
    messages: str
    consumers: str
    paused: str  # since when and by whom; empty when it is not
    switch: Switch
    switch_url: str
    is_stuck: bool  # programs wait, and no live worker serves them


class QueueAdmin(SwitchPages):
    """The queues that exist, whether or not a row tells of them."""

    fields = ["own_name", "paused"]  # of the stock page of a row

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"{switch.name}/",
                self.admin_site.admin_view(partial(self.switch_view, switch=switch)),
                name=f"programs_queue_{switch.name}",
            )
            for switch in (PAUSE, RESUME)
        ]
        return pages + super().get_urls()

    def switch_view(self, request: HttpRequest, switch: Switch) -> HttpResponse:
        """Pause or resume the queue `?name=`: names may hold what a path may not."""
        name = request.GET.get("name", "")
        if not name.strip():
            raise Http404("Which queue? Its name is missing: ?name=")
        return self.switch(request, switch, name)

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Show all queues."""
        found = queues()
        names = tuple(queue.name for queue in found.shown)
        answer, complaint = recent_depths.get((settings.AMQP_URL, names), lambda: _ask(names))
        pausers = _pausers(found.shown)
        context = {
            "title": gettext("Queues"),
            "queues": [self._shown(queue, answer, pausers) for queue in found.shown],
            "names_at_most": 0 if found.are_all else NAMES_AT_MOST,
            "has_broker": settings.AMQP_URL is not None,
            "complaint": legible(complaint),
            "may_manage": PAUSE.is_permitted(request),
            "permission_name": PAUSE.permission_name,
            "pause_url": self.url_of("pause"),
        }
        return self.section(request, "list_now" if "live" in request.GET else "list", context)

    @admin.display(description=_("name"))
    def own_name(self, queue: Queue) -> str:
        return legible(queue.name)

    @admin.display(description=_("paused since"))
    def paused(self, queue: Queue) -> str:
        return moment(queue.paused_at)

    def _shown(
        self, queue: QueueFacts, answer: dict[str, Depth], pausers: dict[str, str]
    ) -> ShownQueue:
        depth = answer.get(queue.name)
        switch = RESUME if queue.paused_at else PAUSE
        by = legible(pausers.get(queue.name))
        told = gettext("since {moment} by {name}") if by else gettext("since {moment}")
        paused = told.format(moment=moment(queue.paused_at), name=by) if queue.paused_at else ""
        return ShownQueue(
            name=legible(queue.name),
            due=shown_count(queue.due),
            due_url=self.programs_url(queue=queue.name, state="waiting"),
            oldest=_age(queue),
            scheduled=shown_count(queue.scheduled),
            scheduled_url=self.programs_url(queue=queue.name, state="scheduled"),
            running=number(queue.running),
            running_url=self.programs_url(queue=queue.name, state="running"),
            workers=queue.workers,
            messages=number(depth.messages) if depth else "-",
            consumers=number(depth.consumers) if depth else "-",
            paused=paused,
            switch=switch,
            switch_url=f"{self.url_of(switch.name)}?{urlencode({'name': queue.name})}",
            is_stuck=bool(queue.due.number and not queue.workers),
        )


def _age(queue: QueueFacts) -> str:
    if queue.oldest_due_at is None:
        return "-"
    return span((now(settings.DATABASE) - queue.oldest_due_at).total_seconds())


def _pausers(found: list[QueueFacts]) -> dict[str, str]:
    """Return who paused each paused queue, as far as that is known."""
    paused = [queue.name for queue in found if queue.paused_at]
    # Operations without a program are few, and an index finds them.
    done = Operation.objects.filter(program__isnull=True, subject__in=paused)
    newest = done.filter(verb=Verb.PAUSE_QUEUE).order_by("-pk").values_list("subject", "by")
    return {str(name): by or "" for name, by in reversed(newest[:OPERATIONS_READ])}


def _ask(names: tuple[str, ...]) -> Answer:
    try:
        return depths(names, within=BROKER_PATIENCE), ""
    except (BrokerUnavailable, BrokerMisconfigured) as error:
        return {}, str(error)
