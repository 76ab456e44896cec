"""Making a definition in the console, and changing one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs import specification
from programs.admin.catalog import known_jobs
from programs.admin.creation import ASSETS
from programs.admin.definition_form import DefinitionForm
from programs.admin.definition_pages import ADD, CHANGE_IT, DefinitionPages
from programs.admin.text import Words, legible
from programs.conf import settings
from programs.definition import StoredDefinition, change_definition, save_definition
from programs.errors import InvalidDefinition, InvalidProgram, OperationRefused
from programs.models import Definition, Program

BEFORE_JOBS = ("name", "description")
OF_A_PROGRAM = _(
    "Jobs, data and queue are those of the program. Its job data may hold how far its jobs had "
    "come: leave out what a new run shall not begin with."
)
MASKED = _("Secrets are masked: who may not see them types them anew, or leaves them out.")
KEPT_MASKS = _("Secrets are masked: a mask that stays stands for the secret that is stored.")
NOTHING_CHANGES = _("No program that exists is changed by this.")


class WritingPages(DefinitionPages):
    """The pages that add and change definitions."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.edit_view)
        page = path("<str:name>/edit/", view, name="programs_definition_edit")
        return [page, *super().get_urls()]

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask what the definition is made of; `?program=` begins with what a program is made of."""
        if not ADD.is_held(request):
            raise PermissionDenied
        source = self._source(request)
        form = self._form(request, source=source)
        if request.method == "POST" and form.is_valid():
            given = form.arguments
            try:
                specification.refuse_internal(given["jobs"])
                by = str(request.user.get_username())
                with transaction.atomic(using=settings.DATABASE):
                    definition = save_definition(**given, by=by)
                    self.log(request, definition.name, "added")
            except (InvalidDefinition, InvalidProgram) as error:
                form.refuse(error)
            else:
                return self._saved(request, definition.name, gettext("Definition {name} is added."))
        notes: list[Words] = [OF_A_PROGRAM] if source else []
        if source and not form.may_reveal:
            notes.append(MASKED)
        title = gettext("Save as definition") if source else gettext("Add definition")
        return self._asked(request, form, title, notes, self.url_of("changelist"), "")

    def edit_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Ask for what is to be another; one that stands in code is changed there."""
        if not CHANGE_IT.is_held(request):
            raise PermissionDenied
        found = self.find(request, name)
        back = self.url_of("change", found.name)
        if not isinstance(found, StoredDefinition):
            raise PermissionDenied(f"The definition {found.name} stands in code: change it there.")
        form = self._form(request, changed=found.row)
        if request.method == "POST" and form.is_valid():
            given = form.arguments
            try:
                specification.refuse_internal(given["jobs"])
                by = str(request.user.get_username())
                with transaction.atomic(using=settings.DATABASE):
                    change_definition(found.row, **given, by=by)
                    self.log(request, found.name, "changed")
            except (InvalidDefinition, InvalidProgram) as error:
                form.refuse(error)
            except OperationRefused as refusal:
                form.add_error(None, legible(refusal))
            else:
                return self._saved(request, found.name, gettext("Definition {name} is changed."))
        notes: list[Words] = [NOTHING_CHANGES]
        if not form.may_reveal:
            notes.append(KEPT_MASKS)
        return self._asked(request, form, gettext("Edit"), notes, back, found.name)

    def _form(self, request: HttpRequest, **given: Any) -> DefinitionForm:
        origin: Definition | Program | None = given.get("changed") or given.get("source")
        jobs = origin.jobs if origin is not None and isinstance(origin.jobs, list) else []
        known = known_jobs(name for name in jobs if isinstance(name, str))
        sent = request.POST if request.method == "POST" else None
        return DefinitionForm(request.user, known, sent, **given)

    def _source(self, request: HttpRequest) -> Program | None:
        """Return the program that is saved as a definition, if the user may view one."""
        if not (pk := request.GET.get("program", "")):
            return None
        if not request.user.has_perm("programs.view_program"):
            raise PermissionDenied
        is_key = pk.isascii() and pk.isdigit() and len(pk) < 19
        program = Program.objects.filter(pk=int(pk)).first() if is_key else None
        if program is None:
            raise Http404(f"There is no program {pk}.")
        return program

    def _asked(
        self,
        request: HttpRequest,
        form: DefinitionForm,
        deed: str,
        notes: list[Words],
        back: str,
        name: str,
    ) -> HttpResponse:
        fields = form.visible_fields()
        context = {
            "title": f"{deed}: {legible(name)}" if name else deed,
            "deed": deed,
            "form": form,
            "notes": notes,
            "known_jobs": form.known,
            "before_jobs": [field for field in fields if field.name in BEFORE_JOBS],
            "behind_jobs": [field for field in fields if field.name not in (*BEFORE_JOBS, "jobs")],
            "back": back,
            "back_label": legible(name),
            "media": self.media + form.media + ASSETS,
        }
        return self.section(request, "form", context)

    def _saved(self, request: HttpRequest, name: str, told: str) -> HttpResponse:
        self.message_user(request, told.format(name=legible(name)))
        if self.has_view_permission(request):
            return HttpResponseRedirect(self.url_of("change", name))
        return HttpResponseRedirect(reverse("admin:index", current_app=self.admin_site.name))
