"""The files of one run, in which its jobs hand their work on.

All workers need the same `MEDIA_ROOT`: the next job may run on another machine.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage

Row = dict[str, Any]


class FileMissing(Exception):
    """An earlier job's file is not in the folder of the run."""


class Folder:
    """The folder of one run. A file is written whole or not at all, so writing twice is safe."""

    def __init__(self, run_id: str) -> None:
        # The storage keeps us inside MEDIA_ROOT, whatever run id another program inserted.
        self.path = Path(default_storage.path(f"airports/{run_id}"))

    def write(self, name: str, text: str) -> Path:
        """Write a file and return its path once the disk holds it: a checkpoint may follow."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.draft")
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return path

    def read(self, name: str) -> str:
        """Return the text of a file; raise `FileMissing` where there is none."""
        path = self.path / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise FileMissing(
                f"{path} is missing: give all workers the same MEDIA_ROOT, or, if it was deleted, "
                "create the program anew"
            ) from error

    def write_json(self, name: str, value: Row) -> None:
        self.write(name, json.dumps(value, indent=1))

    def read_json(self, name: str) -> Row:
        value: Row = json.loads(self.read(name))
        return value

    def write_rows(self, name: str, rows: Iterable[Row]) -> None:
        """Write rows, one JSON object a line."""
        self.write(name, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))

    def read_rows(self, name: str) -> list[Row]:
        # Not splitlines: names may hold other characters that Python takes for line ends.
        return [json.loads(line) for line in self.read(name).split("\n") if line]


def page_name(kind: str, page: int) -> str:
    """Return the name of one page of rows."""
    return f"{kind}/{page:05}.jsonl"
