"""Making a schedule, and changing one, with a look at when it would fire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from programs import scheduling
from programs.admin.catalog import defined_names
from programs.admin.creation import ASSETS
from programs.admin.schedule_facts import MANAGE, NEXT, in_zones, told_of
from programs.admin.schedule_form import ScheduleForm, TimetableForm
from programs.admin.switches import SwitchPages
from programs.admin.text import legible
from programs.errors import InvalidInput, OperationRefused
from programs.models import Schedule


class WritingPages(SwitchPages):
    """The pages that add and change schedules."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        edit, preview = view(self.edit_view), view(self.preview_view)
        return [
            path("preview/", preview, name="programs_schedule_preview"),
            path("<path:object_id>/edit/", edit, name="programs_schedule_edit"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return MANAGE.is_held(request)

    def find(self, request: HttpRequest, object_id: str) -> Schedule:
        """Return the schedule of a page, or refuse."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        schedule: Schedule | None = self.get_object(request, unquote(object_id))
        if schedule is None:
            raise Http404(f"There is no schedule {object_id}.")
        return schedule

    def called(self, row: Schedule) -> str:
        told = _("schedule {number} ({definition})")
        return legible(told.format(number=row.pk, definition=row.definition))

    def definition_url(self, name: str) -> str:
        page = "admin:programs_definition_change"
        return reverse(page, args=[name], current_app=self.admin_site.name)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask when what is to be started; `?definition=` begins with that one."""
        if not MANAGE.is_held(request):
            raise PermissionDenied
        return self._asked(request, None)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for what is to be another."""
        if not MANAGE.is_held(request):
            raise PermissionDenied
        return self._asked(request, self.find(request, object_id))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Answer when it would fire, while one types."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not MANAGE.is_held(request):
            raise PermissionDenied
        return self.render(request, "preview", preview_of(TimetableForm(request.GET)))

    def _asked(self, request: HttpRequest, changed: Schedule | None) -> HttpResponse:
        definition = request.GET.get("definition", "")
        is_preview = request.method == "POST" and "preview" in request.POST
        sent = request.POST if request.method == "POST" and not is_preview else None
        typed = request.POST.dict() if is_preview else None
        form = ScheduleForm(request.user, sent, changed=changed, definition=definition, typed=typed)
        if sent is not None and form.is_valid():
            try:
                saved = self._saved(request, form, changed)
            except InvalidInput as error:
                form.refuse(error)
            except OperationRefused as refusal:
                form.add_error(None, f"{capfirst(legible(refusal))}.")
            else:
                return saved
        back = self.url_of("change", changed.pk) if changed else self.url_of("changelist")
        deed = _("Edit") if changed else _("Add schedule")
        names = defined_names() if request.user.has_perm("programs.view_definition") else []
        context = {
            "title": f"{deed}: {self.called(changed)}" if changed else deed,
            "deed": deed,
            "form": form,
            "parts": form.parts,
            "names": names,
            "zones": sorted(available_timezones()),
            "back": back,
            "back_label": self.called(changed) if changed else "",
            "preview_url": self.url_of("preview"),
            "media": self.media + form.media + ASSETS,
            **self._first_preview(request, form, is_preview=is_preview),
        }
        return self.section(request, "form", context)

    def _first_preview(
        self, request: HttpRequest, form: ScheduleForm, *, is_preview: bool
    ) -> dict[str, Any]:
        """Return the preview of what the page shows: where it was asked for, or is known."""
        if is_preview or form.is_bound:
            return preview_of(TimetableForm(request.POST))
        if form.changed is None:
            return {}
        return preview_of(TimetableForm(form.initial))

    def _saved(
        self, request: HttpRequest, form: ScheduleForm, changed: Schedule | None
    ) -> HttpResponse:
        by = str(request.user.get_username())
        if changed is None:
            schedule = scheduling.create_schedule(**form.arguments, by=by)
            told = _("{name} is added.")
        else:
            schedule = scheduling.change_schedule(changed, **form.arguments, by=by)
            told = _("{name} is changed.")
        self.message_user(request, told.format(name=capfirst(self.called(schedule))))
        if self.has_view_permission(request):
            return HttpResponseRedirect(self.url_of("change", schedule.pk))
        return HttpResponseRedirect(reverse("admin:index", current_app=self.admin_site.name))


def preview_of(form: TimetableForm) -> dict[str, Any]:
    """Return what a preview shows: the words and the next runs, or what is wrong."""
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        return {"problem": f"{form[name].label}: {errors[0]}" if name in form.fields else errors[0]}
    if form.timetable["cron"] is None and form.timetable["interval"] is None:
        return {"problem": ""}
    try:
        timetable = scheduling.Timetable.checked(**form.timetable)
        runs, own_zone = in_zones(timetable.next(NEXT, datetime.now(UTC)), timetable.time_zone)
        told = told_of(timetable)
    except InvalidInput as error:
        return {"problem": f"{form[error.field].label}: {legible(error.reason)}."}
    return {
        "explained": capfirst(legible(told)),
        "next_runs": runs,
        "own_zone": own_zone,
        "zone": legible(timetable.time_zone),
    }
