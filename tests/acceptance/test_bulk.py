"""A bulk operation in real workers: through kills, and before the flood that it is to stop."""

from __future__ import annotations

from programs.bulk import outcomes_of, start
from programs.inspection import Selection
from programs.models import Operation, Program, State, Verb
from programs.submission import create_programs
from tests.site import Site, all_ended, on_each_database, on_rabbitmq, wait_for
from tests.waiting import eventually


@on_each_database
def test_a_killed_worker_leaves_nothing_undone_and_nothing_is_done_twice(site: Site) -> None:
    programs = create_programs([{"jobs": ["noop"], "queue": "nobody's"}] * 400)
    selection = Selection(queue="nobody's")
    worker = site.worker("--threads", "1").started()

    bulk = start(Verb.PAUSE, selection=selection, by="ada", reason="a kill", total=400)
    eventually(lambda: outcomes_of(bulk).count() > 120, within=60)
    worker.kill_child()
    eventually(lambda: outcomes_of(bulk).count() > 250, within=60)
    worker.kill_child()

    ended = wait_for(bulk, State.FINISHED, within=120)
    paused = Operation.objects.filter(verb=Verb.PAUSE).order_by("program")
    assert list(paused.values_list("program", flat=True)) == [each.pk for each in programs]
    assert ended.job_data["programs.bulk"].items() >= {"done": 400, "refused": 0}.items()
    assert ended.attempts.count() > 1


@on_rabbitmq
def test_a_flood_is_stopped_before_it_has_run(site: Site) -> None:
    create_programs([{"jobs": ["behave"], "program_data": {"how": "sleep", "seconds": 0.2}}] * 400)
    site.worker("--threads", "1").started()

    bulk = start(Verb.STOP, selection=Selection(), by="ada", reason="a flood")

    eventually(all_ended, within=60)
    assert wait_for(bulk, State.FINISHED).job_data["programs.bulk"]["done"] > 200
    assert Program.objects.in_state(State.STOPPED).count() > 200
