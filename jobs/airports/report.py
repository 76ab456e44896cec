"""The last step: a page that shows what was found."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from django.template import Context, Template
from django.utils.safestring import mark_safe

from jobs.airports.chart import CHART
from jobs.airports.folder import Folder
from jobs.airports.validation import REJECTS
from programs.job import Job, JobData
from programs.registry import register

if TYPE_CHECKING:
    from programs.message import Message

logger = logging.getLogger(__name__)

REPORT = "report.html"
ZONES, REJECTED = 10, 20  # rows shown


@register
class ReportAirports(Job):
    name = "report_airports"

    def execute(self, message: Message, job_data: JobData) -> None:
        path = Folder(message.run_id).write(REPORT, report(message.run_id))
        job_data.merge({"report": str(path)})
        logger.info("wrote %s", path)


def report(run_id: str) -> str:
    """Return the report of a run as HTML, with the chart in it."""
    folder = Folder(run_id)
    figures = folder.read_json("figures.json")
    rejects = list(csv.DictReader(io.StringIO(folder.read(REJECTS))))
    template = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    return template.render(
        Context(
            {
                "run_id": run_id,
                "imported": folder.read_json("imported.json"),
                "validated": folder.read_json("validated.json"),
                "figures": figures,
                "zones": figures["zones"][:ZONES],
                "chart": mark_safe(folder.read(CHART)),  # noqa: S308 (ours: its labels are escaped)
                "rejects": rejects[:REJECTED],
                "rejects_file": REJECTS,
            }
        )
    )
