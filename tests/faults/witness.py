"""The witness: a trigger of the tests' own that notes every change of a program's row.

What a worker says of itself is no proof. The database notes who changed which row, when and how,
whatever became of the worker afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections

from programs.conf import settings

# Neither the longest columns nor what no judgement needs.
LEFT_OUT = "{program_data,jobs,job_data,content_hash,error_message}"

WHO_LENGTH = 63  # bytes of application_name that PostgreSQL keeps

INSTALL = """
CREATE TABLE witness (
    id bigserial PRIMARY KEY, at timestamptz, who text, was jsonb, "is" jsonb, data_changed boolean
);
CREATE FUNCTION bear_witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO witness (at, who, was, "is", data_changed) VALUES (
        clock_timestamp(), current_setting('application_name'),
        CASE TG_OP WHEN 'UPDATE' THEN to_jsonb(OLD) - '{left_out}'::text[] END,
        to_jsonb(NEW) - '{left_out}'::text[],
        CASE TG_OP WHEN 'UPDATE' THEN OLD.job_data IS DISTINCT FROM NEW.job_data ELSE false END
    );
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE ON "{table}"
    FOR EACH ROW EXECUTE FUNCTION bear_witness();
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """One change of one row, as the database saw it."""

    at: float  # seconds since 1970, by the database's clock
    who: str  # application_name: a child's name, "worker-PID" for a supervisor, else the tests
    was: Row | None  # None: the row was inserted
    now: Row
    data_changed: bool = False

    @property
    def run_id(self) -> str:
        return str(self.now["run_id"])

    def due(self) -> float:
        """Return from when on the row could be claimed before this change; 0 if never.

        For a claimed row this is the end of the lease.
        """
        return moment(self.was["due_at"]) if self.was else 0.0

    def changed(self, *names: str) -> bool:
        return self.was is not None and any(self.was[name] != self.now[name] for name in names)

    def beyond(self, names: Iterable[str]) -> bool:
        """Tell whether anything else than these columns was changed."""
        was = self.was or {}
        changed = {name for name in self.now if was.get(name) != self.now[name]}
        return self.data_changed or bool(changed - set(names))

    def reopens(self, terminal: Iterable[str]) -> bool:
        """Tell whether the program had ended before this change, and is open after it."""
        was = self.was or {}
        return any(was.get(name) for name in terminal) and not any(
            self.now[name] for name in terminal
        )


def moment(text: str | None) -> float:
    """Return a JSON time in seconds since 1970; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def install() -> None:
    """Let the database of the programs note all changes from now on."""
    statement = INSTALL.format(left_out=LEFT_OUT, table=settings.TABLE_NAME)
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(statement)


def testimony() -> list[Change]:
    """Return all changes, those of one row in their order."""
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(
            'SELECT extract(epoch FROM at), who, was::text, "is"::text, data_changed'
            " FROM witness ORDER BY id"
        )
        return [
            Change(float(at), who, json_or_none(was), json_or_none(now) or {}, changed)
            for at, who, was, now, changed in cursor.fetchall()
        ]


def json_or_none(text: str | None) -> Row | None:
    return json.loads(text) if text else None
