"""What the list of programs offers to do to many of them at once."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from programs.inspection import Selection
from programs.models import State, Verb
from programs.operations import ALLOWED
from tests.clients import STOP, VIEW, client_of
from tests.console import LIST, program_in

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

BULK = f"{LIST}bulk/"
VERBS = {"stop", "pause", "resume", "retry"}


def buttons(page: str) -> set[str]:
    """Return what can be done to the selected programs."""
    return set(re.findall(rf'name="verb" value="(\w+)" formaction="{BULK}"', page))


def for_all(page: str) -> dict[str, dict[str, list[str]]]:
    """Return what can be done to all that match, each with the parameters of its link."""
    links = re.findall(rf'href="({re.escape(BULK)}\?[^"]*)"', page)
    given = [parse_qs(urlsplit(unescape(link)).query) for link in links]
    return {one["verb"][0]: one for one in given}


def test_all_is_offered_to_who_may_do_all(admin_client: Client) -> None:
    program = program_in(State.WAITING)

    page = admin_client.get(LIST).content.decode()

    assert buttons(page) == for_all(page).keys() == VERBS
    assert f'name="run_id" value="{program.run_id}" aria-label="Select {program.run_id}"' in page


def test_what_one_may_not_do_says_which_permission_is_missing() -> None:
    program_in(State.WAITING)

    page = client_of(VIEW, STOP).get(LIST).content.decode()

    assert buttons(page) == for_all(page).keys() == {"stop"}
    assert "Retry: needs the permission “Can retry programs”" in page
    assert "Pause: needs the permission “Can pause and resume programs”" in page


def test_who_may_do_nothing_selects_nothing() -> None:
    program_in(State.WAITING)

    page = client_of(VIEW).get(LIST).content.decode()

    assert 'name="run_id"' not in page
    assert BULK not in page
    assert "Stop: needs the permission “Can stop programs”" in page


def test_all_that_match_are_those_of_the_list(admin_client: Client) -> None:
    program_in(State.PAUSED)
    given = {"state": "paused", "q": "", "job": "noop", "queue": "default", "since": "2020-01-01"}

    page = admin_client.get(LIST, given).content.decode()

    for verb, parameters in for_all(page).items():
        assert parameters["all"] == ["1"], verb
        one = {name: values[0] for name, values in parameters.items()}
        assert Selection.parse(one) == Selection.parse(given)
        assert admin_client.get(BULK, one).status_code == 200, verb
    assert for_all(page)


@pytest.mark.parametrize("state", list(State))
def test_what_no_program_of_the_state_allows_is_not_offered_for_all(
    admin_client: Client, state: State
) -> None:
    program_in(state)

    page = admin_client.get(LIST, {"state": state.value}).content.decode()

    allowed = {verb.value for verb in Verb if state in ALLOWED.get(verb, ())}
    assert for_all(page).keys() == allowed & VERBS
    assert buttons(page) == VERBS  # a row may change before one looks again


@pytest.mark.parametrize("given", [{"since": "never"}, {"older": "nonsense"}, {"queue": "nobody"}])
def test_nothing_is_offered_where_nothing_is_shown(
    admin_client: Client, given: dict[str, str]
) -> None:
    program_in(State.WAITING)

    page = admin_client.get(LIST, given).content.decode()

    assert not buttons(page)
    assert not for_all(page)
