"""What a probe is told: one line for each thing that was looked at, and whether all is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. The words hold no address and no secret: anybody may ask."""

    about: str
    words: str
    is_well: bool = True


@dataclass(frozen=True)
class Checkup:
    """All that a probe is told; `good` and `bad` are the words of its first line."""

    good: str
    bad: str
    findings: Sequence[Finding] = ()

    @property
    def is_well(self) -> bool:
        return all(finding.is_well for finding in self.findings)

    @property
    def status(self) -> int:
        """Return the status of the HTTP answer."""
        return 200 if self.is_well else 503

    @property
    def text(self) -> str:
        first = self.good if self.is_well else self.bad
        return "".join(f"{line}\n" for line in (first, *map(_line, self.findings)))


def _line(finding: Finding) -> str:
    return f"{finding.about}: {'' if finding.is_well else 'FAILS, '}{finding.words}"
