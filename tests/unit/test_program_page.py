"""The page of one program: what it says, and what of it moves by itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from programs.models import Ending, Program, State
from programs.models.state import ENDED
from programs.submission import create_program
from tests.console import add_attempt, failing, page_of, program_in, run

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

QUERIES = 16  # at most: session, user, program, attempts, operations and why it waits


def html(client: Client, program: Program, **given: Any) -> str:
    return client.get(page_of(program), given).content.decode()


@pytest.mark.parametrize("state", list(State))
def test_the_page_moves_as_long_as_the_program_is_open(admin_client: Client, state: State) -> None:
    page = html(admin_client, program_in(state))

    assert ('hx-trigger="every 2s' in page) is (state not in ENDED)


def test_what_moves_is_the_same_without_the_frame(admin_client: Client) -> None:
    program = program_in(State.PAUSED)

    whole, live = html(admin_client, program), html(admin_client, program, live=1).strip()

    assert live.startswith('<div id="programs-live"')
    assert "<html" not in live
    assert "paused" in live
    assert live.count("<section") == whole.count("<section")


def test_the_failed_attempt_and_its_log_are_open_and_its_traceback_is_folded(
    admin_client: Client,
) -> None:
    program = create_program(["behave", "noop"], failing("no such order"))
    run(program)
    program.attempts.update(log="INFO read 3 pages")

    page = html(admin_client, program)

    assert '<details data-fold="attempt 1 1" open>' in page
    assert '<details data-fold="log 1 1" open>' in page
    assert '<details data-fold="traceback 1 1">' in page


def test_a_failure_that_a_retry_has_mended_is_no_error_of_a_finished_program(
    admin_client: Client,
) -> None:
    program = program_in(State.FINISHED)
    Program.objects.filter(pk=program.pk).update(error_message="the service was busy")

    page = html(admin_client, program)

    assert "programs-error" not in page
    assert "the service was busy" not in page


def test_an_attempt_says_its_log_its_worker_and_its_length(admin_client: Client) -> None:
    program = create_program(["noop"])
    add_attempt(program, outcome=Ending.ERRORED, log="INFO page 7 read", message="no such order")

    page = html(admin_client, program)

    assert "INFO page 7 read" in page
    assert "no such order" in page
    assert "by <bdi>w/0.1</bdi>" in page


@pytest.mark.parametrize("state", list(State))
def test_the_page_takes_few_queries(
    admin_client: Client, state: State, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    program = program_in(state)

    with django_assert_max_num_queries(QUERIES):
        admin_client.get(page_of(program))


def test_the_id_of_the_trace_is_shown_where_the_program_has_one(admin_client: Client) -> None:
    program = program_in(State.WAITING)
    assert "<dt>trace</dt>" not in html(admin_client, program)

    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    Program.objects.update(trace_parent=f"00-{trace}-00f067aa0ba902b7-01")
    assert trace in html(admin_client, program)
