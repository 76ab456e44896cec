"""The airports: a real program on real data, and what it makes of bad data."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.test import override_settings

from jobs.airports import PROGRAM, importing
from jobs.airports.clocks import LookUpClocks
from jobs.airports.folder import Folder, page_name
from jobs.airports.source import COLUMNS
from programs import registry
from programs.errors import RetryableError
from programs.job import JobData
from programs.models import Program, State
from programs.submission import create_program
from tests.ending import outcomes, run_to_end

pytestmark = pytest.mark.django_db

GOOD = {
    "icao": "LFSB",
    "iata": "BSL",
    "name": "EuroAirport",
    "city": "Basel",
    "subd": "Grand Est",
    "country": "FR",
    "elevation": "885",
    "lat": "47.59",
    "lon": "7.53",
    "tz": "Europe/Paris",
    "lid": "",
}


@pytest.fixture(autouse=True)
def _own_folder_without_delays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(LookUpClocks, "retry_delay", 0.0)
    with override_settings(MEDIA_ROOT=tmp_path / "media"):
        yield


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PAGE", 10)


def airports(count: int) -> list[dict[str, str]]:
    """Return rows of so many airports, each at a place of its own."""
    return [{**GOOD, "icao": f"{n:04}", "lat": f"{n / 100}"} for n in range(count)]


def file_of(path: Path, rows: list[dict[str, str]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def run_on(rows: list[dict[str, str]], folder: Path) -> Program:
    """Run the program on a file of these rows, to its end."""
    return run_to_end(create_program(PROGRAM, {"file": file_of(folder / "airports.csv", rows)}))


def rows_of(program: Program, kind: str, pages: int) -> list[dict[str, Any]]:
    folder = Folder(program.run_id)
    return [row for page in range(pages) for row in folder.read_rows(page_name(kind, page))]


def rejects_of(program: Program) -> list[dict[str, str]]:
    text = Folder(program.run_id).read("rejects.csv")
    return list(csv.DictReader(text.splitlines()))


# The real data ------------------------------------------------------------------------------


def test_the_airports_of_the_world_become_a_report() -> None:
    program = run_to_end(create_program(PROGRAM))

    assert program.state is State.FINISHED
    imported, validated, _, _, _, reported = (program.job_data[job] for job in PROGRAM)
    assert imported["rows"] > 28_000
    assert validated["valid"] + validated["rejected"] == imported["rows"]
    assert len(rejects_of(program)) == validated["rejected"] > 0
    figures = Folder(program.run_id).read_json("figures.json")
    for part in ("countries", "zones", "elevations", "cells"):
        assert sum(count for _, count in figures[part]) == validated["valid"]
    report = Path(reported["report"]).read_text(encoding="utf-8")
    assert "<svg" in report
    assert "Laguna Choclococha" in report  # the highest
    assert all(
        len(json.dumps(data)) < 500 for data in program.job_data.values()
    )  # cursors and counts


def test_a_busy_service_is_seen_as_two_retries_that_carry_on(tmp_path: Path) -> None:
    rows = airports(250)
    for number, row in enumerate(rows):
        row["tz"] = f"Mars/Crater{number}"

    program = run_to_end(
        create_program(PROGRAM, {"file": file_of(tmp_path / "airports.csv", rows)})
    )

    attempts = list(program.attempts.filter(job="look_up_clocks"))
    assert [attempt.outcome for attempt in attempts] == ["retried", "retried", "succeeded"]
    assert "503" in str(attempts[0].message)
    assert program.job_data["look_up_clocks"] == {"zones": 250}


def test_the_report_tells_what_the_clocks_show_on_the_day_that_is_asked_for(tmp_path: Path) -> None:
    file = file_of(tmp_path / "airports.csv", airports(1))  # in Basel

    shown = {}
    for day in ("2026-03-28", "2026-03-29"):  # the night between puts the clocks forward
        program = run_to_end(create_program(PROGRAM, {"file": file, "day": day}))
        chart = Folder(program.run_id).read("chart.svg")
        assert f"Clocks on {day}" in chart
        shown[day] = [hours for hours in ("UTC+1", "UTC+2") if f">{hours}<" in chart]

    assert shown == {"2026-03-28": ["UTC+1"], "2026-03-29": ["UTC+2"]}


@pytest.mark.parametrize("day", ["tomorrow", "2026-02-30", "0001-01-01", 20261124, None])
def test_what_is_no_day_ends_the_program_and_says_what_to_give(tmp_path: Path, day: object) -> None:
    file = file_of(tmp_path / "airports.csv", airports(1))

    program = run_to_end(create_program(PROGRAM, {"file": file, "day": day}))

    assert program.state is State.ERRORED
    told = f"program data: day is {day!r}: give one such as 2026-11-24"
    assert program.error_message == told


# Repetition ---------------------------------------------------------------------------------


class Killer:
    """Wraps a method so that its nth call fails, before or after it did its work."""

    def __init__(self, method: Callable[..., Any], nth: int, after: bool) -> None:
        self.method, self.nth, self.after, self.calls = method, nth, after, 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls != self.nth:
            return self.method(*args, **options)
        if self.after:
            self.method(*args, **options)
        raise RetryableError("killed", retry_after=0)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("nth", range(1, 9))
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("method", [(Folder, "write_rows"), (JobData, "checkpoint")])
def test_no_row_is_doubled_or_lost_wherever_a_job_is_killed(
    method: tuple[type, str], after: bool, nth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = airports(35)
    rows[7]["icao"] = rows[28]["icao"] = rows[3]["icao"]  # in the same page and in a later one
    killer = Killer(getattr(*method), nth, after)
    monkeypatch.setattr(*method, lambda *args, **options: killer(*args, **options))

    program = run_on(rows, tmp_path)

    assert program.state is State.FINISHED
    assert "retried" in [outcome for _, outcome in outcomes(program)]
    assert [row["icao"] for row in rows_of(program, "imported", 4)] == [row["icao"] for row in rows]
    assert len(rows_of(program, "valid", 4)) == 33
    assert [row["line"] for row in rejects_of(program)] == ["9", "30"]
    assert program.job_data["validate_airports"] == {"pages": 4, "valid": 33, "rejected": 2}


@pytest.mark.usefixtures("small_pages")
def test_a_page_left_by_an_earlier_longer_import_is_not_read(tmp_path: Path) -> None:
    program = create_program(PROGRAM, {"file": file_of(tmp_path / "airports.csv", airports(5))})
    Folder(program.run_id).write_rows(page_name("imported", 1), [{"line": 1, **GOOD}])

    assert run_to_end(program).job_data["validate_airports"]["valid"] == 5


# Validation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"icao": "LFS"}, "icao 'LFS' is no code of four letters or digits"),
        ({"iata": "B"}, "iata 'B' is no code of three letters or digits"),
        ({"name": " "}, "name ' ' is empty"),
        ({"country": "France"}, "country 'France' is no country code of two letters"),
        ({"elevation": "high"}, "elevation 'high' is no height from -1,500 to 20,000 feet"),
        ({"elevation": "nan"}, "elevation 'nan' is no height from -1,500 to 20,000 feet"),
        ({"lat": "90.1"}, "lat '90.1' is no latitude from -90 to 90"),
        ({"lon": ""}, "lon '' is no longitude from -180 to 180"),
        ({"tz": "../etc"}, "tz '../etc' is no time zone's name"),
        ({"icao": "0000", "lat": "1"}, "has the icao code of line 2"),
        ({"name": "EUROAIRPORT", "lat": "0.001"}, "has the name and place of line 2"),
    ],
)
def test_a_bad_row_is_kept_with_its_reason(
    changes: dict[str, str], reason: str, tmp_path: Path
) -> None:
    program = run_on([*airports(1), {**GOOD, **changes}], tmp_path)

    assert program.state is State.FINISHED
    assert [(row["line"], row["reason"]) for row in rejects_of(program)] == [("3", reason)]


def test_rows_of_another_length_are_kept_with_the_reason(tmp_path: Path) -> None:
    file = Path(file_of(tmp_path / "airports.csv", airports(1)))
    short, long = "LFSB,BSL,EuroAirport\n", ",".join([*GOOD.values(), "one", "two"])
    file.write_text(file.read_text() + short + long)

    program = run_to_end(create_program(PROGRAM, {"file": str(file)}))

    reasons = [row["reason"] for row in rejects_of(program)]
    assert reasons == ["ends before city", "has 2 fields more than the first line"]


def test_columns_may_come_in_any_order_behind_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "airports.csv"
    names = ["note", *reversed(COLUMNS)]
    values = [{**GOOD, "note": "x"}[name] for name in names]
    file.write_text(f"\ufeff{','.join(names)}\n{','.join(values)}\n", encoding="utf-8")

    program = run_to_end(create_program(PROGRAM, {"file": str(file)}))

    assert program.job_data["validate_airports"] == {"pages": 1, "valid": 1, "rejected": 0}


def test_an_airport_without_a_known_clock_is_counted_all_the_same(tmp_path: Path) -> None:
    rows = airports(3)
    rows[0]["tz"], rows[1]["tz"] = "", "Mars/Olympus"

    program = run_to_end(
        create_program(PROGRAM, {"file": file_of(tmp_path / "airports.csv", rows)})
    )

    assert program.state is State.FINISHED
    assert program.job_data["aggregate_airports"]["airports"] == 3


def test_names_are_escaped_in_the_report(tmp_path: Path) -> None:
    rows = [{**GOOD, "name": "<script>alert(1)</script>"}]

    program = run_to_end(
        create_program(PROGRAM, {"file": file_of(tmp_path / "airports.csv", rows)})
    )

    report = Path(program.job_data["report_airports"]["report"]).read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)" in report
    assert "<script>" not in report


# Bad input ----------------------------------------------------------------------------------


def error_of(file: object) -> str:
    program = run_to_end(create_program(PROGRAM, {"file": file}))
    assert program.state is State.ERRORED
    attempt = program.attempts.get(outcome="errored")
    return str(attempt.message)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = error_of(str(tmp_path / "none.csv"))

    assert error.startswith(f"{tmp_path / 'none.csv'} does not exist on this worker: put it there")


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert error_of(str(tmp_path)) == (
        f"{tmp_path} cannot be read (Is a directory): give a file that the worker may read"
    )


@pytest.mark.parametrize("file", [7, None, "airports.csv"])
def test_what_is_no_absolute_path_is_named(file: object) -> None:
    assert error_of(file).startswith(f"program data: file is {file!r}: give the absolute path")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "has no column icao, iata"),
        (b"icao,iata,name,city,subd,country,lat,lon,lid\n", "has no column elevation, tz: its"),
        (",".join(COLUMNS).encode() + b"\n", "has no rows: give a file with airports"),
        (",".join(COLUMNS).encode() + b"\nLF\xe9B", "is not UTF-8"),
        (",".join(COLUMNS).encode() + b'\n"' + b"x" * 200_000, "is no CSV file (field larger"),
        (",".join(COLUMNS).encode() + b"\nx\ny", "all 2 rows were rejected, the first because it"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(
    content: bytes, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "airports.csv"
    file.write_bytes(content)

    error = error_of(str(file))

    assert str(file) in error
    assert told in error


def test_a_folder_that_is_not_shared_by_all_workers_is_named() -> None:
    program = run_to_end(create_program(PROGRAM[1:]))

    assert str(Folder(program.run_id).path / "imported.json") in str(program.error_message)
    assert "MEDIA_ROOT" in str(program.attempts.get().message)


def test_a_run_id_that_another_program_inserted_does_not_lead_out_of_the_folder() -> None:
    with pytest.raises(SuspiciousFileOperation):
        Folder("../../../etc")


# The program --------------------------------------------------------------------------------


def test_every_job_of_the_program_is_found_by_discovery() -> None:
    assert set(PROGRAM) <= registry.registered().keys()
