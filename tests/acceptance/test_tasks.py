"""Tasks of Django's framework in workers' processes, which are killed at that."""

from __future__ import annotations

from typing import Any

from programs.models import Program, State
from programs.tasks.framework import TaskResult, TaskResultStatus
from tests import tasks
from tests.site import Site, wait_for
from tests.waiting import eventually


def end(result: TaskResult[..., Any]) -> TaskResult[..., Any]:
    """Wait until the task has ended."""

    def has_ended() -> bool:
        result.refresh()
        return result.is_finished

    eventually(has_ended, within=20)
    return result


def test_a_worker_runs_tasks_and_carries_them_on_when_it_is_killed(site: Site) -> None:
    gate = site.folder / "gate"
    waiting = tasks.wait_for_file.enqueue(str(gate))
    first = site.worker("--queue", "default", "--queue", "mail", TEST_LEASE="2").started()
    assert end(tasks.add.enqueue(40, 2)).return_value == 42
    assert end(tasks.add_asynchronously.enqueue(1, 2)).return_value == 3
    wait_for(Program.objects.get(run_id=waiting.id), State.RUNNING)

    first.kill()
    gate.write_text("opened")
    site.worker("--queue", "mail").started()

    result = end(waiting)
    assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, "opened")
    assert result.attempts == 2
    assert [error.exception_class.__name__ for error in result.errors] == ["WorkerLost"]
    assert len({worker.partition("/")[0] for worker in result.worker_ids}) == 2
