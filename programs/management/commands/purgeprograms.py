"""`manage.py purgeprograms`: delete programs that ended long ago."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser

from programs.management.arguments import span
from programs.management.command import OperatorCommand
from programs.management.purging import ended_before, purge
from programs.models import State
from programs.models.state import ENDED


class Command(OperatorCommand):
    help = (
        "Delete programs that ended longer ago than that, with their attempts and operations: a "
        "thousand rows at a time, beside running workers. Exit status: 0."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=span,
            required=True,
            metavar="TIME",
            help="since it ended: a number of s, m, h, d or w, such as 30d",
        )
        parser.add_argument(
            "--state",
            action="append",
            choices=[state.value for state in ENDED],
            help="only those that ended so; may be repeated. Default: all",
        )
        parser.add_argument("--dry-run", action="store_true", help="count, and delete nothing")

    def act(
        self, *, older_than: timedelta, state: list[str] | None, dry_run: bool, **options: Any
    ) -> None:
        total = 0
        for each in ENDED if state is None else map(State, dict.fromkeys(state)):
            if dry_run:
                number = ended_before(each, older_than).count()
            else:
                number = self._purge(each, older_than)
            total += number
            self.say(f"{each.label}: {number:,}")
        self.say(f"{total:,} programs {'would be ' if dry_run else ''}deleted")

    def _purge(self, state: State, age: timedelta) -> int:
        deleted = 0
        for number in purge(state, age):
            deleted += number
            self.show_progress(f"{state.label}: {deleted:,} deleted")
        if deleted and self.is_watched:
            self.note("")
        return deleted
