"""The first step: the rows of the file, page by page, into the folder of the run."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any

from jobs.airports import source
from jobs.airports.folder import Folder, page_name
from programs.job import Job, JobData
from programs.registry import register

if TYPE_CHECKING:
    from programs.message import Message

logger = logging.getLogger(__name__)

PAGE = 1000  # rows
TURN = 10.0  # seconds after which other programs come first


@register
class ImportAirports(Job):
    name = "import_airports"

    def __init__(self, program_data: dict[str, Any]) -> None:
        super().__init__(program_data)
        self.source = source.named_in(program_data)

    def execute(self, message: Message, job_data: JobData) -> None:
        folder = Folder(message.run_id)
        done = job_data.get()
        pages, count = done.get("pages", 0), done.get("rows", 0)
        logger.info("importing %s from row %d on", self.source, count)
        rows = islice(source.rows(self.source), count, None)
        while page := list(islice(rows, PAGE)):
            folder.write_rows(page_name("imported", pages), page)
            pages, count = pages + 1, count + len(page)
            job_data.checkpoint({"pages": pages, "rows": count}, max_execution_time=TURN)
        if not count:
            raise source.InvalidSource(f"{self.source} has no rows: give a file with airports")
        folder.write_json(
            "imported.json", {"file": str(self.source), "pages": pages, "rows": count}
        )
        logger.info("imported %d rows in %d pages", count, pages)
