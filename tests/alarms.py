"""The listeners of docs/alerting.md, as its reader would put them beside the jobs."""

from typing import Any

from tests.blocks import ROOT, blocks

listeners: dict[str, Any] = {"__name__": __name__}  # kept, for signals hold them weakly

for block in blocks(ROOT / "docs" / "alerting.md"):
    if "@receiver" in block.code:
        exec(compile(block.padded, "alerting.md", "exec"), listeners)  # noqa: S102 (our document)
