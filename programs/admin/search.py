"""What the list of programs is asked for: as it was typed, and as it was understood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import QueryDict
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs import registry
from programs.admin.catalog import defined_names
from programs.admin.text import Words, legible
from programs.errors import InvalidProgram
from programs.inspection import Page, Selection
from programs.inspection.selection import PARAMETERS
from programs.models import Worker
from programs.models.columns import DEFAULT_QUEUE

OFFERED_AT_MOST = 500  # names that a field proposes

# Since and until are about the moment that the list is ordered by.
MOMENT_NAMES = {
    "created_at": _("created"),
    "finished_at": _("finished"),
    "errored_at": _("errored"),
    "stopped_at": _("stopped"),
    "paused_at": _("paused"),
    "stop_requested_at": _("asked to stop"),
}


@dataclass(frozen=True)
class Field:
    """One field of the form of filters. Its value is what was typed, to the letter."""

    name: str
    label: Words
    value: str
    error: str
    kind: str = "text"
    offered: tuple[str, ...] = ()


class Search:
    """The parameters of the list's URL; one that is wrong leaves no selection."""

    def __init__(self, given: QueryDict) -> None:
        self.typed = {name: given.get(name, "") for name in PARAMETERS}
        self.older = given.get("older", "")
        self.selection: Selection | None = None
        self.errors: dict[str, str] = {}  # by parameter
        try:
            self.selection = Selection.parse(self.typed)
        except InvalidProgram as error:
            self._refuse(error)

    def page(self, size: int) -> Page:
        """Return the rows to show: none where a parameter is wrong."""
        try:
            if self.selection is not None:
                return self.selection.page(size, self.older)
        except InvalidProgram as error:  # its cursor
            self._refuse(error)
        return Page([], "", None)

    @property
    def moment(self) -> str:
        """Return the column that the list is ordered by."""
        return self.selection.moment if self.selection else "created_at"

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the state is asked for."""
        return any(text for name, text in self.typed.items() if name != "state")

    def query(self, **changes: str) -> str:
        """Return the query of a URL that asks for the same, but for `changes`: its first page."""
        asked = {**self.typed, **changes}
        return urlencode({name: text for name, text in asked.items() if text})

    def fields(self) -> list[Field]:
        """Return the filters beside the state and the words."""
        workers = list(Worker.objects.live())
        queues = {DEFAULT_QUEUE, *(queue for worker in workers for queue in worker.queues)}
        jobs = {*registry.registered(), *(job for worker in workers for job in worker.jobs)}
        names = {worker.name for worker in workers}
        zone = timezone.get_current_timezone_name()
        when = capfirst(str(MOMENT_NAMES[self.moment]))
        since, until = gettext("{when} since ({zone})"), gettext("{when} before ({zone})")
        return [
            self._field("queue", _("Queue"), offered=queues),
            self._field("job", _("Job"), offered=jobs),
            self._field("definition", _("Definition"), offered=set(defined_names())),
            self._field("worker", _("Held by worker"), offered=names),
            self._moment("since", since.format(when=when, zone=zone)),
            self._moment("until", until.format(when=when, zone=zone)),
        ]

    def _field(self, name: str, label: Words, *, offered: set[str]) -> Field:
        plain = (one for one in offered if legible(one) == one)  # it is shown as it is sent
        some = tuple(sorted(plain)[:OFFERED_AT_MOST])
        return Field(name, label, self.typed[name], self.errors.get(name, ""), offered=some)

    def _moment(self, name: str, label: str) -> Field:
        typed, error = self.typed[name], self.errors.get(name, "")
        understood: datetime | None = getattr(self.selection, name, None)
        if understood is None:  # a field for moments would not show what is none
            return Field(name, label, typed, error, "text" if typed else "datetime-local")
        local = timezone.localtime(understood) if timezone.is_aware(understood) else understood
        return Field(name, label, f"{local:%Y-%m-%dT%H:%M:%S}", error, "datetime-local")

    def _refuse(self, error: InvalidProgram) -> None:
        self.errors[error.field] = f"{capfirst(legible(error.reason))}."
