"""What `QUEUES` may say of a queue, and what cannot be created where Node executes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from programs import checks, operations
from programs.errors import InvalidProgram
from programs.inspection import why
from programs.models import Program, State
from programs.submission import create_program, create_programs
from programs.testing import run_due_programs
from tests.commands import manage
from tests.console import page_of
from tests.running import fresh

NODES = {"PROTOCOL": "program-executor-js", "EXECUTED_BY": "node"}


@pytest.fixture
def to_node(settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A queue that Node executes; nothing is sent."""
    monkeypatch.setattr("programs.relay.wake", lambda: None)
    settings.PROGRAM_EXECUTOR = {
        **settings.PROGRAM_EXECUTOR,
        "AMQP_URL": "amqp://broker",
        "QUEUES": {"to_node": NODES},
    }
    return "to_node"


# The setting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queues", "told"),
    [
        ({"a": 5}, r"\['a'\] must be a dictionary"),
        ({"a": {"PROTOCOLL": "x"}}, r"\['a'\] has the unknown key 'PROTOCOLL'"),
        ({"a": {"PROTOCOL": "node"}}, r"\['a'\]\['PROTOCOL'\] is 'node'"),
        ({"a": {**NODES, "EXECUTED_BY": ["node"]}}, r"\['a'\]\['EXECUTED_BY'\] is \['node'\]"),
        ({"a": {"NAME": ""}}, r"\['a'\]\['NAME'\] is no name"),
        ({"a": {"NAME": "x" * 250}}, r"\['a'\]\['NAME'\] is no name"),
        ({"a": {"EXECUTED_BY": "node"}}, "reads no hints of ours"),
        ({"a": {"NAME": "q"}, "b": {"NAME": "q"}}, "'a'.* and 'b' have one NAME, 'q'"),
    ],
)
def test_what_cannot_be_is_told_with_the_fix(settings: Any, queues: Any, told: str) -> None:
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://broker", "QUEUES": queues}

    (error,) = checks.queues_are_sound(None)

    assert error.id == "programs.E008"
    assert error.hint
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(error.msg)


def test_node_is_not_told_without_a_broker(settings: Any) -> None:
    settings.PROGRAM_EXECUTOR = {"QUEUES": {"a": NODES}}
    (error,) = checks.queues_are_sound(None)
    assert "AMQP_URL" in str(error.hint)


@pytest.mark.parametrize("queues", [None, [], "a"])
def test_what_is_no_dictionary_is_said_once(settings: Any, queues: Any) -> None:
    settings.PROGRAM_EXECUTOR = {"QUEUES": queues}
    assert checks.queues_are_sound(None) == []
    (error,) = checks.settings_are_valid(None)
    assert error.id == "programs.E003"


def test_what_the_guide_shows_is_sound(settings: Any) -> None:
    own = {"PROTOCOL": "program-executor-js", "NAME": "program-executor-py"}
    queues = {"from-node": own, "to-node": {**NODES, "NAME": "program-executor"}}
    settings.PROGRAM_EXECUTOR = {"AMQP_URL": "amqp://broker", "QUEUES": queues}
    assert checks.queues_are_sound(None) == []


# What Node can execute -------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"program_data": {"orders": [1, {"id": 2**53}]}}, r"program_data.orders\[1\].id"),
        ({"job_data": {"first_job": {"id": -(2**53)}}}, "job_data.first_job.id"),
    ],
)
def test_a_number_that_node_would_round_is_refused(to_node: str, given: Any, field: str) -> None:
    with pytest.raises(InvalidProgram, match=f"{field}: is beyond .*give it as a text"):
        create_program(["first_job"], queue=to_node, **given)
    create_program(["first_job"], {"id": 2**53 - 1, "yes": True, "half": 1e300}, queue=to_node)


@pytest.mark.django_db
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_refused(to_node: str, number: float) -> None:
    with pytest.raises(InvalidProgram, match="program_data"):
        create_program(["first_job"], {"n": number}, queue=to_node)


@pytest.mark.django_db
def test_without_a_broker_nothing_is_created_for_node(to_node: str, settings: Any) -> None:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "AMQP_URL": None}
    with pytest.raises(InvalidProgram, match="queue: 'to_node' is executed by Node.*AMQP_URL"):
        create_program(["first_job"], queue=to_node)


@pytest.mark.django_db
def test_names_are_nodes_to_know_in_its_queues_alone(to_node: str) -> None:
    with pytest.raises(InvalidProgram, match="no job named 'first_job'"):
        create_programs([{"jobs": ["noop"], "queue": to_node}, {"jobs": ["first_job"]}])
    create_programs([{"jobs": ["first_job"], "queue": to_node}, {"jobs": ["noop"]}])


@pytest.mark.django_db
def test_edited_data_must_be_fit_for_node_too(to_node: str) -> None:
    program = create_program(["first_job"], queue=to_node)
    operations.stop_program(program)
    with pytest.raises(InvalidProgram, match="program_data.id: is beyond"):
        operations.edit_data(program, program_data={"id": 2**60})
    assert operations.edit_data(program, program_data={"id": 7}).program_data == {"id": 7}


# What is seen of it ------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_helpers_of_tests_leave_it_to_node(to_node: str) -> None:
    program = create_program(["noop"], queue=to_node)
    assert run_due_programs() == []
    assert fresh(program).attempts.count() == 0


@pytest.mark.django_db
def test_what_it_waits_for_is_told(to_node: str, admin_client: Client) -> None:
    program = create_program(["first_job"], queue=to_node)
    waiting = why(fresh(program))
    assert waiting is not None
    assert "RabbitMQ has not taken it yet" in waiting.text

    Program.objects.update(due_at=None)

    sent = why(fresh(program))
    assert sent is not None
    assert sent.text == "sent to Node, which executes queue to_node"
    page = admin_client.get(page_of(program)).content.decode()
    assert "ent to Node, which executes queue to_node" in page
    assert "executed by Node" in admin_client.get("/admin/programs/program/").content.decode()


@pytest.mark.django_db
def test_what_node_inserted_is_stopped_in_its_own_way() -> None:
    program = Program.objects.create(jobs=["first_job"], queue=None)
    stopped = operations.stop_program(program)
    assert (stopped.state, stopped.error_message) == (State.ERRORED, "stopped by an operator")


@pytest.mark.django_db
def test_the_monitor_hears_of_what_is_not_sent(to_node: str) -> None:
    create_program(["first_job"], queue=to_node)
    assert "queue to_node: 1 due, and not sent to Node yet" in manage("programsstatus").err

    Program.objects.update(due_at=None)

    assert manage("programsstatus").status == 0
