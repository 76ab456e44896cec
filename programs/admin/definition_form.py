"""What a definition is made of, as an operator gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from programs.admin.catalog import KnownJob
from programs.admin.fields import JobNamesField, ObjectField
from programs.admin.forms import DATA_PARTS, STRAY_MASK, ConsoleForm
from programs.admin.text import as_editable, as_stored, legible
from programs.data import JsonObject
from programs.inspection import may_reveal, visible, visible_job_data
from programs.inspection.masks import restored, stray_masks
from programs.models import Definition, Program
from programs.models.columns import DEFAULT_QUEUE
from programs.models.definition import NAME_LENGTH
from programs.specification import QUEUE_NAME_LENGTH

COPIED_MASK = (
    "{} is masked. Who may not see a secret cannot copy it into a definition: type it, or leave "
    "it out."
)


class DefinitionForm(ConsoleForm):
    """A definition: new, made of a program, or one that is changed."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        help_text=_("Letters, digits, dot, dash and underscore. It cannot be changed later."),
        widget=forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false"}),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What it is for, to be read by who starts it."),
    )
    jobs = JobNamesField(
        label=_("Jobs"), help_text=_("In the order in which they run: one a line, or by commas.")
    )
    program_data = ObjectField(
        label=_("Program data"),
        help_text=_("What all jobs see. It may be incomplete: who starts it can give the rest."),
    )
    job_data = ObjectField(
        label=_("Job data"),
        help_text=_('The data of single jobs, by their names: {"import_orders": {"page": 3}}.'),
    )
    queue = forms.CharField(
        label=_("Queue"),
        initial=DEFAULT_QUEUE,
        max_length=QUEUE_NAME_LENGTH,
        help_text=_("Only workers that serve this queue run its programs."),
    )

    def __init__(
        self,
        user: Any,
        known: Sequence[KnownJob],
        data: Any = None,
        *,
        changed: Definition | None = None,
        source: Program | None = None,
    ) -> None:
        """`changed`: the definition that is edited. `source`: the program that is copied."""
        super().__init__(data, initial=_initial(changed or source, user))
        self.user = user
        self.known = known
        self.may_reveal = may_reveal(user)
        self.changed = changed
        self.is_copied = source is not None
        jobs = self.fields["jobs"]
        assert isinstance(jobs, JobNamesField)
        jobs.known = {job.name for job in known}
        if changed is not None:
            del self.fields["name"]

    def clean(self) -> dict[str, Any]:
        """Refuse masks that would be stored as if they were secrets."""
        if not self.may_reveal:
            told = COPIED_MASK if self.is_copied else STRAY_MASK
            for part in DATA_PARTS:
                if stray := stray_masks(part, self.cleaned_data.get(part), self._stored(part)):
                    self.add_error(part, told.format(legible(stray[0])))
        return self.cleaned_data

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what the definition is saved with; masks stand for what it has stored itself."""
        given = dict(self.cleaned_data)
        if self.changed is not None:
            given["description"] = as_stored(given["description"], self.changed.description)
        if not self.may_reveal:
            for part in DATA_PARTS:
                given[part] = restored(part, given[part], self._stored(part))
        return given

    def _stored(self, part: str) -> JsonObject:
        stored: JsonObject = getattr(self.changed, part) if self.changed is not None else {}
        return stored


def _initial(source: Definition | Program | None, user: Any) -> dict[str, Any]:
    if source is None:
        return {}
    jobs = source.jobs if isinstance(source.jobs, list) else []  # rows may be others' work
    return {
        "description": legible(source.description) if isinstance(source, Definition) else "",
        "jobs": "\n".join(legible(name) for name in jobs),
        "program_data": as_editable(visible(source.program_data, user)),
        "job_data": as_editable(visible_job_data(source.job_data, user)),
        "queue": legible(source.queue) or DEFAULT_QUEUE,
    }
