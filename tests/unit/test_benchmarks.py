"""The arithmetic of the benchmark, and what it says of itself."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path

import pytest

from benchmarks import contest, report
from benchmarks.contestant import ROOT, Contestant, Failed
from benchmarks.figures import Goal, Reached, Spread, percentile, ratios, significant
from benchmarks.parts import PARTS, Comparison, Part
from benchmarks.peers.peer import check
from benchmarks.peers.tally import Tally

DOCUMENT = (ROOT / "docs" / "benchmarks.md").read_text()
MACHINE = {
    "when": "2026-11-24",
    "processor": "a processor",
    "processors": 2,
    "memory": "8 GB",
    "system": "Linux, x86_64",
    "python": "3.11",
    "postgresql": {"server_version": "15", "fsync": "on", "synchronous_commit": "on"},
    "rabbitmq": "3.10",
    "load": 0.1,
}

every_part = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())


# Figures --------------------------------------------------------------------------------------


def test_a_ratio_is_taken_within_its_round():
    assert ratios([100, 10], [50, 5]) == [2, 2]  # a slow second round changes nothing


def test_rounds_that_do_not_match_have_no_ratio():
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


def test_a_spread_is_the_median_between_the_lowest_and_the_highest():
    assert Spread.of([3, 1, 9, 2, 4]) == Spread(median=3, low=1, high=9)


@pytest.mark.parametrize(("value", "kept"), [(1234.56, 1235), (0.00123456, 0.001235)])
def test_a_figure_is_kept_with_four_digits(value: float, kept: float):
    assert significant(value) == kept


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(percent: int, value: int):
    assert percentile(range(100, 0, -1), percent) == value


def test_the_percentile_of_few_values_is_the_highest():
    assert percentile([1.0, 7.0], 99) == 7


@pytest.mark.parametrize(
    ("goal", "value", "reached"),
    [
        (Goal(must=2, aim=3), 1.9, Reached.MISSED),
        (Goal(must=2, aim=3), 2, Reached.MUST),
        (Goal(must=2, aim=3), 3, Reached.AIM),
        (Goal(must=5, aim=3, at_most=True), 5.1, Reached.MISSED),
        (Goal(must=5, aim=3, at_most=True), 5, Reached.MUST),
        (Goal(must=5, aim=3, at_most=True), 3, Reached.AIM),
        (Goal(aim=1), 0.9, Reached.BELOW_AIM),
        (Goal(must=1), 1, Reached.MUST),
    ],
)
def test_a_goal_is_reached_or_not(goal: Goal, value: float, reached: Reached):
    assert goal.judge(value) is reached


# Contests -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("judged_by", "best"), [("rate", "solo"), ("median", "threads-8")])
def test_the_best_way_has_the_highest_rate_or_the_shortest_time(judged_by: str, best: str):
    assert contest.best({"threads-8": 400.0, "solo": 700.0}, judged_by) == best


def test_the_order_of_the_systems_turns_round_from_one_round_to_the_next():
    contestants = PARTS["C"].contestants
    orders = [contest.in_turn(contestants, number) for number in range(3)]
    assert orders == [contestants, tuple(reversed(contestants)), contestants]


def test_a_run_that_fails_says_what_its_process_said(tmp_path: Path):
    program = Contestant("key", "A peer", ("no_such_module",), 1)
    with pytest.raises(Failed, match="A peer failed:\n.*no_such_module"):
        program.run(Path(sys.executable), {}, 1)


@every_part
def test_a_comparison_is_of_systems_that_take_part(part: Part):
    keys = {contestant.key for contestant in part.contestants}
    assert len(keys) == len(part.contestants)
    for comparison in part.comparisons:
        assert comparison.of[0] in keys
        if isinstance(comparison.against, tuple):
            assert comparison.against[0] in keys


# Peers ----------------------------------------------------------------------------------------


def test_a_worker_tells_at_the_end_of_a_drain_how_many_jobs_ran(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as driver:
        driver.bind(str(tmp_path / "tally"))
        driver.settimeout(10)
        tally = Tally(str(tmp_path / "tally"), expected=2, last_step=-1)
        for program, step in ((0, 0), (0, 1), (0, 1)):  # the last one a second time
            tally.note(program, step)
        tally.close()
        first, second = (json.loads(driver.recv(4096)) for _ in range(2))
    check(first, 2)
    assert first["first"] <= first["last"]
    with pytest.raises(SystemExit, match="wrong outcome: 2 of 2 jobs ran, 3 times"):
        check(second, 2)


def test_a_job_that_never_ran_fails_the_run():
    with pytest.raises(SystemExit, match="wrong outcome: 5 of 6 jobs ran, 5 times"):
        check({"runs": 5, "distinct": 5}, 6)


# Documents ------------------------------------------------------------------------------------


def results_of(part: Part, value: float) -> dict[str, object]:
    """Return results of two rounds in which everything had nearly the same value."""
    readings: dict[str, dict[str, list[float]]] = {one.key: {} for one in part.contestants}
    pairs = [comparison.of for comparison in part.comparisons]
    pairs += [one.against for one in part.comparisons if isinstance(one.against, tuple)]
    for key, name in pairs:
        readings[key][name] = [value, value * 1.2]
    found = {"readings": readings, "variants": {}, "tried": {}, "versions": {"celery": "5.7.0"}}
    amounts = {"rounds": 2, "programs": 100, "waiting": 1000}
    return {"machine": MACHINE, "amounts": amounts, "parts": {part.letter: found}}


def test_the_parts_are_those_of_the_document():
    documented = re.findall(r"^\| ([A-Z]) \| ", DOCUMENT, re.MULTILINE)
    assert documented == list(PARTS)


@every_part
def test_every_comparison_is_printed_with_its_goal_and_verdict(part: Part):
    told = report.table(results_of(part, 100.0))
    for comparison in part.comparisons:
        line = next(line for line in told.splitlines() if line.startswith(f"  {comparison.name}  "))
        assert verdict(comparison) in line
    assert "RabbitMQ 3.10" in told
    assert "celery 5.7.0" in told


def verdict(comparison: Comparison) -> str:
    if comparison.goal is None:
        return ""
    of_rounds = [100.0, 120.0]
    if isinstance(comparison.against, float):
        of_rounds = ratios(of_rounds, [comparison.against] * 2)
    elif comparison.against is not None:
        of_rounds = [1.0, 1.0]
    return comparison.goal.judge(Spread.of(of_rounds).median).value


def test_figures_go_between_the_marks_of_a_document_and_replace_the_older_ones():
    empty = "before\n<!-- results -->\n<!-- /results -->\nafter\n"
    filled = report.put(empty, "results", "first")
    assert report.put(filled, "results", "second") == (
        "before\n<!-- results -->\n\nsecond\n\n<!-- /results -->\nafter\n"
    )


def test_a_document_without_the_marks_is_not_filled():
    with pytest.raises(
        ValueError, match="there is no <!-- results --> … <!-- /results --> to fill"
    ):
        report.put("nothing", "results", "figures")


def test_results_are_kept_with_a_line_for_each_list():
    results = {"parts": {"A": {"rate": [123.5, 0.001235], "name": "a [b]"}}}
    kept = report.written(results)
    assert json.loads(kept) == results
    assert '"rate": [123.5, 0.001235]' in kept
