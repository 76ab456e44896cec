"""What the console's own pages share: their frame, their scripts, and the way back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.apps import apps
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.forms.widgets import Script
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import reverse

from programs.admin.readonly import ReadOnlyAdmin
from programs.admin.text import legible
from programs.models import Program


class ConsolePages(ReadOnlyAdmin):
    """Pages that are not the stock admin's: in their frame, with templates of their model."""

    @property
    def media(self) -> forms.Media:
        """Return what all pages load; what moves by itself needs the extra [console]."""
        scripts: list[Any] = [Script("programs/console.js", defer=True)]
        if apps.is_installed("django_htmx"):
            scripts.insert(0, Script("django_htmx/htmx-2.min.js", defer=True))
            scripts.append(Script("programs/live.js", defer=True))
        return super().media + forms.Media(css={"all": ["programs/live.css"]}, js=scripts)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the model's own list to those who may see it. Nothing is changed there."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.list_view(request)

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Return the page of all rows, or what of it has changed."""
        raise NotImplementedError

    def render(self, request: HttpRequest, page: str, context: dict[str, Any]) -> HttpResponse:
        """Return a page in the frame of its admin site: a template of `admin/programs/<model>/`."""
        request.current_app = self.admin_site.name
        form = context.get("form")
        media = self.media + form.media if form else self.media
        frame = {**self.admin_site.each_context(request), "opts": self.opts, "media": media}
        template = f"admin/programs/{self.opts.model_name}/{page}.html"
        return TemplateResponse(request, template, {**frame, **context})


class DetailPages(ConsolePages):
    """Pages of one row that only show it: each deed has a page of its own."""

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one row. Nothing is changed here."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return self.detail_view(request, object_id)

    def detail_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the page of one row, or what of it has changed; refuse who may not see it."""
        raise NotImplementedError


class ProgramPages(ConsolePages):
    """The pages about programs."""

    def find(self, request: HttpRequest, object_id: str) -> Program:
        """Return the program of a page, or refuse."""
        program: Program | None = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, program):
            raise PermissionDenied
        if program is None:
            raise Http404(f"There is no program {object_id}.")
        return program

    def done(
        self, request: HttpRequest, program: Program, text: str, level: int = messages.SUCCESS
    ) -> HttpResponse:
        """Say what was done, on the program's page where the user may see it."""
        self.message_user(request, legible(text), level)
        may_look = self.has_view_permission(request, program)
        url = (
            self.url_of("change", program)
            if may_look
            else reverse("admin:index", current_app=self.admin_site.name)
        )
        return HttpResponseRedirect(url)

    def url_of(self, page: str, program: Program | None = None) -> str:
        """Return the address of a page: of one program, or of all."""
        return reverse(
            f"admin:programs_program_{page}",
            args=[program.pk] if program else [],
            current_app=self.admin_site.name,
        )
