"""Creating a program: the page that asks what it is made of."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from programs import submission
from programs.admin.catalog import known_jobs
from programs.admin.forms import CreationForm
from programs.admin.pages import ProgramPages
from programs.admin.text import legible
from programs.conf import settings
from programs.errors import IdempotencyConflict, InvalidProgram


class CreationPage(ProgramPages):
    """The page "Create a program"."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("programs.add_program")

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask what the program is made of, and create it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CreationForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                with transaction.atomic(using=settings.DATABASE):  # both, or an error and nothing
                    program = submission.create_program(
                        **form.cleaned_data, created_by=request.user.get_username()
                    )
                    self.log_addition(request, program, [{"added": {}}])
            except InvalidProgram as error:
                form.refuse(error)
            except IdempotencyConflict as error:
                form.add_error("idempotency_key", legible(error))
            else:
                return self.done(request, program, f"Program {program} is created.")
        context = {"title": "Create a program", "form": form, "known_jobs": known_jobs()}
        return self.render(request, "create", context)
