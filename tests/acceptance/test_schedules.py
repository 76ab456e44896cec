"""Schedules and real workers: nothing but a worker is needed for them to tick."""

from __future__ import annotations

from programs.definition import save_definition
from programs.models import Program, Schedule, State, Tick
from programs.models.clock import Utc
from programs.scheduling import create_schedule
from tests.site import Site, on_sqlite, wait_for
from tests.waiting import eventually


def test_a_schedule_that_is_made_while_workers_run_ticks_in_them(site: Site) -> None:
    for _ in range(2):
        site.worker().started()
    save_definition("nightly", ["count"])

    schedule = create_schedule("nightly", interval=1, overlap="allow")

    eventually(lambda: Tick.objects.started().count() >= 3)
    Schedule.objects.update(next_at=None)
    for tick in Tick.objects.all():
        assert tick.program is not None
        finished = wait_for(tick.program, State.FINISHED)
        assert finished.job_data == {"count": {"n": 1}}
        assert (finished.definition, finished.created_by) == ("nightly", str(schedule))
    assert Program.objects.count() == Tick.objects.count()


@on_sqlite
def test_a_burst_starts_what_is_due_and_runs_it(site: Site) -> None:
    save_definition("nightly", ["noop"])
    create_schedule("nightly", cron="0 0 1 1 *")
    Schedule.objects.update(next_at=Utc(after=-1))

    assert site.worker("--burst").process.wait(timeout=30) == 0

    assert Program.objects.get().state is State.FINISHED
    assert Tick.objects.get().outcome == "started"
