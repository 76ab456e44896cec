"""What the engine says to SQL Server, Oracle and Redshift, held against what was read and kept.

No server has executed it. A change shows in the snapshot's difference, to be read by somebody:
`pytest tests/compiled --update-snapshots` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

import django
import pytest
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from tests.compiled.absent import KNOWN, absent
from tests.compiled.day import live
from tests.compiled.recorder import recorded, statements
from tests.running import on_sqlite
from tests.tables import MODELS

SNAPSHOTS = Path(__file__).parent / "snapshots"

# Another one's compiler writes other SQL for the same.
WRITTEN_BY = (5, 2)

pytestmark = [
    pytest.mark.skipif(django.VERSION[:2] != WRITTEN_BY, reason="snapshots are of Django 5.2"),
    pytest.mark.parametrize("kind", KNOWN),
    pytest.mark.filterwarnings("ignore:The usage of DatabaseOperations.field_cast_sql"),  # mssql's
]


def hold(name: str, found: list[str], request: pytest.FixtureRequest) -> None:
    """Compare with the snapshot of this name, or write it where that is asked for."""
    file = SNAPSHOTS / f"{name}.sql"
    text = "".join(f"{statement.rstrip(';')};\n" for statement in found)
    if request.config.getoption("--update-snapshots"):
        file.write_text(text)
    assert text == file.read_text(), "if that is meant: pytest tests/compiled --update-snapshots"
    kind, _, _ = name.partition("-")
    request.node.user_properties.append((f"{kind} statements", len(found)))  # for tests.proof


def test_the_migrations_are_as_they_were_read(kind: str, request: pytest.FixtureRequest) -> None:
    connection = absent(kind)
    loader = MigrationLoader(None)
    (last,) = loader.graph.leaf_nodes("programs")
    found: list[str] = []
    for key in loader.graph.forwards_plan(last):
        if key[0] != "programs":
            continue
        state = loader.project_state(key, at_end=False)
        with connection.schema_editor(collect_sql=True, atomic=False) as editor:
            loader.get_migration(*key).apply(state, editor, collect_sql=True)
        sqls = (" ".join(sql.split()) for sql in editor.collected_sql)
        found += sorted(sql for sql in sqls if sql[:2] != "--")  # some of them come of sets
    hold(f"{kind}-migrations", found, request)


@on_sqlite
def test_the_engines_statements_are_as_they_were_read(
    kind: str, bookkeeping: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, own = absent(kind), connections[bookkeeping]
    # The engine and Django ask for no more than the other database can do.
    for feature in ("has_select_for_update_skip_locked", "supports_select_for_update_with_limit"):
        monkeypatch.setattr(own.features, feature, getattr(connection.features, feature))
    monkeypatch.setattr(own.features, "can_return_columns_from_insert", False)
    monkeypatch.setitem(vars(own), "programs_compiled", {})

    with recorded(monkeypatch) as queries:
        live()

    asked = [query for query in queries if issubclass(query.model or object, MODELS)]
    found = {sql for query in asked for sql in statements(query, connection)}
    hold(f"{kind}-statements", sorted(found), request)
