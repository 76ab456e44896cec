"""Which programs are meant: the filters of the console's list, of bulk operations, of the API.

Whatever is asked for, a page looks at a bounded part of the table. A state and dates are found by
an index. The rest is looked for among the newest programs, as many as `WINDOW`, and the page tells
how far it came, so that one can go on from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, time, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from programs.conf import settings
from programs.errors import InvalidProgram
from programs.models import Program, State
from programs.models.clock import storable
from programs.models.matching import Holds
from programs.models.program import ProgramQuerySet
from programs.models.state import where

WINDOW = 50_000  # programs that a search looks at for one page
COUNTED = 10_000  # the most that is counted of a state: beyond, "more than" is told
MATCHES_COUNTED = 100_000  # the same of a whole selection, before something is done to all of it
TEXT_LENGTH = 255  # characters
PARAMETERS = ("state", "q", "queue", "job", "definition", "worker", "since", "until")

# When a program came into a state: what its list is ordered by, and what dates are about. The
# other states have no index in this order, but most often few programs.
MOMENTS: dict[State | None, str] = {
    State.FINISHED: "finished_at",
    State.ERRORED: "errored_at",
    State.STOPPED: "stopped_at",
    State.PAUSED: "paused_at",
    State.STOPPING: "stop_requested_at",
}

RUN_ID = re.compile(r"[0-9a-f]{24}")  # one of ours, whole


class Page(NamedTuple):
    """Some of the programs of a selection, the newest first."""

    programs: list[Program]
    older: str  # the cursor of the next page; empty at the end
    searched_back_to: datetime | None  # where the search paused, with more programs behind


class Count(NamedTuple):
    """How many programs there are, as far as they were counted."""

    number: int
    is_exact: bool


class Reach(NamedTuple):
    """The programs that one page looks at, by their moments, for those that are sought."""

    rows: ProgramQuerySet
    end: datetime | None  # the oldest one's moment, with more behind
    are_few: bool  # of the state that is asked for


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What an operator has filtered for. An empty field leaves its question open."""

    state: State | None = None
    q: str = ""  # a part of the error message, the creator, the run id or a job's name
    queue: str = ""
    job: str = ""
    definition: str = ""  # the name of what it was started from
    worker: str = ""  # that holds it now
    since: datetime | None = None  # of `moment`; inclusive
    until: datetime | None = None  # exclusive

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Selection:
        """Read the parameters of a URL; raise `InvalidProgram` that names the wrong one."""
        texts = {name: _text(name, given.get(name)) for name in PARAMETERS}
        state = texts["state"]
        if state and state not in State.values:
            raise InvalidProgram("state", f"must be one of {', '.join(State.values)}")
        return cls(
            state=State(state) if state else None,
            q=texts["q"],
            queue=texts["queue"],
            job=texts["job"],
            definition=texts["definition"],
            worker=texts["worker"],
            since=_moment("since", texts["since"]),
            until=_moment("until", texts["until"], timedelta(days=1)),
        )

    def encode(self) -> dict[str, str]:
        """Return what `parse` reads, without what is empty."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        texts = {
            name: value.isoformat() if isinstance(value, datetime) else str(value or "")
            for name, value in values.items()
        }
        return {name: text for name, text in texts.items() if text}

    @property
    def moment(self) -> str:
        """Return the column that the selection is ordered by, and that its dates are about."""
        return MOMENTS.get(self.state, "created_at")

    @property
    def is_indexed(self) -> bool:
        """Whether an index finds these programs, however many others there are."""
        is_sought = self.queue or self.job or (self.definition and not self._orders_definition)
        return not (is_sought or (self.q and not self._is_run_id))

    def every(self, using: str | None = None) -> ProgramQuerySet:
        """Return all that match: to be gone through in the background, in the order of keys."""
        return self._indexed(using).filter(self._sought).order_by("pk")

    def page(self, size: int, older: str = "", using: str | None = None) -> Page:
        """Return one page; `older` is the cursor that the page before gave."""
        begin = behind = Q()
        if older:
            at, pk = _position(older)
            # What an index understands. A window has ended behind all of its moment (key 0):
            # were these counted into the next one, that might end where it begins.
            begin = Q(**{f"{self.moment}__{'lte' if pk else 'lt'}": at})
            behind = ~Q(**{self.moment: at, "pk__gte": pk})
        rows, end, are_few = self._reach(using, begin)
        # Few are found by an index of another order, and sorted. Left the choice, PostgreSQL goes
        # through a million programs by their moments, because it takes these to be everywhere.
        moment = _unindexed(self.moment) if are_few else F(self.moment)
        newest = rows.filter(behind, self._sought).order_by(moment.desc(), "-pk")
        found = list(newest.defer("program_data", "job_data")[: size + 1])
        if len(found) > size:
            last = found[size - 1]
            return Page(found[:size], _cursor(getattr(last, self.moment), last.pk), None)
        return Page(found, _cursor(end, 0) if end else "", end)

    def latest(self, using: str | None = None) -> datetime | None:
        """Return the moment of the newest program that a page looks at, whether it matches or not.

        None: there is none.
        """
        newest = self._indexed(using).order_by(f"-{self.moment}")
        return newest.values_list(self.moment, flat=True).first()

    def newer(self, than: datetime, using: str | None = None) -> Count:
        """Count those that have come to the selection since that moment, as far as a page may."""
        since = Q(**{f"{self.moment}__gt": than})
        if self._is_of_state:
            rows = self._indexed(using).filter(since)
        else:
            rows = self._reach(using, since).rows
        return _count(rows.filter(self._sought), COUNTED)

    def count(
        self, limit: int = MATCHES_COUNTED, using: str | None = None, among: Q | None = None
    ) -> Count:
        """Count those that match, as far as a page may; `among`: and meet this condition, too."""
        if among is None and self._is_of_state:
            return _count(self._indexed(using).filter(self._sought), limit)
        rows, end, _ = self._reach(using, more_is_sought=among is not None)
        counted = _count(rows.filter(self._sought, among or Q()), limit)
        return counted if end is None else Count(counted.number, False)

    # The conditions ---------------------------------------------------------------------------

    def _indexed(self, using: str | None) -> ProgramQuerySet:
        every: ProgramQuerySet = Program.objects.using(using) if using else Program.objects.all()
        rows = every.alias(jobs_text=Cast("jobs", TextField()))
        if self.state and self._has_order:
            rows = rows.in_state(self.state)
        if self.since is not None:
            rows = rows.filter(**{f"{self.moment}__gte": self.since})
        if self.until is not None:
            rows = rows.filter(**{f"{self.moment}__lt": self.until})
        if self.definition and self._orders_definition:
            rows = rows.filter(definition=self.definition)
        if self.worker:
            rows = rows.filter(worker__isnull=False, worker__startswith=f"{self.worker}/")
        return rows.filter(run_id=self.q) if self._is_run_id else rows

    @cached_property
    def _is_run_id(self) -> bool:
        return bool(RUN_ID.fullmatch(self.q))

    @property
    def _is_of_state(self) -> bool:
        """Whether nothing but a state is asked for, if that: counting has a limit then."""
        return self == Selection(state=self.state)

    @property
    def _has_order(self) -> bool:
        """Whether an index has the programs of the state in the order of their list."""
        return self.state is None or self.state in MOMENTS

    @property
    def _orders_definition(self) -> bool:
        """Whether an index has the programs of a definition in the order of the list."""
        return self.moment == "created_at"

    @property
    def _sought(self) -> Q:
        """Return the conditions that no index answers."""
        condition = where(self.state) if self.state and not self._has_order else Q()
        if self.queue:
            condition &= Q(queue=self.queue)
        if self.job:
            condition &= _names(self.job)
        if self.definition and not self._orders_definition:
            condition &= Q(definition=self.definition)
        if self.q and not self._is_run_id:
            condition &= (
                Q(Holds("error_message", self.q))
                | Q(Holds("created_by", self.q))
                | Q(run_id__startswith=self.q)
                | Q(Holds("jobs_text", json.dumps(self.q, ensure_ascii=False)[1:-1]))
            )
        return condition

    def _reach(
        self, using: str | None, begin: Q | None = None, *, more_is_sought: bool = False
    ) -> Reach:
        """Return the programs that a page looks at: all that an index finds, or a window."""
        rows = self._indexed(using).filter(begin or Q())
        if not self._has_order and Selection(state=self.state).count(COUNTED, using).is_exact:
            return Reach(rows, None, True)
        is_found = self.is_indexed and self._has_order and not more_is_sought
        end = None if is_found else self._end_of_window(rows)
        if end is not None:
            rows = rows.filter(**{f"{self.moment}__gte": end})
        return Reach(rows, end, False)

    def _end_of_window(self, rows: ProgramQuerySet) -> datetime | None:
        newest = rows.order_by(f"-{self.moment}").values_list(self.moment, flat=True)
        return next(iter(newest[WINDOW : WINDOW + 1]), None)


def counts(using: str | None = None) -> dict[State, Count]:
    """Count the programs in each state, up to `COUNTED`."""
    selections = {state: Selection(state=state) for state in State}
    return {state: each.count(COUNTED, using) for state, each in selections.items()}


def _count(rows: ProgramQuerySet, limit: int) -> Count:
    number = rows.order_by()[: limit + 1].count()
    return Count(min(number, limit), number <= limit)


def _names(job: str) -> Q:
    """Return the condition that this job is among those of a program."""
    spellings = {json.dumps(job), json.dumps(job, ensure_ascii=False)}
    condition = Q()
    for spelling in spellings:
        condition |= Q(jobs_text__contains=spelling)
    return condition


def _unindexed(moment: str) -> ExpressionWrapper[Any]:
    """Return the value of a column as no index has it."""
    return ExpressionWrapper(F(moment) + timedelta(), DateTimeField())


def _position(cursor: str) -> tuple[datetime, int]:
    """Return the moment and the key behind which a page begins."""
    moment, separator, key = cursor.partition("~")
    try:
        at, pk = datetime.fromisoformat(moment), int(key)
        if timezone.is_aware(at):
            at = at.astimezone(UTC)  # no database takes each zone that Python knows
    except (ValueError, OverflowError) as error:
        raise InvalidProgram("older", "is no cursor that a page has given") from error
    if not separator or timezone.is_aware(at) != django_settings.USE_TZ or not -1 < pk < 2**63:
        raise InvalidProgram("older", "is no cursor that a page has given")
    return at, pk


def _cursor(moment: datetime, pk: int) -> str:
    return f"{moment.isoformat()}~{pk}"


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidProgram(name, f"must be a text, not {type(value).__name__}")
    if len(value) > TEXT_LENGTH or "\0" in value:
        raise InvalidProgram(name, f"must be at most {TEXT_LENGTH} characters, none of them NUL")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidProgram(name, "holds characters that cannot be stored") from error
    return value.strip()


def _moment(name: str, text: str, whole_day: timedelta = timedelta()) -> datetime | None:
    """Read a moment, or a day: its beginning, or, with `whole_day`, its end."""
    if not text:
        return None
    try:
        moment = parse_datetime(text)
        if moment is None or re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            day = parse_date(text)
            moment = datetime.combine(day, time()) + whole_day if day else None
        if moment is None:
            raise ValueError(text)
        if timezone.is_naive(moment) and django_settings.USE_TZ:
            moment = timezone.make_aware(moment)
        if timezone.is_aware(moment):
            # In UTC: PostgreSQL knows no zone that is sixteen hours away from it.
            moment = storable(moment.astimezone(UTC), settings.DATABASE)
        if not MINYEAR < moment.year < MAXYEAR:  # in another time zone there may be no such moment
            raise ValueError(text)
        return moment
    except (ValueError, OverflowError) as error:
        wanted = "2026-11-24 or 2026-11-24T14:30"
        raise InvalidProgram(name, f"must be a day or a moment, such as {wanted}") from error
