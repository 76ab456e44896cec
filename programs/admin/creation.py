"""Creating a program: the page that asks what it is made of."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from programs import data, registry, specification, submission
from programs.admin.calls import Call
from programs.admin.catalog import known_jobs
from programs.admin.forms import DATA_PARTS, CreationForm
from programs.admin.pages import ProgramPages
from programs.admin.text import legible
from programs.admin.typed_data import DataEntry
from programs.conf import settings
from programs.errors import IdempotencyConflict, InvalidData, InvalidProgram
from programs.inspection import may_reveal, visible, visible_job_data
from programs.models import Program

SCRIPTS: list[Any] = [Script("programs/create.js", defer=True)]
ASSETS = forms.Media(css={"all": ["programs/create.css"]}, js=SCRIPTS)


class CreationPage(ProgramPages):
    """The page "Create a program", which also clones one and shows the same call as code."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("programs.add_program")

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask what the program is made of, and create it, or show the call that would."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        source = self._source(request)
        known = known_jobs(_names_of(source))
        entry = DataEntry(request.POST if request.method == "POST" else None)
        form = self._form(request, source, {job.name for job in known}, entry)
        call, error = None, None
        is_asked = request.method == "POST" and not entry.is_redrawn
        if is_asked and all([form.is_valid(), entry.is_readable]):
            try:
                specification.refuse_internal(form.typed["jobs"])
                if "show" not in request.POST:
                    return self._created(request, form)
                call = Call.of(_storable(form.typed), request)
            except InvalidProgram as invalid:
                error = invalid
            except IdempotencyConflict as conflict:
                form.add_error("idempotency_key", self._conflict(request, form, conflict))
        if entry.raw is not None:
            entry.finish(form, form.names, error)
        elif source is not None:
            user = request.user
            data = (visible(source.program_data, user), visible_job_data(source.job_data, user))
            entry.open(form, form.names, *data)
        context = {
            "title": _("Clone program {name}").format(name=legible(source))
            if source
            else _("Create a program"),
            "form": form,
            "entry": entry,
            "may_be_drawn": entry.forms is not None or _is_any_typed(),
            "source": source,
            "may_reveal": may_reveal(request.user),
            "known_jobs": known,
            "call": call,
            "call_is_asked_for": "show" in request.POST,
            "media": self.media + form.media + entry.media + ASSETS,
        }
        return self.render(request, "create", context)

    def _form(
        self, request: HttpRequest, source: Program | None, known: set[str], entry: DataEntry
    ) -> CreationForm:
        """Return the form, which is not checked where the page is only to be drawn otherwise."""
        if entry.is_redrawn:
            return CreationForm(request.user, known, None, source, typed=entry.raw)
        return CreationForm(request.user, known, entry.raw, source)

    def _source(self, request: HttpRequest) -> Program | None:
        """Return the program to clone, if one is asked for and the user may view it.

        One that is gone when its clone is sent is None: what was typed must not be lost with it.
        """
        is_sent = request.method == "POST"
        pk = (request.POST if is_sent else request.GET).get("clone", "")
        if not pk:
            return None
        try:
            return self.find(request, pk)
        except Http404:
            if is_sent:
                return None
            raise

    def _created(self, request: HttpRequest, form: CreationForm) -> HttpResponse:
        with transaction.atomic(using=settings.DATABASE):  # both, or an error and nothing
            program = submission.create_program(
                **form.arguments, created_by=str(request.user.get_username())
            )
            self.log_addition(request, program, [{"added": {}}])
        return self.done(request, program, _("Program {name} is created.").format(name=program))

    def _conflict(
        self, request: HttpRequest, form: CreationForm, error: IdempotencyConflict
    ) -> SafeString | str:
        """Return what the error says, with a link to the program that has the key."""
        rows = Program.objects.using(settings.DATABASE).only("pk", "run_id")
        first = rows.filter(idempotency_key=form.typed["idempotency_key"]).first()
        if first is None or not self.has_view_permission(request, first):
            return legible(error)
        return format_html(
            '{}: <a href="{}">{}</a>',
            legible(error),
            self.url_of("change", first),
            _("look at that program"),
        )


def _names_of(source: Program | None) -> list[str]:
    """Return the names of the jobs of a program, which may be others' work."""
    jobs = source.jobs if source and isinstance(source.jobs, list) else []
    return [name for name in jobs if isinstance(name, str)]


def _is_any_typed() -> bool:
    """Tell whether a job that is registered here says what its data is."""
    jobs = registry.registered().values()
    return any(job.data_class or job.program_data_class for job in jobs)


def _storable(typed: dict[str, Any]) -> dict[str, Any]:
    """Return what was typed with its data as it would be stored, or raise `InvalidProgram`."""
    checked = dict(typed)
    for part in DATA_PARTS:
        try:
            checked[part] = data.stored(typed[part])
        except InvalidData as error:
            raise InvalidProgram(part, str(error)) from error
    return checked
