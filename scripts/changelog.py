"""Draft CHANGELOG entries from the commit messages since the last tag, for a person to finish."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

# Only what users notice: the other types of commit have no place in a changelog.
SECTIONS = {"feat": "Added", "perf": "Faster", "fix": "Fixed"}

HEADER = re.compile(r"(?P<type>\w+)\((?P<scope>[^()]+)\)(?P<breaks>!?): (?P<subject>.+)")
BREAKING = re.compile(r"^BREAKING[ -]CHANGE: (?P<text>.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Change:
    """What one commit means to users."""

    section: str
    scope: str
    text: str


def main() -> None:
    tag = last_tag()
    changes = [change for message in messages_since(tag) for change in changes_in(message)]
    print(draft(changes) or f"Nothing that users notice since {tag or 'the beginning'}.")


def last_tag() -> str | None:
    """Return the newest tag on the way to here, or None before the first release."""
    done = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def messages_since(tag: str | None) -> list[str]:
    """Return the commits' messages, oldest first."""
    span = f"{tag}..HEAD" if tag else "HEAD"
    log = subprocess.run(
        ["git", "log", "--reverse", "--no-merges", "-z", "--format=%B", span],
        capture_output=True,
        text=True,
        check=True,
    )
    return [message.strip() for message in log.stdout.split("\0") if message.strip()]


def changes_in(message: str) -> list[Change]:
    """Return what users notice of one commit: nothing, what it does, or what it breaks as well."""
    match = HEADER.match(message)
    if not match:
        return []
    scope, subject = match["scope"], match["subject"]
    changes = []
    footer = BREAKING.search(message)
    if footer:
        changes.append(Change("Breaking", scope, " ".join(footer["text"].split())))
    elif match["breaks"]:
        changes.append(Change("Breaking", scope, subject))
    if match["type"] in SECTIONS:
        changes.append(Change(SECTIONS[match["type"]], scope, subject))
    return changes


def draft(changes: Sequence[Change]) -> str:
    """Return the entries as CHANGELOG.md has them, what breaks first."""
    parts = []
    for section in ("Breaking", *SECTIONS.values()):
        lines = [f"- **{c.scope}:** {c.text}" for c in changes if c.section == section]
        if lines:
            parts.append("\n".join([f"### {section}", "", *lines]))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
