"""The forms of the console. What they hold is checked by `submission` and `operations`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs.admin.fields import START_TIME, JobNamesField, ObjectField, StartTimeField
from programs.admin.text import as_editable, legible, names_of
from programs.data import JsonObject
from programs.errors import InvalidInput
from programs.inspection import may_reveal, visible, visible_job_data
from programs.inspection.masks import restored, stray_masks
from programs.models import Program
from programs.models.columns import DEFAULT_QUEUE
from programs.specification import QUEUE_NAME_LENGTH, TEXT_LENGTH

DATA_PARTS = ("program_data", "job_data")
STRAY_MASK = "{} is masked, and there is no secret to put in its place: type it, or leave it out."
RADIOS_AT_MOST = 30  # choices that are all seen at once; more are a list to open


class ConsoleForm(forms.Form):
    """A form that puts the errors of the engine beside the fields that they speak of."""

    def refuse(self, error: InvalidInput) -> None:
        """Add errors of the engine to their fields: `job_data.x` and `jobs[2]` have one, too."""
        for place, reason in error.errors:
            field = re.split(r"[.\[]", place)[0]
            is_whole = place == field and field in self.fields
            message = capfirst(legible(reason if is_whole else f"{place}: {reason}"))
            end = "" if message.endswith(".") else "."
            self.note(field if field in self.fields else None, f"{message}{end}")

    def note(self, field: str | None, message: str) -> None:
        """Add an error, also to a form that was not sent."""
        if not (self.errors or hasattr(self, "cleaned_data")):
            self.cleaned_data: dict[str, Any] = {}
        self.add_error(field, message)

    def put(self, field: str, text: str) -> None:
        """Let a field show another text than it was sent, or than it began with."""
        self.initial[field] = text
        if self.is_bound:
            data: Any = self.data  # which a view must not change
            self.data = data.copy()
            self.data[field] = text  # type: ignore[index]


class CreationForm(ConsoleForm):
    """What a program is made of."""

    jobs = JobNamesField(
        label=_("Jobs"), help_text=_("In the order in which they run: one a line, or by commas.")
    )
    program_data = ObjectField(
        label=_("Program data"),
        help_text=_('What all jobs of the program see: a JSON object, such as {"year": 2024}.'),
    )
    job_data = ObjectField(
        label=_("Job data"),
        help_text=_('The data of single jobs, by their names: {"import_orders": {"page": 3}}.'),
    )
    queue = forms.CharField(
        label=_("Queue"),
        initial=DEFAULT_QUEUE,
        max_length=QUEUE_NAME_LENGTH,
        help_text=_("Only workers that serve this queue run the program."),
    )
    run_at = StartTimeField()
    idempotency_key = forms.CharField(
        label=_("Idempotency key"),
        required=False,
        max_length=TEXT_LENGTH,
        empty_value=None,
        help_text=_(
            "Unique for ever: with the same key and content, no second program is created."
        ),
    )
    clone = forms.CharField(required=False, widget=forms.HiddenInput)  # a primary key

    def __init__(
        self,
        user: Any,
        known: Collection[str],
        data: Any = None,
        source: Program | None = None,
        typed: Mapping[str, Any] | None = None,
    ) -> None:
        """`known`: names of jobs. `source`: what is cloned; None, though one was, once gone.

        `typed`: what was typed so far, which is shown as it is, and not checked yet.
        """
        initial = _initial(source, user) if source else {}
        # By `items`: what was sent holds lists, of which they are the last entries.
        super().__init__(data, initial=initial | dict(typed.items() if typed else ()))
        self.user = user
        self.source = source
        jobs = self.fields["jobs"]
        assert isinstance(jobs, JobNamesField)
        jobs.known = known
        zone = timezone.get_current_timezone_name()
        self.fields["run_at"].help_text = str(START_TIME).format(zone=zone)

    def clean(self) -> dict[str, Any]:
        """Refuse masks that would be stored as if they were secrets."""
        if self.cleaned_data.get("clone") and not may_reveal(self.user):
            for part in DATA_PARTS:
                if stray := stray_masks(part, self.cleaned_data.get(part), self._stored(part)):
                    self.add_error(part, STRAY_MASK.format(legible(stray[0])))
        return self.cleaned_data

    @property
    def names(self) -> list[str]:
        """Return the names of the jobs as they stand in the form, which need not be right."""
        text = self["jobs"].value()
        try:
            names: list[str] = self.fields["jobs"].clean(text)
        except forms.ValidationError:
            return []
        return names

    @property
    def typed(self) -> dict[str, Any]:
        """Return what `create_program` is called with, its secrets masked as they were shown."""
        return {name: own for name, own in self.cleaned_data.items() if name != "clone"}

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what `create_program` is called with."""
        given = self.typed
        if self.cleaned_data["clone"] and not may_reveal(self.user):
            for part in DATA_PARTS:
                given[part] = restored(part, given[part], self._stored(part))
        return given

    def _stored(self, part: str) -> Any:
        return getattr(self.source, part) if self.source else {}


def _initial(source: Program, user: Any) -> dict[str, Any]:
    """Return what a clone of `source` begins with. Its key was for it alone, its time is over."""
    jobs = source.jobs if isinstance(source.jobs, list) else []  # rows may be others' work
    return {
        "jobs": "\n".join(legible(name) for name in jobs),
        "program_data": as_editable(visible(source.program_data, user)),
        "job_data": as_editable(visible_job_data(source.job_data, user)),
        "queue": source.queue or DEFAULT_QUEUE,
        "clone": source.pk,
    }


class ReasonForm(ConsoleForm):
    """Why an operator does what they are about to do."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept with your name in the program's history."),
    )

    def __init__(self, program: Program, user: Any, data: Any = None) -> None:
        super().__init__(data)
        self.program = program
        self.user = user

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what the operation is called with, beside the program and the operator."""
        return self.cleaned_data


class AsSeenForm(ReasonForm):
    """What depends on how the program stood when its page was opened."""

    epoch = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, program: Program, user: Any, data: Any = None) -> None:
        super().__init__(program, user, data)
        self.fields["epoch"].initial = program.epoch


class SkipForm(AsSeenForm):
    """A step is not skipped without a word."""

    def __init__(self, program: Program, user: Any, data: Any = None) -> None:
        super().__init__(program, user, data)
        self.fields["reason"].required = True


class RetryForm(AsSeenForm):
    """Where to begin again."""

    from_step = forms.TypedChoiceField(
        label=_("From step"), coerce=int, help_text=_("With the data as it is stored.")
    )
    field_order = ["from_step", "reason"]

    def __init__(self, program: Program, user: Any, data: Any = None) -> None:
        super().__init__(program, user, data)
        choices = self.fields["from_step"]
        assert isinstance(choices, forms.ChoiceField)
        jobs = program.jobs if isinstance(program.jobs, list) else []  # rows may be others' work
        if len(jobs) <= RADIOS_AT_MOST:
            choices.widget = forms.RadioSelect()
        choices.choices = list(enumerate(self._labels(jobs, program.step)))
        choices.initial = program.step

    @staticmethod
    def _labels(jobs: Sequence[str], ended_at: int) -> list[str]:
        """Tell for each step which jobs run again, which stay done, and which are left out."""
        labels = []
        for step in range(len(jobs)):
            told = [gettext("runs again: {jobs}").format(jobs=names_of(jobs[step:]))]
            if done := jobs[: min(step, ended_at)]:
                told.append(gettext("stays done: {jobs}").format(jobs=names_of(done)))
            if left_out := jobs[ended_at:step]:
                names = names_of(left_out)
                told.append(gettext("is left out, though not done: {jobs}").format(jobs=names))
            if not step:
                told.append(gettext("the whole program"))
            is_end = step == ended_at
            where = (
                gettext("step {number} (where it ended)") if is_end else gettext("step {number}")
            )
            labels.append(f"{where.format(number=step + 1)}: {'; '.join(told)}")
        return labels


class EditForm(AsSeenForm):
    """Other data. Only what differs from what is stored is handed on."""

    program_data = ObjectField(label=_("Program data"))
    job_data = ObjectField(
        label=_("Job data"),
        help_text=_("By the names of the jobs. A job's progress may be in here."),
    )
    field_order = ["program_data", "job_data", "reason"]

    def __init__(self, program: Program, user: Any, data: Any = None) -> None:
        super().__init__(program, user, data)
        self.fields["program_data"].initial = as_editable(visible(program.program_data, user))
        self.fields["job_data"].initial = as_editable(visible_job_data(program.job_data, user))
        if not may_reveal(user):
            hint = _("A secret that is masked stays as it is stored, unless you replace the mask.")
            self.fields["program_data"].help_text = hint
        self.fields["epoch"].required = True

    def clean(self) -> dict[str, Any]:
        if not self.errors and self.cleaned_data["epoch"] != self.program.epoch:
            # Its jobs may have stored their progress meanwhile: this must not undo it.
            raise forms.ValidationError(
                "The program has changed since this page was opened. Open it again in another "
                "tab, and carry over what you have typed here."
            )
        return self.cleaned_data

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "program_data": self._changed("program_data"),
            "job_data": self._changed("job_data"),
            "reason": self.cleaned_data["reason"],
            "epoch": self.cleaned_data["epoch"],
        }

    def _changed(self, part: str) -> JsonObject | None:
        stored = getattr(self.program, part)
        value: JsonObject = self.cleaned_data[part]
        if not may_reveal(self.user):
            value = restored(part, value, stored)
        return None if value == stored else value


class BulkForm(ConsoleForm):
    """Why an operator does it to many programs, and what the page knew when it was opened."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept with your name in the history of each program."),
    )
    token = forms.RegexField(r"[0-9a-f]{32}\Z", widget=forms.HiddenInput)  # of one confirmation
    up_to = forms.IntegerField(min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, needs_reason: bool, up_to: int = 0) -> None:
        super().__init__(data, initial={"token": secrets.token_hex(16), "up_to": up_to})
        self.fields["reason"].required = needs_reason

    def clean(self) -> dict[str, Any]:
        if {"token", "up_to"} & self.errors.keys():
            raise forms.ValidationError("What this page was sent with is missing: open it again.")
        return self.cleaned_data
