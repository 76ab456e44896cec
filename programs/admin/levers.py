"""Levers: what an operator can do to a program here, when, and by which permission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from programs import operations, registry
from programs.admin.forms import EditForm, ReasonForm, RetryForm, SkipForm
from programs.admin.text import Words
from programs.bulk import deed_behind
from programs.models import Program, Verb


@dataclass(frozen=True)
class Lever:
    """One operation, as the console offers it. Its last word is the operation's own."""

    verb: Verb
    deed: Words
    consequence: Words
    permission: str  # a codename of the app
    act: Callable[..., Program]
    form: type[ReasonForm] = ReasonForm

    @property
    def label(self) -> str:
        return str(self.deed)

    @property
    def meaning(self) -> str:
        return str(self.consequence)

    def is_permitted(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"programs.{self.permission}")

    def missing(self, request: HttpRequest, program: Program) -> str:
        """Return the permission that is wanting to do it to `program`; empty: it may be done."""
        if not self.is_permitted(request):
            return self.permission_name
        deed = deed_behind(self.verb, program)
        return LEVERS[deed].missing(request, program) if deed not in (None, self.verb) else ""

    @property
    def permission_name(self) -> str:
        """Return the permission as the admin calls it."""
        return str(dict(Program._meta.permissions)[self.permission])

    def fits(self, program: Program) -> bool:
        """Tell whether the operation can be done to `program` as it stands."""
        is_the_engines_own = self.verb is Verb.EDIT and registry.is_internal(program.jobs)
        return operations.is_allowed(self.verb, program) and not is_the_engines_own


LEVERS = {
    lever.verb: lever
    for lever in (
        Lever(
            Verb.STOP,
            _("Stop"),
            _(
                "A program that waits ends at once. A running job is told at its next checkpoint, "
                "and no further job is started."
            ),
            "stop_program",
            operations.stop_program,
        ),
        Lever(
            Verb.PAUSE,
            _("Pause"),
            _("No further job is started until the program is resumed. A running job ends first."),
            "pause_program",
            operations.pause_program,
        ),
        Lever(
            Verb.RESUME,
            _("Resume"),
            _("The program goes on where it was paused."),
            "pause_program",
            operations.resume_program,
        ),
        Lever(
            Verb.RETRY,
            _("Retry"),
            _("The program is opened again, and its retries are counted anew."),
            "retry_program",
            operations.retry_program,
            RetryForm,
        ),
        Lever(
            Verb.SKIP,
            _("Skip step"),
            _(
                "The program goes on behind its current step, as if that had succeeded. "
                "Behind the last step it is finished."
            ),
            "skip_program_step",
            operations.skip_step,
            SkipForm,
        ),
        Lever(
            Verb.EDIT,
            _("Edit data"),
            _("The jobs see the new data when they are run next."),
            "edit_program_data",
            operations.edit_data,
            EditForm,
        ),
    )
}


def fitting(program: Program) -> list[Lever]:
    """Return what can be done to `program` as it stands, by whoever may."""
    return [lever for lever in LEVERS.values() if lever.fits(program)]
