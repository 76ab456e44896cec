"""The command line: all that is wrong with typed data is told, a line for each field."""

from __future__ import annotations

import pytest

from programs.models import Program
from tests.commands import manage
from tests.typed import serializer_of, typed_job

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_error_has_a_line_with_its_option_and_field() -> None:
    with typed_job():
        done = manage("createprogram", "import_day", "--job-data", '{"import_day": {"day": "x"}}')

    assert done.status == 1
    assert [line.partition(": ")[0] for line in done.err.splitlines()][-3:] == [
        "--data (program_data.region)",
        "--job-data (job_data.import_day.day)",
        "--job-data (job_data.import_day.mode)",
    ]
    assert not Program.objects.exists()


def test_an_error_that_holds_lines_is_one_line() -> None:
    def validate(self: object, values: object) -> object:
        raise RuntimeError("two\nlines\x1b[2J")

    with typed_job(data_class=serializer_of(validate=validate), program_data_class=None):
        done = manage("createprogram", "import_day")

    (line,) = done.err.splitlines()
    assert line.endswith("RuntimeError: two\\nlines\\u001b[2J")


def test_defaults_are_filled_in() -> None:
    data = '{"import_day": {"day": "2026-11-24", "mode": "full"}}'
    with typed_job():
        manage("createprogram", "import_day", "--data", '{"region": "north"}', "--job-data", data)

    assert Program.objects.get().job_data["import_day"]["limit"] == 100
