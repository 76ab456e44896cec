"""The system checks of what is written in the settings; others look into the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.db import connections

from programs import checks


@pytest.mark.parametrize(
    ("given", "code", "told", "hint"),
    [
        ("text", "programs.E001", "is no dictionary", "PROGRAM_EXECUTOR = {"),
        ({"QUEUE": "x"}, "programs.E002", "unknown key 'QUEUE'", "There are .*QUEUE_NAME"),
        ({"AMQP_URL": 5}, "programs.E003", r"\['AMQP_URL'\] must be ", "."),
        ({"DATABASE": "nowhere"}, "programs.E004", "'nowhere', no alias of", "There are default"),
    ],
)
def test_a_wrong_setting_is_told_with_the_remedy(
    settings: Any, given: object, code: str, told: str, hint: str
) -> None:
    settings.PROGRAM_EXECUTOR = given
    (error,) = checks.settings_are_valid(None)
    assert error.id == code
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(error.msg)
    with pytest.raises(AssertionError, match=hint):
        raise AssertionError(error.hint)


def test_a_database_that_there_is_not_is_told_once(settings: Any) -> None:
    settings.PROGRAM_EXECUTOR = {"DATABASE": "nowhere"}
    assert checks.routers_lead_to_the_database(None) == []


def test_all_that_is_wrong_is_told_at_once(settings: Any) -> None:
    settings.PROGRAM_EXECUTOR = {"QUEUE": "x", "AMQP_URL": 5, "TURN": "long"}
    found = [message.id for message in checks.settings_are_valid(None)]
    assert found == ["programs.E002", "programs.E003", "programs.E003"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"transaction_mode": "IMMEDIATE"}, []),
        ({"timeout": 20}, ["programs.W002"]),
        ({}, ["programs.W002"]),
    ],
)
def test_a_sqlite_under_which_threads_meet_locks_is_told_of(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], found: list[str]
) -> None:
    connection = connections["default"]
    assert connection.vendor == "sqlite"
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)

    def told(**asked: Any) -> list[CheckMessage]:
        return checks.sqlite_waits_for_locks(None, **asked)

    assert [message.id for message in told(databases=["default"])] == found
    assert told(databases=[]) == told() == []
