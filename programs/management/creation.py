"""What the commands share that create a program: its options, and waiting for its end."""

from __future__ import annotations

from math import inf

from django.core.management.base import CommandParser

from programs.management.arguments import add_by, add_data, moment, seconds
from programs.management.command import OperatorCommand, tell_ending
from programs.management.following import follow
from programs.models import Program


class CreationCommand(OperatorCommand):
    """Prints the run id of a program that is created, and of one that was there already."""

    def add_creation(self, parser: CommandParser, *, queue: str | None, behind: str) -> None:
        """Add the options of a creation; `behind`: what `--wait` would take for its seconds."""
        add_data(parser)
        usual = queue or "the definition's"
        parser.add_argument("--queue", default=queue, help=f"default: {usual}")
        parser.add_argument(
            "--run-at", type=moment, metavar="MOMENT", help="not before, as 2030-01-31T12:00:00Z"
        )
        parser.add_argument(
            "--idempotency-key",
            metavar="KEY",
            help="the same key and content again: the first program's run id, and no second one",
        )
        add_by(parser)
        parser.add_argument(
            "--wait",
            nargs="?",
            type=seconds,
            const=inf,
            metavar="SECONDS",
            help=f"until it has ended, for SECONDS at most; to be given behind {behind}",
        )

    def tell(self, program: Program, wait: float | None) -> None:
        """Print the run id; wait, if that is asked for, and end as the program did."""
        self.say(program.run_id)
        if not program.was_created:
            self.note(f"program {program} was there already, with this key and content")
        if wait is None:
            return
        if self.is_watched:
            follow(program, self.note, timeout=wait)
        else:
            program.wait(wait)
        tell_ending(program)
