"""What the engine calls things, as the console says it: in the language of its reader.

The models' own words stay English, for the API, the command line, logs and errors say them, too.
Names in `_meta` would be migrations besides: the console gives them here.
"""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop as N_

from programs.models import Definition, Operation, Program, Queue, Schedule, Webhook, Worker

# All that `said` is given: states and verbs, what attempts and ticks end in, how steps stand.
ENGINES = (
    *(N_("scheduled"), N_("waiting"), N_("running"), N_("stopping"), N_("paused")),
    *(N_("finished"), N_("errored"), N_("stopped")),
    *(N_("resumed"), N_("retried"), N_("moved on"), N_("edited")),
    *(N_("paused queue"), N_("resumed queue"), N_("drained worker")),
    *(N_("added definition"), N_("changed definition"), N_("deleted definition")),
    *(N_("created schedule"), N_("changed schedule"), N_("deleted schedule")),
    *(N_("paused schedule"), N_("resumed schedule"), N_("ran schedule")),
    *(N_("succeeded"), N_("failed, to be tried again"), N_("failed"), N_("failed, ignorable")),
    *(N_("time used up"), N_("job not known here"), N_("skipped"), N_("worker lost")),
    *(N_("interrupted"), N_("lease lost")),
    *(N_("started"), N_("missed"), N_("refused"), N_("queued")),
    *(N_("start none of them"), N_("start the last one"), N_("start all, up to a limit")),
    *(N_("start another beside it"), N_("skip the tick"), N_("start one more once it has ended")),
    *(N_("done"), N_("not run"), N_("to come")),
    *(N_("created"), N_("stop requested")),  # moments that filters are about
)
COLUMNS = (
    *(N_("queue"), N_("created by"), N_("idempotency key"), N_("worker")),
    *(N_("created at"), N_("run at"), N_("due at"), N_("started at"), N_("step started at")),
    *(N_("paused at"), N_("stop requested at"), N_("stopped at"), N_("finished at")),
    *(N_("errored at"), N_("updated at")),
    *(N_("step"), N_("step retry count"), N_("losses"), N_("epoch"), N_("content hash")),
)
MODELS = {
    Program: (_("program"), _("programs")),
    Definition: (_("definition"), _("definitions")),
    Schedule: (_("schedule"), _("schedules")),
    Queue: (_("queue"), _("queues")),
    Worker: (_("worker"), _("workers")),
    Operation: (_("operation"), _("operations")),
    Webhook: (_("webhook"), _("webhooks")),
}


def said(english: object) -> str:
    """Return a word of the engine, one of `ENGINES`, in the reader's language."""
    return gettext(str(english))


def column(name: str) -> str:
    """Return the name of a column, one of `COLUMNS`, in the reader's language."""
    return gettext(name.replace("_", " "))


def name_models() -> None:
    """Let the admin's own pages call the models what the console calls them."""
    for model, (one, many) in MODELS.items():
        model._meta.verbose_name, model._meta.verbose_name_plural = one, many
    Webhook._meta.get_field("is_active").verbose_name = _("active")
