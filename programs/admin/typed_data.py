"""Program data and job data as they are entered: as raw JSON, or by forms that serializers draw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs import typed
from programs.admin.fields import ObjectField
from programs.admin.forms import DATA_PARTS, ConsoleForm
from programs.admin.text import Words, as_editable, legible
from programs.admin.typed_form import NotDrawable, TypedForm
from programs.data import JsonObject
from programs.errors import InvalidProgram

DRAWN_FOR = "drawn_for"  # the jobs for which the forms were drawn that a page was sent with
DRAW = "draw"  # the button that changes between forms and raw JSON
RAW = "raw"  # what it asks for; anything else: forms
FIELDS_OF_A_PAGE = 600  # a request may hold a thousand, and the page has others
UNTYPED = _("None of these jobs says what its data is: any JSON object will do.")


@dataclass(frozen=True)
class Section:
    """The form of one part: of the program data, or of one job's data."""

    title: str
    place: str  # as errors name it: `program_data`, `job_data.import_orders`
    job: str | None
    form: TypedForm


class DataForms:
    """The parts of a program's data that serializers tell how to draw, as forms."""

    def __init__(
        self,
        jobs: Sequence[str],
        program_data: Any = None,
        job_data: JsonObject | None = None,
        *,
        data_class: type[Any] | None = None,
        sent: QueryDict | None = None,
    ) -> None:
        """`data_class`: another serializer of the program data; `sent`: the forms, filled in."""
        classes = typed.job_data_classes(jobs)
        read = {name for name in jobs if typed.program_data_classes([name])}
        self.jobs = [name for name in dict.fromkeys(jobs) if name in classes or name in read]
        self.sections: list[Section] = []
        self.problems: list[Words] = []  # why others are not drawn
        self._sent = sent
        self._fields = 0
        if common := typed.program_data_classes(jobs, data_class):
            self._add(gettext("Program data"), None, common, program_data, "program")
        for index, name in enumerate(self.jobs):
            if name in classes:
                title = gettext("Data of {job}").format(job=legible(name))
                own = (job_data or {}).get(name)
                self._add(title, name, [classes[name]], own, f"job{index}")

    @classmethod
    def of_sent(cls, sent: QueryDict, data_class: type[Any] | None = None) -> DataForms | None:
        """Return the forms that were sent, as they were drawn; None: raw JSON was."""
        if DRAWN_FOR not in sent:
            return None
        try:
            jobs = json.loads(str(sent[DRAWN_FOR]))
        except (ValueError, RecursionError):
            jobs = []
        names = [name for name in jobs if isinstance(name, str)] if isinstance(jobs, list) else []
        return cls(names, data_class=data_class, sent=sent)

    def _add(
        self, title: str, job: str | None, classes: list[type[Any]], value: Any, prefix: str
    ) -> None:
        place = "program_data" if job is None else f"job_data.{job}"
        try:
            if value is not None and not isinstance(value, dict):
                raise NotDrawable("it is no JSON object")
            form = TypedForm(classes, value, self._sent, prefix=prefix)
            if self._fields + len(form.fields) > FIELDS_OF_A_PAGE:
                raise NotDrawable("the page would have too many fields")
        except NotDrawable as error:
            told = gettext("{what} cannot be drawn as a form: {reason}.")
            self.problems.append(told.format(what=title, reason=legible(error)))
            return
        self._fields += len(form.fields)
        self.sections.append(Section(title, place, job, form))

    # What they hold ---------------------------------------------------------------------------

    @property
    def drawn_for(self) -> str:
        """Return the jobs, as the page sends them back."""
        return as_editable(self.jobs)

    @property
    def draws_program_data(self) -> bool:
        return any(section.job is None for section in self.sections)

    def draw_all(self, jobs: Sequence[str]) -> bool:
        """Tell whether each of these jobs has a form of its own."""
        return set(jobs) <= {section.job for section in self.sections}

    @property
    def are_readable(self) -> bool:
        """Tell whether all JSON in them is some; the errors stand beside it."""
        each = [section.form.is_valid() for section in self.sections]
        return all(each)

    @property
    def media(self) -> forms.Media:
        return sum((section.form.media for section in self.sections), forms.Media())

    def whole(self, part: str, value: JsonObject) -> JsonObject:
        """Return the data of a part: `value`, with what the forms hold put over it."""
        if part == "program_data":
            return next((each.form.value for each in self.sections if each.job is None), value)
        merged = dict(value)
        for section in self.sections:
            if section.job is not None and (own := section.form.value):
                known = merged.get(section.job)
                merged[section.job] = {**known, **own} if isinstance(known, dict) else own
        return merged

    def rest_of(self, job_data: JsonObject) -> JsonObject:
        """Return the data of the jobs that have no form here."""
        drawn = {section.job for section in self.sections}
        return {name: own for name, own in job_data.items() if name not in drawn}

    def take(self, field: str, reason: str) -> bool:
        """Put an error beside its field, if that is in one of these forms."""
        for section in self.sections:
            place = section.place
            if field == place or field.startswith((f"{place}.", f"{place}[")):
                section.form.refuse(field[len(place) :].lstrip("."), reason)
                return True
        return False


class DataEntry:
    """How a page shows the data of a program: as raw JSON, or by forms.

    `raw`: what was sent, with raw JSON in the place of the forms; None where the page is opened.
    The page's own form, with the fields `program_data` and `job_data`, is made of that.
    """

    def __init__(self, sent: QueryDict | None, *, data_class: type[Any] | None = None) -> None:
        """`sent`: by the page; `data_class`: a serializer of the program data beside the jobs'."""
        self.data_class = data_class
        self.forms = DataForms.of_sent(sent, data_class) if sent is not None else None
        self.wanted = sent.get(DRAW) if sent is not None else None
        self.raw = sent.copy() if sent is not None else None
        self.rest = sent.get("job_data", "") if sent is not None else ""  # beside the forms
        self.notes: list[Words] = []
        self.hidden: list[str] = []  # fields of raw JSON in whose place forms stand
        if self.raw is not None and self.forms is not None:
            for part in DATA_PARTS:
                value, problem = parsed(self.raw.get(part, ""))
                if not problem:
                    self.raw[part] = text_of(self.forms.whole(part, value))

    @property
    def is_redrawn(self) -> bool:
        """Tell whether the page was sent to be drawn otherwise, and for nothing else."""
        return self.wanted is not None

    @property
    def is_readable(self) -> bool:
        """Tell whether what stands in the forms can be read; raw JSON is the page's own."""
        return self.forms is None or self.forms.are_readable

    @property
    def media(self) -> forms.Media:
        return forms.Media() if self.forms is None else self.forms.media

    def open(
        self, form: ConsoleForm, jobs: Sequence[str], program_data: Any, job_data: Any
    ) -> None:
        """Draw forms for data that is there, where serializers tell how."""
        own = job_data if isinstance(job_data, dict) else {}  # rows may be others' work
        self._take(DataForms(jobs, program_data, own, data_class=self.data_class), own)
        self._show(form, jobs)

    def finish(
        self, form: ConsoleForm, jobs: Sequence[str], error: InvalidProgram | None = None
    ) -> None:
        """Draw what is to be seen after the page was sent, and put errors beside their fields."""
        self._redraw(form, jobs)
        self._show(form, jobs)
        for field, reason in error.errors if error is not None else ():
            if self.forms is None or not self.forms.take(field, reason):
                form.refuse(InvalidProgram(field, reason))
        for part in self.hidden:
            for reason in map(str, form.errors.pop(part, [])):
                form.note(None, f"{capfirst(part.replace('_', ' '))}: {reason}")

    def _redraw(self, form: ConsoleForm, jobs: Sequence[str]) -> None:
        assert self.raw is not None
        read = {part: parsed(self.raw.get(part, "")) for part in DATA_PARTS}
        if any(problem for _, problem in read.values()):
            for part, (_, problem) in read.items():
                if self.is_redrawn and problem:
                    form.note(part, problem)
            return  # what cannot be read can be put in no other form
        if self.wanted == RAW or (self.wanted is None and self.forms is None):
            self.forms = None
            return
        program_data, job_data = (value for value, _ in read.values())
        fresh = DataForms(jobs, program_data, job_data, data_class=self.data_class)
        if self.is_redrawn or self.forms is None or fresh.jobs != self.forms.jobs:
            self._take(fresh, job_data)

    def _take(self, fresh: DataForms, job_data: JsonObject) -> None:
        self.forms = fresh if fresh.sections else None
        self.notes = fresh.problems or ([] if fresh.sections or not self.is_redrawn else [UNTYPED])
        self.rest = text_of(fresh.rest_of(job_data))

    def _show(self, form: ConsoleForm, jobs: Sequence[str]) -> None:
        """Let the page's own form show what the forms do not."""
        if self.forms is None:
            return
        form.put("job_data", self.rest)
        if self.forms.draws_program_data:
            self.hidden.append("program_data")
        if not self.rest.strip() and self.forms.draw_all(jobs):
            self.hidden.append("job_data")


def text_of(value: JsonObject) -> str:
    """Return an object as JSON to be edited; an empty one is an empty text."""
    return as_editable(value) if value else ""


def parsed(text: str) -> tuple[JsonObject, str]:
    """Return the object that a text holds, or why it holds none."""
    try:
        value = ObjectField().clean(text)
    except forms.ValidationError as error:
        return {}, str(error.messages[0])
    return (value, "") if isinstance(value, dict) else ({}, "Must be a JSON object.")
