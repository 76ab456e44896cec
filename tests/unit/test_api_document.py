"""docs/api.md says which requests there are, and what they need: held against the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from programs.api.description import description
from tests.blocks import ROOT

TEXT = (ROOT / "docs" / "api.md").read_text()
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}

Request = tuple[str, str]  # its method, and its path with X for what differs


def rows() -> Iterator[tuple[set[Request], set[str]]]:
    """Yield what each row of the table stands for: requests, and the permissions that they need."""
    table = TEXT.partition("| request |")[2].partition("\n\n")[0]
    for told, needs in re.findall(r"^\| (`.+?) \| .+ \| (.+?) \|$", table, re.MULTILINE):
        always = needs.partition(";")[0]  # behind it stands what some requests need besides
        yield requests(re.findall(r"`([^`]+)`", told)), set(re.findall(r"`(\w+)`", always))


def requests(words: list[str]) -> set[Request]:
    """Return the requests of a cell such as `PATCH`, `DELETE /api/x/` or `POST /x/`, `y/`."""
    methods, paths = [], []
    for word in " ".join(words).split():
        if word in METHODS:
            methods.append(word)
        elif word.startswith("/"):
            paths.append(general(word))
        else:  # in the place of the last part of the path before
            paths.append(re.sub(r"[^/]+/$", general(word), paths[-1]))
    return {(method, path) for method in methods for path in paths}


def general(path: str) -> str:
    return re.sub(r"\{\w+\}|\b[A-Z_]{2,}\b", "X", path.partition("?")[0])


def schema() -> dict[Request, set[str]]:
    """Return the permissions that the schema names for each request."""
    return {
        (method.upper(), general(path)): set(
            re.findall(r"`programs\.(\w+)`", told["description"].rpartition("Needs")[2])
        )
        for path, methods in description()["paths"].items()
        for method, told in methods.items()
    }


def test_every_request_is_in_the_table_and_every_one_of_the_table_is_there() -> None:
    listed = [request for found, _ in rows() for request in found]
    assert sorted(listed) == sorted(schema())


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: min(row[0])[1])
def test_the_table_names_the_permissions_that_a_request_needs(
    row: tuple[set[Request], set[str]],
) -> None:
    found, permissions = row
    needed = schema()
    assert set().union(*(needed[request] for request in found)) == permissions
