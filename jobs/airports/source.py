"""The CSV file that the airports come from."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airportsdata

from jobs.airports.folder import Row

COLUMNS = (
    "icao",
    "iata",
    "name",
    "city",
    "subd",
    "country",
    "elevation",
    "lat",
    "lon",
    "tz",
    "lid",
)


class InvalidSource(ValueError):
    """The file cannot be imported. Its message names the file and what to do."""


def named_in(program_data: dict[str, Any]) -> Path:
    """Return the file that the program data names, or the one that airportsdata brings."""
    if "file" not in program_data:
        return Path(airportsdata.__file__).with_name("airports.csv")
    file = program_data["file"]
    if not isinstance(file, str) or not Path(file).is_absolute():
        raise InvalidSource(
            f"program data: file is {file!r}: give the absolute path of a CSV file, or leave it "
            "out to import the airports of airportsdata"
        )
    return Path(file)


def rows(path: Path) -> Iterator[Row]:
    """Yield each row of the file under `COLUMNS`, with the `line` that it ends on.

    A field that a short row lacks is None; those that a long row has on top are its `surplus`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="surplus")
            lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise InvalidSource(
                    f"{path} has no column {', '.join(lacking)}: "
                    f"its first line must name {', '.join(COLUMNS)}"
                )
            for values in reader:
                row = {name: values[name] for name in COLUMNS}
                if "surplus" in values:
                    row["surplus"] = values["surplus"]
                yield {"line": reader.line_num, **row}
    except UnicodeDecodeError as error:
        raise InvalidSource(f"{path} is not UTF-8 ({error.reason}): save it as UTF-8") from error
    except csv.Error as error:
        raise InvalidSource(f"{path} is no CSV file ({error}): save it as CSV") from error
    except FileNotFoundError as error:
        raise InvalidSource(
            f"{path} does not exist on this worker: put it there, or correct the program data"
        ) from error
    except OSError as error:
        raise InvalidSource(
            f"{path} cannot be read ({error.strerror}): give a file that the worker may read"
        ) from error
