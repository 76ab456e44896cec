"""What the list of programs answers when it asks for news."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.test import Client
from django.utils.http import urlencode
from pytest_django import DjangoAssertNumQueries

from programs.admin import listing
from programs.inspection import selection
from programs.models import Program, State
from programs.submission import create_program
from tests.clients import VIEW, client_of
from tests.console import LIST, claim, failing, program_in, run

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

QUERIES = 14  # of an answer, at most, however many rows there are
HOSTILE = "\"><script>alert('\u202e')</script>"


class Reader:
    """Somebody who has the list open: knows what it shows, and asks as htmx would."""

    def __init__(self, client: Client, **given: str) -> None:
        self.client = client
        self.page = client.get(LIST, given).content.decode()
        found = re.search(r'hx-get="([^"]*)"', self.page)
        assert found
        self.url = found[1].replace("&amp;", "&")

    @property
    def shown(self) -> dict[str, list[str]]:
        """Return the hidden fields that are sent with each question."""
        sent: dict[str, list[str]] = {}
        for name, value in re.findall(r'name="(seen|row|counts|newer)" value="([^"]*)"', self.page):
            sent.setdefault(name, []).append(value)
        return sent

    def ask(self, **changes: Any) -> Any:
        sent = urlencode({**self.shown, **changes}, doseq=True)
        return self.client.get(f"{self.url}&{sent}")


def pieces(answer: Any) -> set[str]:
    """Return the ids of what is put in place."""
    text = answer.content.decode()
    found = re.findall(r'id="([^"]+)" hx-swap-oob="(?:true|innerHTML)"', text)
    assert len(found) == len(set(found))
    return set(found) - {"programs-versions"}


def test_nothing_is_answered_where_nothing_has_changed(admin_client: Client) -> None:
    for state in State:
        program_in(state)
    reader = Reader(admin_client)

    answer = reader.ask()

    assert (answer.status_code, answer.content) == (204, b"")


def test_only_rows_that_have_changed_are_answered(admin_client: Client) -> None:
    changed = create_program(["behave"], failing("no such order"))
    create_program(["noop"])
    reader = Reader(admin_client)
    assert f'id="state-{changed.pk}"' in reader.page

    run(changed)
    answer = reader.ask()

    row = {f"{part}-{changed.pk}" for part in ("state", "progress", "when")}
    assert pieces(answer) - row == {f"count-{state}" for state in ("all", *State.values)}
    assert row < pieces(answer)
    assert b"no such order" in answer.content
    assert "program_data" not in answer.content.decode()


def test_an_answer_tells_what_to_ask_with_next(admin_client: Client) -> None:
    program = create_program(["noop"])
    reader = Reader(admin_client)
    run(program)

    reader.page = 'name="seen" value="{}"'.format(reader.shown["seen"][0]) + (
        reader.ask().content.decode()
    )

    assert reader.ask().status_code == 204


def test_a_row_whose_program_left_the_filter_stays_and_says_so(admin_client: Client) -> None:
    program = create_program(["noop"])
    reader = Reader(admin_client, state="waiting")

    claim(program)

    assert f"state-{program.pk}" in pieces(reader.ask())
    assert b"running" in reader.ask().content


def test_a_time_that_has_come_is_a_change(admin_client: Client) -> None:
    program = program_in(State.SCHEDULED)
    reader = Reader(admin_client)

    Program.objects.update(due_at=datetime.now(UTC) - timedelta(seconds=1))

    assert f"state-{program.pk}" in pieces(reader.ask())


@pytest.mark.parametrize("given", [{}, {"q": "noop"}, {"state": "waiting"}, {"job": "noop"}])
def test_new_programs_are_counted_and_not_shown(
    admin_client: Client, given: dict[str, str]
) -> None:
    old = create_program(["noop"])
    Program.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    reader = Reader(admin_client, **given)

    for _ in range(3):
        new = create_program(["noop"])
    answer = reader.ask()

    assert "programs-newer" in pieces(answer)
    assert b">3 new</a>" in answer.content
    for name, text in given.items():
        assert f"{name}={text}".encode() in answer.content
    assert new.run_id.encode() not in answer.content
    assert old.run_id.encode() not in answer.content


@pytest.mark.parametrize("given", [{}, {"q": "nothing of it"}, {"queue": "reports"}])
def test_those_that_do_not_match_are_no_news(admin_client: Client, given: dict[str, str]) -> None:
    create_program(["noop"])
    Program.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    reader = Reader(admin_client, state="paused", **given)

    create_program(["noop"])

    assert b" new</a>" not in reader.ask().content


def test_the_first_program_of_an_empty_list_is_news(admin_client: Client) -> None:
    reader = Reader(admin_client)

    create_program(["noop"])

    assert b">1 new</a>" in reader.ask().content


def test_on_an_older_page_what_the_first_one_did_not_show_is_news(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 1)
    for day in (1, 2, 3):
        Program.objects.filter(pk=create_program(["noop"]).pk).update(
            created_at=datetime(2026, 1, day, tzinfo=UTC)
        )
    first = Reader(admin_client)
    older = re.search(r'href="[^?"]*\?([^"]*)" rel="next"', first.page)
    assert older
    reader = Reader(admin_client, **dict(parse_qsl(unescape(older[1]))))
    assert ">Newest<" in reader.page
    assert reader.ask().status_code == 204

    create_program(["noop"])

    assert b">1 new</a>" in reader.ask().content


def test_news_are_sought_in_a_window_too(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "WINDOW", 2)
    reader = Reader(admin_client, q="noop")
    for day in range(1, 6):
        Program.objects.filter(pk=create_program(["noop"]).pk).update(
            created_at=datetime(2026, 1, day, tzinfo=UTC)
        )

    assert b">3 new</a>" in reader.ask().content  # the window, and the one that it ends at


@pytest.mark.parametrize(
    "nonsense",
    [
        {"row": ["x", "1", "1.", "9" * 40 + ".00000000", "1.0000000g", HOSTILE, "\0"]},
        {"seen": "yesterday"},
        {"seen": "2026-13-01T00:00:00+00:00"},
        {"seen": "2026-01-01"},
        {"seen": ""},
        {"seen": HOSTILE},
        {"newer": HOSTILE},
        {"counts": HOSTILE},
        {"live": HOSTILE},
    ],
)
def test_nonsense_is_passed_over(admin_client: Client, nonsense: dict[str, Any]) -> None:
    create_program(["noop"])
    reader = Reader(admin_client)

    answer = reader.ask(**nonsense)

    assert answer.status_code in (200, 204)
    assert "<script>" not in answer.content.decode()


@pytest.mark.parametrize("given", [{"state": "asleep"}, {"since": "never"}, {"q": "x" * 256}])
def test_a_page_that_could_not_be_shown_has_no_news(
    admin_client: Client, given: dict[str, str]
) -> None:
    create_program(["noop"])

    assert "hx-get" not in admin_client.get(LIST, given).content.decode()
    assert admin_client.get(LIST, {"live": "1", **given}).status_code == 204


def test_no_more_rows_are_looked_at_than_a_page_has(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    rows = [f"{create_program(['noop']).pk}.00000000" for _ in range(5)]

    answer = admin_client.get(LIST, {"live": "1", "row": rows})

    assert len({piece for piece in pieces(answer) if piece.startswith("state-")}) == 2


def test_a_program_that_was_deleted_since_is_passed_over(admin_client: Client) -> None:
    program = create_program(["noop"])
    reader = Reader(admin_client, queue="default")

    Program.objects.filter(pk=program.pk)._raw_delete("default")

    assert reader.ask().status_code == 204


def test_what_a_job_wrote_is_escaped_in_an_answer_too(admin_client: Client) -> None:
    program = create_program(["noop"])
    reader = Reader(admin_client)

    Program.objects.update(error_message=HOSTILE, worker=HOSTILE, jobs=[HOSTILE])
    text = reader.ask().content.decode()

    assert f"progress-{program.pk}" in text
    assert "<script>" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("given", [{}, {"q": "noop"}, {"state": "running"}, {"queue": "default"}])
def test_an_answer_takes_no_more_queries_for_many_rows(
    django_assert_max_num_queries: DjangoAssertNumQueries, given: dict[str, str]
) -> None:
    programs = [create_program(["noop"]) for _ in range(60)]
    for program in programs:
        claim(program)
    reader = Reader(client_of(VIEW, "stop_program"), **given)
    create_program(["noop"])
    Program.objects.update(error_message="no such order")

    with django_assert_max_num_queries(QUERIES) as queries:
        answer = reader.ask()

    assert len(pieces(answer)) >= 3 * 50
    assert not any("program_data" in query["sql"] for query in queries.captured_queries)
