"""The console: one thing done to many programs, after it was said to how many."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.http import urlencode

from programs import bulk
from programs.admin.levers import LEVERS
from programs.bulk import BulkOperation, Order
from programs.inspection import Count, Selection
from programs.inspection.selection import WINDOW
from programs.models import Operation, Program, State, Verb
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import DEEDS, LIST, PERMISSIONS, page_of, program_in, texts

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

VERBS = [Verb.STOP, Verb.PAUSE, Verb.RESUME, Verb.RETRY]
every_verb = pytest.mark.parametrize("verb", VERBS)


def url(verb: str, *programs: Program, **given: str) -> str:
    """Return the address of the page: for these programs, or for all that match."""
    named = {"run_id": [program.run_id for program in programs]} if programs else {"all": "1"}
    return f"{LIST}bulk/?{urlencode({'verb': verb, **named, **given}, doseq=True)}"


def confirm(client: Client, address: str, reason: str = "I say so", **given: Any) -> Any:
    """Open the page, and press its button."""
    form = client.get(address).context["form"]
    sent = {"token": form["token"].value(), "up_to": form["up_to"].value(), "reason": reason}
    return client.post(address, {**sent, **given}, follow=True)


def shown(client: Client, address: str) -> str:
    """Return the text of a page, without its tags."""
    text = re.sub(r"<[^>]*>", "", client.get(address).content.decode())
    return re.sub(r"\s+", " ", unescape(text))


def started() -> Program:
    return Program.objects.get(jobs=[BulkOperation.name])


def nothing_is_started() -> bool:
    return not Program.objects.filter(jobs=[BulkOperation.name]).exists()


# What the page says ---------------------------------------------------------------------------


@every_verb
def test_the_page_counts_those_that_match_and_those_that_can_be_treated(
    admin_client: Client, verb: Verb
) -> None:
    fitting = [program_in(DEEDS[verb][0]) for _ in range(2)]
    program_in(State.FINISHED)

    text = shown(admin_client, url(verb))

    assert f"3 programs match; 2 of them can be {verb.label}." in text
    assert "No filter is set: all programs are meant." in text
    assert LEVERS[verb].meaning in text
    assert all(program.run_id in text for program in fitting)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"state": "waiting"}, "2 programs match; all of them can be stopped."),
        ({"state": "paused"}, "1 program matches; it can be stopped."),
        ({"state": "errored"}, "1 program matches; it cannot be stopped."),
        ({"job": "behave", "since": "2000-01-01"}, "3 programs match and can be stopped."),
        ({"since": "2000-01-01"}, "4 programs match; 3 of them can be stopped."),
        ({"queue": "nobody's"}, "No program was found that matches and can be stopped."),
        ({"since": "2100-01-01"}, "No program matches."),
    ],
)
def test_the_page_says_what_is_asked_for_and_how_many_that_are(
    admin_client: Client, given: dict[str, str], told: str
) -> None:
    for state in (State.WAITING, State.WAITING, State.PAUSED, State.ERRORED):
        program_in(state)

    text = shown(admin_client, url("stop", **given))

    assert told in text
    assert "No filter is set" not in text
    assert ('id="id_reason"' in admin_client.get(url("stop", **given)).content.decode()) is (
        "can be stopped" in told and not told.startswith("No")
    )


@pytest.mark.parametrize(
    ("matching", "possible", "told"),
    [
        (Count(100_000, False), Count(12_431, True), "100,000 or more programs match; 12,431 of"),
        (Count(12, False), Count(7, False), "at least 12 programs match; at least 7 of them can"),
    ],
)
def test_the_page_says_where_it_did_not_count_to_the_end(
    admin_client: Client,
    monkeypatch: pytest.MonkeyPatch,
    matching: Count,
    possible: Count,
    told: str,
) -> None:
    monkeypatch.setattr(Selection, "count", lambda *_: matching)
    monkeypatch.setattr(bulk, "count", lambda *_: possible)

    text = shown(admin_client, url("stop"))

    assert told in text
    searched = f"Counted among the newest {WINDOW:,} programs; older ones are searched as well."
    assert (searched in text) is (matching.number == 12)


def test_the_page_of_selected_programs_says_how_many_can_be_treated(admin_client: Client) -> None:
    waiting, finished = program_in(State.WAITING), program_in(State.FINISHED)

    text = shown(admin_client, url("stop", waiting, finished))

    assert "Stop 2 selected programs" in text
    assert "2 programs are selected; 1 of them can be stopped." in text
    assert waiting.run_id in text


def test_the_page_asks_the_database_no_more_for_many_programs(
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(12):
        program_in(State.WAITING)
    client = client_of(VIEW, "stop_program")
    dated = {"job": "noop", "since": "2000-01-01"}
    held = {"worker": "w"}
    for given in ({}, {"q": "x"}, {"q": "0" * 24}, dated, held, {"state": "waiting", "q": "x"}):
        with django_assert_max_num_queries(15):
            client.get(url("stop", **given))
    with django_assert_max_num_queries(15):
        client.get(url("stop", *Program.objects.all()))


# What the button does -------------------------------------------------------------------------


@every_verb
def test_confirming_starts_the_built_in_program_for_all_that_match(verb: Verb) -> None:
    program = program_in(DEEDS[verb][0])
    client = client_of(VIEW, PERMISSIONS[verb])
    given = {"state": DEEDS[verb][0].value, "q": "behave", "since": "2000-01-01T10:00:00Z"}

    response = confirm(client, url(verb, **given), reason="the disk is back")

    carrier = started()
    assert response.redirect_chain == [(page_of(carrier), 302)]
    assert texts(response) == [
        f"{LEVERS[verb].label}: this program does it in the background. Here stands how far it is."
    ]
    order = Order.decode(carrier.program_data)
    assert order.selection == Selection.parse(given)
    assert (order.verb, order.by, order.reason) == (verb, "grace", "the disk is back")
    assert (order.up_to, order.total, carrier.created_by) == (program.pk, 1, "grace")


def test_confirming_starts_it_for_the_selected_programs(admin_client: Client) -> None:
    selected = [program_in(State.WAITING) for _ in range(3)]
    program_in(State.WAITING)

    confirm(admin_client, url("pause", *selected), reason="")

    order = Order.decode(started().program_data)
    assert order.selection is None
    assert sorted(order.run_ids) == sorted(program.run_id for program in selected)
    assert order.total == 3


def test_programs_that_came_after_the_page_was_opened_are_not_meant(admin_client: Client) -> None:
    seen = program_in(State.WAITING)
    form = admin_client.get(url("stop")).context["form"]
    program_in(State.WAITING)

    sent = {"token": form["token"].value(), "up_to": form["up_to"].value(), "reason": "x"}
    admin_client.post(url("stop"), sent)

    assert Order.decode(started().program_data).up_to == seen.pk


def test_two_clicks_start_one_program(admin_client: Client) -> None:
    program_in(State.WAITING)
    form = admin_client.get(url("stop")).context["form"]
    sent = {"token": form["token"].value(), "up_to": form["up_to"].value(), "reason": "x"}

    first = admin_client.post(url("stop"), sent)
    program_in(State.WAITING)  # so that the second counts another number
    second = admin_client.post(url("stop"), sent)

    assert first["Location"] == second["Location"] == page_of(started())


def test_two_pages_start_two_programs(admin_client: Client) -> None:
    for _ in range(2):
        confirm(admin_client, url("stop", program_in(State.WAITING)))
    assert Program.objects.filter(jobs=[BulkOperation.name]).count() == 2


def test_another_users_token_starts_ones_own_program(admin_client: Client) -> None:
    program = program_in(State.WAITING)
    given = {"token": "0" * 32, "up_to": "0"}
    confirm(admin_client, url("stop", program), **given)
    confirm(client_of(VIEW, "stop_program"), url("stop", program), **given)

    makers = Program.objects.filter(jobs=[BulkOperation.name]).values_list("created_by", flat=True)
    assert set(makers) == {"admin", "grace"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 2001}, "reason"),
        ({"token": ""}, "token"),
        ({"token": "0" * 31 + "g"}, "token"),
        ({"up_to": ""}, "up_to"),
        ({"up_to": "-1"}, "up_to"),
        ({"up_to": str(2**63)}, "up_to"),
    ],
)
def test_what_is_sent_wrongly_starts_nothing(
    admin_client: Client, given: dict[str, str], field: str
) -> None:
    program_in(State.WAITING)

    response = confirm(admin_client, url("stop"), **given)

    errors = response.context["form"].errors
    assert field in errors
    assert field == "reason" or "open it again" in str(errors["__all__"])
    assert nothing_is_started()


def test_a_user_whose_name_cannot_be_stored_is_told_so() -> None:
    program = program_in(State.WAITING)
    client = Client()
    client.force_login(User.objects.create_superuser("eve\u202e"))

    response = confirm(client, url("stop", program))

    assert "Created_by: holds characters" in str(response.context["form"].non_field_errors())
    assert nothing_is_started()


def test_the_engines_own_programs_are_not_among_the_sample(admin_client: Client) -> None:
    program = program_in(State.WAITING)
    confirm(admin_client, url("stop", program))

    sample = admin_client.get(url("pause")).context["sample"]
    assert [run_id for _, run_id, *_ in sample] == [program.run_id]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "verb: must be one of stop, pause, resume, retry"),
        ("verb=edit&all=1", "verb: must be one of"),
        ("verb=stop", "run_id: is missing"),
        ("verb=stop&all=0", "run_id: is missing"),
        ("verb=stop&run_id=", "run_ids: holds ''"),
        ("verb=stop&run_id=a%00", "run_ids: holds"),
        ("verb=stop&all=1&state=nonsense", "state: must be one of"),
        ("verb=stop&all=1&since=never", "since: must be a day or a moment"),
        ("verb=stop&all=1&q=%00", "q: must be"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_wrong_address_is_told_by_the_name_of_its_part(
    admin_client: Client, query: str, told: str, method: str
) -> None:
    given = {"token": "0" * 32, "up_to": "0", "reason": "x"}

    response = getattr(admin_client, method)(
        f"{LIST}bulk/?{query}", *([given] * (method == "post"))
    )

    assert response["Location"] == LIST
    (message,) = texts(admin_client.get(LIST))
    assert message.startswith(told)
    assert message.endswith("Nothing was done.")
    assert nothing_is_started()


# Who may, and what may not be -----------------------------------------------------------------


@every_verb
def test_it_needs_the_permission_of_its_verb_and_that_to_view(verb: Verb) -> None:
    program = program_in(DEEDS[verb][0])
    given = {"token": "0" * 32, "up_to": str(program.pk), "reason": "x"}
    others = set(PERMISSIONS.values()) - {PERMISSIONS[verb]}

    for client in (client_of(VIEW, "add_program", *others), client_of(PERMISSIONS[verb])):
        for address in (url(verb), url(verb, program)):
            assert client.get(address).status_code == 403
            assert client.post(address, given).status_code == 403
    assert nothing_is_started()
    assert not Operation.objects.exists()


def test_it_is_no_deed_without_a_post_and_its_token() -> None:
    program = program_in(State.WAITING)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("ada"))
    given = {"token": "0" * 32, "up_to": str(program.pk), "reason": "x"}

    assert strict.get(f"{url('stop')}&{urlencode(given)}").status_code == 200
    assert strict.post(url("stop"), given).status_code == 403
    assert strict.put(url("stop"), given).status_code in (403, 405)
    assert nothing_is_started()


def test_hostile_texts_only_stand_there(admin_client: Client) -> None:
    hostile = "<script>alert('x')</script>\u202egnp.exe"
    create_program(["noop"], created_by="<b>eve</b>")

    page = admin_client.get(url("stop", q=hostile)).content.decode()
    confirm(admin_client, url("stop"), reason=hostile)
    stored = Order.decode(started().program_data).reason

    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;\\u202egnp.exe" in page
    assert stored == hostile
