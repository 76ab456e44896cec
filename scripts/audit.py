#!/usr/bin/env python3
"""Asks the advisory service whether a known vulnerability is in what is installed here.

Fails when there is one, and when pip-audit itself fails. Where the service cannot be asked, it says
that nothing was audited, and is content: no change of ours is wrong because the network is away.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

DEADLINE = 120  # seconds for all of it
ANSWER = 10  # seconds for each answer of the service

OPTIONS = ["--local", "--format=json", "--progress-spinner=off", f"--timeout={ANSWER}"]

# What pip-audit says of a service that is not there, refuses or does not answer in time.
AWAY = re.compile(
    r"^(\S+\.)?(ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError)\b"
    r"|^\S*HTTPError: 5\d\d\b|Could not connect to|network may be blocking|could not be audited",
    re.MULTILINE,
)

# Comes with Python and not by our requirements; installs packages, and serves nothing.
NOT_OURS = {"pip"}

# Known, and harmless here: the advisory's id, and why.
ACCEPTED: dict[str, str] = {}


@dataclass
class Report:
    """What is known of the packages that are installed."""

    clean: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    vulnerable: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, dependencies: list[dict[str, Any]]) -> "Report":
        """Read what pip-audit found; who was skipped is unknown, whatever it says at its end."""
        report = cls()
        for dependency in dependencies:
            name = dependency["name"]
            if name in NOT_OURS:
                continue
            found = [each for each in dependency.get("vulns", []) if each["id"] not in ACCEPTED]
            if "vulns" not in dependency:
                report.unknown.append(name)
            elif not found:
                report.clean.append(name)
            for each in found:
                mended = ", ".join(each["fix_versions"]) or "nowhere yet"
                report.vulnerable.append(
                    f"{name} {dependency['version']}: {each['id']}, mended in {mended}"
                )
        return report

    def lines(self) -> list[str]:
        """Return what there is to say, and never more than was audited."""
        if self.vulnerable:
            return ["Known vulnerabilities:", *(f"    {line}" for line in self.vulnerable)]
        if not self.clean:
            return [f"Nothing was audited: no advisory for any of {len(self.unknown)} packages."]
        lines = [f"Audited {len(self.clean)} packages: no vulnerability is known."]
        if self.unknown:
            lines.append(f"Not audited: {', '.join(self.unknown)}")
        return lines


def main() -> int:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *OPTIONS],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        report = Report.of(json.loads(done.stdout)["dependencies"])
    except subprocess.TimeoutExpired:
        print(f"Nothing was audited: the advisory service took more than {DEADLINE} s.")
        return 0
    except (KeyError, ValueError):  # it ended early, as without a network
        reason = (done.stderr.splitlines() or ["pip-audit said nothing"])[-1][:300]
        if AWAY.search(done.stderr):
            print(f"Nothing was audited: {reason}")
            return 0
        print(f"Nothing was audited, pip-audit failed: {reason}")
        return 1
    print(*report.lines(), sep="\n")
    return 1 if report.vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
