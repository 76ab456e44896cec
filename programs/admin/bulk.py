"""Bulk actions: one lever, pulled for each selected program."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from programs.admin.levers import LEVERS
from programs.admin.pages import ProgramPages
from programs.errors import OperationRefused
from programs.models import Verb

BULK_LIMIT = 1000  # programs in one request, so that it ends before the web server loses patience
REFUSALS_SHOWN = 5


class BulkActions(ProgramPages):
    """The bulk actions of the list of programs; each is there for those who hold its permission."""

    actions = ["stop_selected", "pause_selected", "resume_selected", "retry_selected"]

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return LEVERS[Verb.STOP].is_permitted(request)

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return LEVERS[Verb.PAUSE].is_permitted(request)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return LEVERS[Verb.RETRY].is_permitted(request)

    @admin.action(permissions=["stop"], description="Stop selected programs")
    def stop_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._pull_for_each(Verb.STOP, request, queryset)

    @admin.action(permissions=["pause"], description="Pause selected programs")
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._pull_for_each(Verb.PAUSE, request, queryset)

    @admin.action(permissions=["pause"], description="Resume selected programs")
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._pull_for_each(Verb.RESUME, request, queryset)

    @admin.action(permissions=["retry"], description="Retry selected programs where they ended")
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._pull_for_each(Verb.RETRY, request, queryset)

    def _pull_for_each(self, verb: Verb, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        lever = LEVERS[verb]
        selected = list(queryset[: BULK_LIMIT + 1])
        if len(selected) > BULK_LIMIT:
            text = f"{lever.label}: at most {BULK_LIMIT} programs at once. Nothing was done."
            self.message_user(request, text, messages.ERROR)
            return
        refusals = []
        for program in selected:
            try:
                lever.act(program, by=request.user.get_username())
            except OperationRefused as refusal:
                refusals.append(str(refusal))
        done = len(selected) - len(refusals)
        if done:
            self.message_user(request, f"{lever.label}: done for {_programs(done)}.")
        if refusals:
            reasons = "; ".join(refusals[:REFUSALS_SHOWN])
            more = "; …" if len(refusals) > REFUSALS_SHOWN else "."
            text = f"{lever.label}: refused for {_programs(len(refusals))}: {reasons}{more}"
            self.message_user(request, text, messages.WARNING)


def _programs(count: int) -> str:
    return "1 program" if count == 1 else f"{count} programs"
