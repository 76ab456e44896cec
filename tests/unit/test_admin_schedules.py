"""The console's pages of schedules: the list, the page of one, what is done to one, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from programs.definition import save_definition, start_program
from programs.models import Operation, Program, Schedule, Tick, TickOutcome, Verb
from programs.scheduling import pause_schedule, run_schedule
from tests.clients import client_of
from tests.console import LIST, page_of, texts
from tests.scheduling import scheduled

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

SCHEDULES = "/admin/programs/schedule/"
LOOK, MANAGE = "view_schedule", "manage_schedules"
HOSTILE = "<script>alert(1)</script>'\"\u202e"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#x27;&quot;\\u202e"


@pytest.fixture(autouse=True)
def orders() -> None:
    save_definition("orders", ["noop"])


@pytest.fixture
def schedule() -> Schedule:
    return scheduled("orders", cron="30 2 * * *", time_zone="Europe/Berlin", by="ada")


@pytest.fixture
def in_utc() -> Iterator[None]:
    with timezone.override(UTC):
        yield


def page_for(deed: str, schedule: Schedule) -> str:
    return f"{SCHEDULES}{schedule.pk}/{deed}/"


def shown(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


# The list -------------------------------------------------------------------------------------


def test_the_list_says_what_starts_when(admin_client: Client, schedule: Schedule) -> None:
    paused = pause_schedule(scheduled("orders", interval=3600, description="each hour"))

    page = shown(admin_client, SCHEDULES)
    rows = admin_client.get(SCHEDULES).context["schedules"]

    assert [row.pk for row in rows] == [paused.pk, schedule.pk]
    assert "At 02:30 every day (Europe/Berlin)" in page
    assert ">paused</span>" in rows[0].state
    assert (rows[0].next_at, rows[0].description) == ("-", "each hour")
    assert ">active</span>" in rows[1].state


def test_the_list_shows_those_of_one_definition_and_goes_on_behind_its_page(
    admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    save_definition("reports", ["noop"])
    wanted = scheduled("reports")
    with CaptureQueriesContext(connection) as for_one:
        admin_client.get(SCHEDULES)
    made = [scheduled("orders").pk for _ in range(60)]

    with django_assert_num_queries(len(for_one)):
        first = admin_client.get(SCHEDULES)
    last = admin_client.get(SCHEDULES + first.context["older_url"])
    of_one = admin_client.get(SCHEDULES, {"definition": " rep\0orts"})  # no NUL for PostgreSQL

    assert [row.pk for row in first.context["schedules"]] == made[:9:-1]
    assert [row.pk for row in last.context["schedules"]] == [*made[9::-1], wanted.pk]
    assert [row.pk for row in of_one.context["schedules"]] == [wanted.pk]


@pytest.mark.parametrize("older", ["x", "-1", "9" * 30, "\u0661"])
def test_a_cursor_that_no_page_has_given_is_refused(admin_client: Client, older: str) -> None:
    answer = admin_client.get(SCHEDULES, {"older": older})

    assert answer.status_code == 200
    assert "is no place that a page has given" in answer.content.decode()


# The page of one ------------------------------------------------------------------------------


def test_the_page_tells_the_next_five_runs_in_both_zones(
    admin_client: Client, schedule: Schedule, in_utc: None
) -> None:
    next_at = datetime(2027, 3, 27, 1, 30, tzinfo=UTC)  # the day before the clocks go forward
    Schedule.objects.update(next_at=next_at)

    answer = admin_client.get(page_for("change", schedule))

    runs = answer.context["next_runs"]
    assert len(runs) == 5
    assert runs[0] == ("Sat 2027-03-27 02:30:00 CET", "Sat 2027-03-27 01:30:00 UTC")
    assert runs[1][0].startswith("Sun 2027-03-28 03:")  # half past two is left out on that day
    assert runs[2] == ("Mon 2027-03-29 02:30:00 CEST", "Mon 2027-03-29 00:30:00 UTC")
    assert "at 02:30 every day (Europe/Berlin)" in answer.content.decode()


def test_a_paused_schedule_and_a_tick_that_waits_say_so(
    admin_client: Client, schedule: Schedule
) -> None:
    Schedule.objects.update(queued_at=datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert "waits for an earlier program to end" in shown(
        admin_client, page_for("change", schedule)
    )

    pause_schedule(schedule)

    page = shown(admin_client, page_for("change", schedule))
    assert "None: it is paused." in page
    assert page_for("resume", schedule) in page
    assert page_for("pause", schedule) not in page


def test_the_page_shows_the_last_ticks_with_their_programs(
    admin_client: Client, schedule: Schedule, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    program = run_schedule(schedule, by="ada")
    with CaptureQueriesContext(connection) as for_one:
        admin_client.get(page_for("change", schedule))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for hour in range(60):
        each = start_program("orders")
        moment = at + timedelta(hours=hour)
        Tick.objects.create(schedule=schedule, at=moment, outcome=TickOutcome.STARTED, program=each)

    with django_assert_num_queries(len(for_one)):
        answer = admin_client.get(page_for("change", schedule))

    ticks = answer.context["ticks"]
    assert len(ticks) == 50
    assert (ticks[0].run_id, ticks[0].url) == (program.run_id, page_of(program))
    assert ticks[0].told == "run now by ada"
    assert ">waiting</span>" in ticks[0].state


def test_the_page_tells_each_outcome_and_its_reason(
    admin_client: Client, schedule: Schedule
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for hour, outcome in enumerate(TickOutcome):
        moment = at + timedelta(hours=hour)
        Tick.objects.create(
            schedule=schedule, at=moment, outcome=outcome, message=f"why {outcome}", count=hour + 1
        )

    page = shown(admin_client, page_for("change", schedule))

    for outcome in TickOutcome:
        assert f">{outcome.label}</span>" in page
        assert f"why {outcome}" in page
    assert "(3 times, this is the last)" in page


def test_a_program_that_was_deleted_by_hand_leaves_its_tick(
    admin_client: Client, schedule: Schedule
) -> None:
    program = run_schedule(schedule)
    Program.objects.filter(pk=program.pk)._raw_delete("default")

    tick = admin_client.get(page_for("change", schedule)).context["ticks"][0]

    assert (tick.run_id, tick.url) == ("-", "")


def test_a_schedule_whose_definition_vanished_opens_and_says_so(
    admin_client: Client, schedule: Schedule
) -> None:
    Schedule.objects.update(definition="vanished")

    page = shown(admin_client, page_for("change", schedule))

    assert "There is no definition vanished any more" in page
    assert "/definition/vanished/" not in page


@pytest.mark.parametrize(
    "columns",
    [
        {"cron": "nonsense"},
        {"time_zone": "Mars/Olympus"},
        {"cron": None, "interval": None},
        {"time_zone": HOSTILE, "cron": HOSTILE},
        {"catch_up": "x", "overlap": "y"},
    ],
)
def test_rows_of_others_open_and_are_shown_as_text(
    admin_client: Client, schedule: Schedule, columns: dict[str, str | None]
) -> None:
    texts = {"definition": HOSTILE, "description": HOSTILE, "created_by": HOSTILE}
    Schedule.objects.update(program_data={HOSTILE: HOSTILE}, **texts, **columns)
    tick = {"outcome": "odd", "message": HOSTILE, "by": HOSTILE}
    Tick.objects.create(schedule=schedule, at=datetime(2026, 1, 1, tzinfo=UTC), **tick)

    for url in (SCHEDULES, *(page_for(deed, schedule) for deed in ("change", "edit", "pause"))):
        page = shown(admin_client, url)
        assert "<script>alert" not in page
        assert "\u202e" not in page
    assert ESCAPED in shown(admin_client, page_for("change", schedule))


def test_secrets_are_shown_to_who_may_see_them_only(admin_client: Client) -> None:
    schedule = scheduled("orders", program_data={"token": "t0psecret"})

    assert "t0psecret" in shown(admin_client, page_for("change", schedule))
    for deed in ("change", "edit"):
        client = client_of(LOOK, MANAGE, "view_program")
        assert "t0psecret" not in shown(client, page_for(deed, schedule))


def test_who_may_not_see_programs_or_definitions_is_led_to_none(schedule: Schedule) -> None:
    run_id = run_schedule(schedule).run_id

    page = shown(client_of(LOOK), page_for("change", schedule))

    assert run_id not in page
    assert LIST not in page
    assert "/admin/programs/definition/" not in page


@pytest.mark.parametrize("key", ["4711", "x", "_00", "9" * 40])
def test_a_schedule_that_is_not_there_is_not_found(admin_client: Client, key: str) -> None:
    for deed in ("change", "edit", "run", "pause", "resume", "delete"):
        assert admin_client.get(f"{SCHEDULES}{key}/{deed}/").status_code == 404


# What is done to one --------------------------------------------------------------------------


def test_run_now_starts_a_program_and_names_it(admin_client: Client, schedule: Schedule) -> None:
    next_at = schedule.next_at

    answer = admin_client.post(page_for("run", schedule), {"reason": "the file came"}, follow=True)

    program = Program.objects.get()
    assert texts(answer) == [f"{schedule} has started program {program.run_id}."]
    assert answer.redirect_chain[0][0] == page_for("change", schedule)
    tick = Tick.objects.get()
    assert (tick.program, tick.outcome, tick.by) == (program, "started", "admin")
    deed = Operation.objects.get(verb=Verb.RUN_SCHEDULE)
    assert (deed.subject, deed.by, deed.reason) == (str(schedule.pk), "admin", "the file came")
    schedule.refresh_from_db()
    assert schedule.next_at == next_at


def test_run_now_says_why_it_cannot_be(admin_client: Client, schedule: Schedule) -> None:
    Schedule.objects.update(definition="vanished")

    answer = admin_client.post(page_for("run", schedule), {"reason": ""}, follow=True)

    assert "there is no definition 'vanished'" in texts(answer)[0]
    assert not Program.objects.exists()


def test_pause_and_resume_are_done_and_recorded(admin_client: Client, schedule: Schedule) -> None:
    admin_client.post(page_for("pause", schedule), {"reason": "vacation"})
    schedule.refresh_from_db()
    assert (schedule.is_paused, schedule.next_at) == (True, None)
    again = admin_client.post(page_for("pause", schedule), {"reason": ""}, follow=True)
    admin_client.post(page_for("resume", schedule), {"reason": "back"})

    schedule.refresh_from_db()
    assert (schedule.is_paused, schedule.next_at is None) == (False, False)
    assert "cannot be paused again" in texts(again)[-1]
    deeds = Operation.objects.values_list("verb", "by", "reason")
    assert list(deeds.filter(reason__isnull=False)) == [
        (Verb.PAUSE_SCHEDULE, "admin", "vacation"),
        (Verb.RESUME_SCHEDULE, "admin", "back"),
    ]


def test_delete_leaves_its_programs(admin_client: Client, schedule: Schedule) -> None:
    program = run_schedule(schedule)

    answer = admin_client.post(page_for("delete", schedule), {"reason": "no longer"})

    assert answer["Location"] == SCHEDULES
    assert not Schedule.objects.exists()
    assert not Tick.objects.exists()
    assert Program.objects.get() == program
    assert Operation.objects.get(verb=Verb.DELETE_SCHEDULE).reason == "no longer"


DEEDS = ("run", "pause", "resume", "edit", "delete")


@pytest.mark.parametrize("deed", DEEDS)
def test_each_deed_needs_the_permission_to_manage_and_that_to_look(
    schedule: Schedule, deed: str
) -> None:
    others = ("start_definition", "change_definition", "view_definition", "view_program")
    page = shown(client_of(LOOK, *others), page_for("change", schedule))
    assert "needs the permission “Can manage schedules”" in page
    assert page_for(deed, schedule) not in page

    for held in ((LOOK, *others), (MANAGE,)):
        client = client_of(*held)
        assert client.get(page_for(deed, schedule)).status_code == 403
        assert client.post(page_for(deed, schedule), {"reason": ""}).status_code == 403
    assert list(Schedule.objects.all()) == [schedule]
    assert not Program.objects.exists()
    assert client_of(LOOK, MANAGE).get(page_for(deed, schedule)).status_code == 200


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_is_done_without_a_post_and_its_token(schedule: Schedule, deed: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("eve"))

    assert strict.get(page_for(deed, schedule), {"reason": ""}).status_code == 200
    assert strict.post(page_for(deed, schedule), {"reason": ""}).status_code == 403
    assert not Operation.objects.exclude(verb=Verb.CREATE_SCHEDULE).filter(by="eve").exists()
    assert not Program.objects.exists()


def test_list_and_page_are_for_who_may_view_schedules(schedule: Schedule) -> None:
    client = client_of(MANAGE, "view_program", "view_definition")

    assert client.get(SCHEDULES).status_code == 403
    assert client.get(page_for("change", schedule)).status_code == 403
    assert client_of(LOOK).post(page_for("change", schedule)).status_code == 405
