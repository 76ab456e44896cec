"""When a definition is started, as an operator gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from programs.admin.fields import ObjectField
from programs.admin.forms import DATA_PARTS, STRAY_MASK, ConsoleForm
from programs.admin.text import Words, as_editable, as_stored, legible
from programs.data import JsonObject
from programs.inspection import may_reveal, visible, visible_job_data
from programs.inspection.masks import restored, stray_masks
from programs.models import CatchUp, Overlap, Schedule
from programs.models.definition import NAME_LENGTH
from programs.scheduling.checking import DESCRIPTION_LENGTH, MOST_CAUGHT_UP
from programs.scheduling.timetable import CRON_LENGTH, LONGEST, ZONE_LENGTH

CATCH_UP = (
    (CatchUp.LAST, _("Start the last one: a nightly report that was missed comes once.")),
    (CatchUp.NONE, _("Start none of them: the next tick comes in its time.")),
    (CatchUp.ALL, _("Start each of them, the newest ones up to a limit: every day has its own.")),
)
OVERLAP = (
    (Overlap.SKIP, _("Skip the tick: at most one program of this schedule is open.")),
    (Overlap.QUEUE, _("Start one more once that has ended: further ticks meanwhile are skipped.")),
    (Overlap.ALLOW, _("Start another beside it.")),
)
PLAIN_COLUMNS = (
    *("description", "cron", "interval", "time_zone"),
    *("overlap", "catch_up", "catch_up_limit"),
)
PLAIN = {"spellcheck": "false", "autocomplete": "off"}
OFFERED = {**PLAIN, "class": "vTextField"}  # with a list of what the page proposes


class TimetableForm(ConsoleForm):
    """When: the part that a preview needs."""

    cron = forms.CharField(
        required=False,
        max_length=CRON_LENGTH,
        empty_value=None,
        label=_("Cron expression"),
        widget=forms.TextInput(attrs=PLAIN),
        help_text=_(
            "Minute, hour, day of the month, month, day of the week. 30 2 * * * is every "
            "night at half past two, 0 8 * * mon-fri each working day at eight."
        ),
    )
    interval = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LONGEST,
        label=_("Or every so many seconds"),
        help_text=_("In the place of a cron expression: 3600 is every hour."),
    )
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=ZONE_LENGTH,
        widget=forms.TextInput(attrs=OFFERED | {"list": "time-zones"}),
        help_text=_(
            "In which the cron expression is meant, such as Europe/Berlin; it follows "
            "that zone's summer time."
        ),
    )

    def __init__(self, data: Any = None, initial: dict[str, Any] | None = None) -> None:
        zone = timezone.get_current_timezone_name()
        super().__init__(data, initial={"time_zone": zone, **(initial or {})})

    @property
    def timetable(self) -> dict[str, Any]:
        """Return what a timetable is made of."""
        return {name: self.cleaned_data.get(name) for name in ("cron", "interval", "time_zone")}


class ScheduleForm(TimetableForm):
    """A schedule: new, or one that is changed."""

    definition = forms.CharField(
        label=_("Definition"),
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs=OFFERED | {"list": "definitions"}),
        help_text=_("The name of what is started."),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=DESCRIPTION_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=_("What it is for."),
    )
    overlap = forms.ChoiceField(
        choices=OVERLAP,
        initial=Overlap.SKIP,
        widget=forms.RadioSelect,
        label=_("While its last program is still open"),
    )
    catch_up = forms.ChoiceField(
        choices=CATCH_UP,
        initial=CatchUp.LAST,
        widget=forms.RadioSelect,
        label=_("Ticks that were missed, because no worker was there"),
    )
    catch_up_limit = forms.IntegerField(
        initial=10,
        min_value=1,
        max_value=MOST_CAUGHT_UP,
        label=_("Limit of those that are started later"),
        help_text=_("Counts where each of them is started."),
    )
    program_data = ObjectField(
        label=_("Program data"),
        help_text=_("Laid over the definition's, key by key. Empty: its data as it is."),
    )
    job_data = ObjectField(
        label=_("Job data"),
        help_text=_(
            "Laid over the definition's likewise, by the names of the jobs: "
            '{"import_orders": {"page": 3}}.'
        ),
    )

    PARTS = (
        (_("When"), ("definition", "description", "cron", "interval", "time_zone")),
        (_("When that cannot be"), ("overlap", "catch_up", "catch_up_limit")),
        (_("Data of its own"), ("program_data", "job_data")),
    )

    def __init__(
        self,
        user: Any,
        data: Any = None,
        *,
        changed: Schedule | None = None,
        definition: str = "",
        typed: Mapping[str, Any] | None = None,
    ) -> None:
        """`definition`: the one to begin with. `typed`: so far, not to be checked yet."""
        initial = _initial(changed, user) if changed else {"definition": definition}
        super().__init__(data, {**initial, **(typed or {})})
        self.user = user
        self.changed = changed
        if changed is not None:
            del self.fields["definition"]

    @property
    def parts(self) -> list[tuple[Words, list[forms.BoundField]]]:
        """Return the fields under their headings."""
        return [
            (heading, [self[name] for name in names if name in self.fields])
            for heading, names in self.PARTS
        ]

    def clean(self) -> dict[str, Any]:
        """Refuse masks that would be stored as if they were secrets."""
        if not may_reveal(self.user):
            for part in DATA_PARTS:
                if stray := stray_masks(part, self.cleaned_data.get(part), self._stored(part)):
                    self.add_error(part, STRAY_MASK.format(legible(stray[0])))
        return self.cleaned_data

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what the schedule is saved with; masks stand for what it has stored itself."""
        given = dict(self.cleaned_data)
        if self.changed is not None:
            given["description"] = as_stored(given["description"], self.changed.description)
        if not may_reveal(self.user):
            for part in DATA_PARTS:
                given[part] = restored(part, given[part], self._stored(part))
        return given

    def _stored(self, part: str) -> JsonObject:
        stored: JsonObject = getattr(self.changed, part) if self.changed is not None else {}
        return stored


def _initial(schedule: Schedule, user: Any) -> dict[str, Any]:
    return {
        **{name: legible(getattr(schedule, name)) for name in PLAIN_COLUMNS},
        "program_data": _text(visible(schedule.program_data, user)),
        "job_data": _text(visible_job_data(schedule.job_data, user)),
    }


def _text(value: Any) -> str:
    return as_editable(value) if value else ""
