"""What can be told of programs by looking: why one waits, what of it who may see, which match.

Nothing is changed here, and nothing decided: times are this process's, to be read by people.
"""

from programs.inspection.selection import Count, Page, Selection, counts
from programs.inspection.visibility import may_reveal, visible, visible_detail, visible_job_data
from programs.inspection.waiting import Reason, span, why

__all__ = [
    "Count",
    "Page",
    "Reason",
    "Selection",
    "counts",
    "may_reveal",
    "span",
    "visible",
    "visible_detail",
    "visible_job_data",
    "why",
]
