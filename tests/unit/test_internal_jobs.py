"""The engine's own jobs are known everywhere, and not for those who create programs by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from programs.bulk import BulkOperation
from programs.errors import InvalidProgram
from programs.models import Program
from programs.specification import refuse_internal
from programs.submission import create_program
from tests.console import CREATE

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]


@pytest.mark.parametrize("jobs", [[BulkOperation.name], ["noop", BulkOperation.name]])
def test_the_engines_own_job_is_not_for_those_who_create_programs_by_hand(
    admin_client: Client, jobs: list[str]
) -> None:
    answer = admin_client.post("/api/programs/", {"jobs": jobs}, content_type="application/json")
    admin_client.post(CREATE, {"jobs": "\n".join(jobs), "queue": "default"})

    field = f"jobs[{len(jobs) - 1}]"
    assert answer.status_code == 400
    assert field in answer.content.decode()
    assert "is the engine's own job 'programs.bulk'" in answer.content.decode()
    with pytest.raises(InvalidProgram, match="is the engine's own"):
        refuse_internal(jobs)
    assert not Program.objects.exists()


def test_a_process_knows_no_jobs_of_others_by_knowing_the_engines_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("programs.registry._jobs", {BulkOperation.name: BulkOperation})
    assert create_program(["elsewhere"]).created_at < datetime.now(UTC)
