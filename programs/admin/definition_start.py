"""Starting a definition: the page that shows what its program gets, to be changed or not."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs import submission
from programs.admin.creation import ASSETS
from programs.admin.definition_pages import START, DefinitionPages
from programs.admin.fields import START_TIME, ObjectField, StartTimeField
from programs.admin.forms import DATA_PARTS, STRAY_MASK, ConsoleForm
from programs.admin.text import as_editable, legible, names_of
from programs.admin.typed_data import DataEntry
from programs.conf import settings
from programs.definition import AnyDefinition
from programs.errors import IdempotencyConflict, InvalidProgram
from programs.inspection import may_reveal, visible, visible_job_data
from programs.inspection.masks import restored, stray_masks
from programs.models import Program
from programs.specification import QUEUE_NAME_LENGTH, TEXT_LENGTH
from programs.typed import job_data_classes, program_data_classes


class StartForm(ConsoleForm):
    """What a program of a definition gets. It begins with what the definition says."""

    program_data = ObjectField(
        label=_("Program data"), help_text=_("What all jobs of the program see.")
    )
    job_data = ObjectField(
        label=_("Job data"), help_text=_("The data of single jobs, by their names.")
    )
    queue = forms.CharField(
        label=_("Queue"),
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
            "Unique for ever: with the same key and content, no second program is started."
        ),
    )

    def __init__(
        self, user: Any, definition: AnyDefinition, data: Any = None, typed: Any = None
    ) -> None:
        """`typed`: what was typed so far, which is shown as it is, and not checked yet."""
        initial = {
            "program_data": as_editable(visible(definition.program_data, user)),
            "job_data": as_editable(visible_job_data(definition.job_data, user)),
            "queue": legible(definition.queue),
        }
        super().__init__(data, initial={**initial, **(typed or {})})
        self.user = user
        self.definition = definition
        zone = timezone.get_current_timezone_name()
        self.fields["run_at"].help_text = str(START_TIME).format(zone=zone)

    def clean(self) -> dict[str, Any]:
        """Refuse masks that would be stored as if they were secrets."""
        if not may_reveal(self.user):
            for part in DATA_PARTS:
                stored = getattr(self.definition, part)
                if stray := stray_masks(part, self.cleaned_data.get(part), stored):
                    self.add_error(part, STRAY_MASK.format(legible(stray[0])))
        return self.cleaned_data

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what the program is created with; masks stand for the definition's secrets."""
        given = dict(self.cleaned_data)
        if not may_reveal(self.user):
            for part in DATA_PARTS:
                given[part] = restored(part, given[part], getattr(self.definition, part))
        return given


class StartPage(DefinitionPages):
    """The page "Start", with a form for the data where a serializer tells how to draw one."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.start_view)
        page = path("<str:name>/start/", view, name="programs_definition_start")
        return [page, *super().get_urls()]

    def start_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Ask with what it is started, and start it; one whose jobs have vanished is refused."""
        if not START.is_held(request):
            raise PermissionDenied
        found = self.find(request, name)
        back = self.url_of("change", found.name)
        if missing := found.missing_jobs():
            told = "Nothing was started: neither this process nor a live worker knows "
            self.message_user(request, f"{told}{names_of(missing)}.", messages.ERROR)
            return HttpResponseRedirect(back)
        sent = request.POST if request.method == "POST" else None
        entry = DataEntry(sent, data_class=found.data_class)
        typed = entry.raw.dict() if entry.raw is not None and entry.is_redrawn else None
        form = StartForm(request.user, found, None if entry.is_redrawn else entry.raw, typed)
        error = None
        is_asked = sent is not None and not entry.is_redrawn
        if is_asked and all([form.is_valid(), entry.is_readable]):
            try:
                return self._started(request, form)
            except InvalidProgram as invalid:
                error = invalid
            except IdempotencyConflict as conflict:
                form.add_error("idempotency_key", self._conflict(request, form, conflict))
        if sent is not None:
            entry.finish(form, found.jobs, error)
        else:
            own = visible(found.program_data, request.user)
            entry.open(form, found.jobs, own, visible_job_data(found.job_data, request.user))
        is_typed = program_data_classes(found.jobs, found.data_class)
        context = {
            "title": gettext("Start {name}").format(name=legible(found.name)),
            "name": legible(found.name),
            "about": legible(found.description),
            "jobs": names_of(found.jobs),
            "form": form,
            "entry": entry,
            "jobs_are_fixed": True,
            "may_be_drawn": bool(entry.forms or is_typed or job_data_classes(found.jobs)),
            "may_reveal": may_reveal(request.user),
            "back": back,
            "media": self.media + form.media + entry.media + ASSETS,
        }
        return self.section(request, "start", context)

    def _started(self, request: HttpRequest, form: StartForm) -> HttpResponse:
        """Create the program with exactly the data that the page showed."""
        definition = form.definition
        with transaction.atomic(using=settings.DATABASE):  # both, or an error and nothing
            program = submission.create_program(
                definition.jobs,
                **form.arguments,
                data_class=definition.data_class,
                definition=definition.name,
                created_by=str(request.user.get_username()),
            )
            if program.was_created:
                self.log_addition(request, program, [{"added": {}}])
        return self._shown(request, form.definition, program)

    def _shown(
        self, request: HttpRequest, definition: AnyDefinition, program: Program
    ) -> HttpResponse:
        if program.was_created:
            told = gettext("Program {name} is started.")
        else:
            told = gettext("Program {name} was started before, with the same key.")
        self.message_user(request, told.format(name=legible(program)))
        if request.user.has_perm("programs.view_program"):
            return HttpResponseRedirect(self.program_url(program.pk))
        return HttpResponseRedirect(self.url_of("change", definition.name))

    def _conflict(
        self, request: HttpRequest, form: StartForm, error: IdempotencyConflict
    ) -> SafeString | str:
        """Return what the error says, with a link to the program that has the key."""
        rows = Program.objects.using(settings.DATABASE).only("pk")
        first = rows.filter(idempotency_key=form.cleaned_data["idempotency_key"]).first()
        if first is None or not request.user.has_perm("programs.view_program"):
            return legible(error)
        url = self.program_url(first.pk)
        told = gettext("look at that program")
        return format_html('{}: <a href="{}">{}</a>', legible(error), url, told)
