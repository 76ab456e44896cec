"""What an operator does to a queue, a worker or a schedule: each deed on a page of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from programs.admin.forms import ConsoleForm
from programs.admin.pages import ConsolePages
from programs.admin.sections import sections
from programs.admin.text import Words, legible
from programs.errors import InvalidInput, OperationRefused, UnknownDefinition


@dataclass(frozen=True)
class Switch:
    """One deed, as the console offers it. Its last word is the operation's own."""

    name: str  # of its page, in the URL
    label: Words
    meaning: Words
    done: Words  # of the subject, and of what the deed returned
    permission: str  # a codename of the app
    permission_name: str  # as the admin calls it
    act: Callable[..., Any]

    def is_permitted(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"programs.{self.permission}")


class SwitchForm(ConsoleForm):
    """Why an operator does what they are about to do."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept with your name in the list of operations."),
    )


class SwitchPages(ConsolePages):
    """The pages of queues and workers: a list of one's own, and a page for each switch."""

    def url_of(self, page: str, *arguments: object) -> str:
        """Return the address of a page of this model."""
        name = f"admin:programs_{self.opts.model_name}_{page}"
        return reverse(name, args=arguments, current_app=self.admin_site.name)

    def programs_url(self, **filters: str) -> str:
        """Return the address of the list of these programs."""
        url = reverse("admin:programs_program_changelist", current_app=self.admin_site.name)
        return f"{url}?{urlencode(filters)}"

    def program_url(self, pk: int) -> str:
        """Return the address of the page of one program."""
        name = "admin:programs_program_change"
        return reverse(name, args=[pk], current_app=self.admin_site.name)

    def section(self, request: HttpRequest, page: str, context: dict[str, Any]) -> HttpResponse:
        """Return a page with the ways to the other parts of the console."""
        ways = sections(request, self.admin_site.name)
        return self.render(request, page, {"sections": ways, **context})

    def switch(
        self, request: HttpRequest, switch: Switch, subject: object, *, back: str = "", to: str = ""
    ) -> HttpResponse:
        """Ask for the reason, and do it. `back`: where one came from; `to`: where one goes then."""
        if not switch.is_permitted(request):
            raise PermissionDenied
        back = back or self._way_back(request)
        form = SwitchForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            by, told = str(request.user.get_username()), self.called(subject)
            try:
                result = switch.act(subject, by=by, **form.cleaned_data)
            except (OperationRefused, UnknownDefinition) as refusal:
                self.message_user(request, legible(refusal), messages.ERROR)
                return HttpResponseRedirect(back)
            except InvalidInput as error:
                form.refuse(error)
            else:
                self.message_user(request, legible(str(switch.done).format(told, result)))
                return HttpResponseRedirect(to or back)
        context = {
            "title": f"{switch.label}: {self.called(subject)}",
            "form": form,
            "switch": switch,
            "subject": self.called(subject),
            "back": back,
        }
        return self.section(request, "switch", context)

    def _way_back(self, request: HttpRequest) -> str:
        if self.has_view_permission(request):
            return self.url_of("changelist")
        return reverse("admin:index", current_app=self.admin_site.name)
