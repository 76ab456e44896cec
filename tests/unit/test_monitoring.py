"""Metrics and health: what is declared, how it is counted and written, and who may read it."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from programs.models import Ending
from programs.models.transitions import Standing
from programs.monitoring import catalogue, site, views
from programs.monitoring.catalogue import Found, Kind, Place
from programs.monitoring.checkup import Checkup, Finding
from programs.monitoring.counts import BOUNDS, Counts, Durations
from programs.monitoring.exposition import render
from programs.monitoring.tally import UNKNOWN, Tally
from programs.outcomes import Succeeded
from programs.registry import find

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
METRICS = {metric.name: metric for metric in catalogue.metrics()}
SUFFIXES = re.compile(r"_(bucket|sum|count)$")


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what Prometheus would read, by name and values of labels."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown(found: Found) -> dict[tuple[str, tuple[str, ...]], float]:
    return samples(render(found)[0].decode())


# What is declared -----------------------------------------------------------------------------


def test_every_metric_is_documented_as_it_is_declared() -> None:
    text = (ROOT / "docs" / "observability.md").read_text()
    for place, heading in (
        (Place.SITE, "the site"),
        (Place.WORKER, "workers"),
        (Place.BOTH, "both"),
    ):
        section = text.partition(f"\n### Of {heading}\n")[2].partition("\n#")[0]
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
        assert rows == [
            (
                metric.name,
                metric.kind.value,
                ", ".join(f"`{label}`" for label in metric.labels) or "-",
                metric.meaning,
            )
            for metric in METRICS.values()
            if metric.place is place
        ]


def test_names_are_those_that_prometheus_asks_for() -> None:
    for metric in METRICS.values():
        assert metric.name.startswith("programs_")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.name.endswith("_seconds") or metric.kind is not Kind.HISTOGRAM, metric.name


@dataclass(frozen=True)
class Asked:
    """The metrics that an expression asks for, and all labels that it and its words name."""

    expression: str
    words: str

    @property
    def metrics(self) -> set[str]:
        names = re.findall(r"\bprograms_\w+", self.expression)
        return {name if name in METRICS else SUFFIXES.sub("", name) for name in names}

    @property
    def labels(self) -> set[str]:
        selected = re.findall(r"[{,]\s*(\w+)=", self.expression)
        grouped = re.findall(r"\b(?:by|on) \(([\w, ]+)\)", self.expression)
        told = re.findall(r"\$labels\.(\w+)|\{\{(\w+)\}\}", self.words)
        return {*selected, *", ".join(grouped).split(", "), *("".join(each) for each in told)} - {
            ""
        }

    def is_answered(self) -> bool:
        """Tell whether there are such metrics, with such labels."""
        known = {label for name in self.metrics for label in METRICS[name].labels}
        return bool(self.metrics) and self.labels <= known | {"instance", "le"}


def test_every_alert_asks_for_metrics_that_exist_by_labels_that_they_have() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        assert Asked(rule["expr"], str(rule["annotations"])).is_answered(), rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_every_panel_draws_metrics_that_exist_by_labels_that_they_have() -> None:
    board = json.loads((DEPLOY / "grafana" / "program-executor.json").read_text())
    asked = [
        Asked(target["expr"], target["legendFormat"])
        for panel in board["panels"]
        for target in panel["targets"]
    ]
    assert [each.expression for each in asked if not each.is_answered()] == []
    drawn = {name for each in asked for name in each.metrics}
    assert len(drawn) > len(METRICS) / 2
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


# What is counted ------------------------------------------------------------------------------


def test_counts_go_over_a_pipe_and_add_up() -> None:
    counts = Counts()
    counts.attempts["noop", "succeeded"] = 3
    counts.leases_lost["refused"] = 1
    counts.hints["confirmed"] = 7
    counts.durations["noop"] = Durations()
    for seconds in (0.001, 1.0, 99_999.0):
        counts.durations["noop"].observe(seconds)

    total = Counts()
    total.add(Counts.decode(counts.encode()))
    total.add(counts)

    assert total.attempts == {("noop", "succeeded"): 6}
    assert (total.leases_lost["refused"], total.hints["confirmed"]) == (2, 14)
    durations = total.durations["noop"]
    assert durations.total == pytest.approx(2 * 100_000.001)
    assert (durations.numbers[0], durations.numbers[BOUNDS.index(1.0)]) == (2, 2)
    assert (durations.numbers[-1], sum(durations.numbers)) == (2, 6)
    assert counts.attempts == {("noop", "succeeded"): 3}


@pytest.fixture
def tally() -> Tally:
    return Tally()


def test_an_outcome_that_was_refused_counts_as_abandoned(tally: Tally) -> None:
    for standing in (Standing.FINISHED, Standing.LOST):
        tally._on_start()
        tally._on_end(find("noop"), outcome=Succeeded(), standing=standing)

    read = tally.read()

    assert read.attempts == {("noop", Ending.SUCCEEDED): 1, ("noop", Ending.ABANDONED): 1}
    assert sum(read.durations["noop"].numbers) == 2


def test_jobs_that_are_not_known_share_one_series_and_take_no_time(tally: Tally) -> None:
    tally._on_end(None, outcome=Succeeded(Ending.SKIPPED), standing=Standing.HELD)
    read = tally.read()
    assert (read.attempts, read.durations) == ({(UNKNOWN, "skipped"): 1}, {})


# What is written ------------------------------------------------------------------------------


def test_any_name_of_a_queue_is_written_so_that_it_is_read_again() -> None:
    names = ["reports", 'say "hi"', "back\\slash", "two\nlines", "größer 🚀"]

    read = shown({catalogue.OLDEST_DUE: {(name,): 1.5 for name in names}})

    assert read == {("programs_oldest_due_age_seconds", (name,)): 1.5 for name in names}


def test_a_histogram_has_a_bucket_for_each_bound_and_the_sum() -> None:
    durations = Durations()
    for seconds in (0.01, 0.01, 20.0):
        durations.observe(seconds)

    read = shown({catalogue.DURATION: {("noop",): durations}})

    name = "programs_job_duration_seconds"
    assert read[f"{name}_sum", ("noop",)] == pytest.approx(20.02)
    assert read[f"{name}_count", ("noop",)] == 3
    buckets = [read[f"{name}_bucket", ("noop", bound)] for bound in ("0.005", "0.025", "+Inf")]
    assert buckets == [0, 2, 3]


def test_openmetrics_is_written_for_who_asks_for_it() -> None:
    asked = "application/openmetrics-text"
    body, content_type = render({catalogue.HINTS: {("dropped",): 2}}, asked)
    assert content_type.startswith(asked)
    assert body.endswith(b'programs_hints_total{fate="dropped"} 2.0\n# EOF\n')


def test_a_probe_reads_what_is_wrong() -> None:
    checkup = Checkup("ready", "not ready", [Finding("a", "fine"), Finding("b", "is away", False)])
    assert (checkup.status, checkup.text) == (503, "not ready\na: fine\nb: FAILS, is away\n")


# Who may read them ----------------------------------------------------------------------------


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database know nothing: other threads than the test's see nothing of it."""
    monkeypatch.setattr(site, "metrics", lambda: {catalogue.DATABASE_UP: {(): 1}})


@pytest.fixture
def token(settings: Settings) -> str:
    settings.PROGRAM_EXECUTOR = {**settings.PROGRAM_EXECUTOR, "METRICS_TOKEN": "s3cret"}
    return "s3cret"


@pytest.fixture
def users(db: None) -> SimpleNamespace:
    viewer = User.objects.create_user("viewer")
    viewer.user_permissions.add(Permission.objects.get(codename="view_program"))
    former = User.objects.create_superuser("former", is_active=False)
    other = User.objects.create_user("other")
    return SimpleNamespace(viewer=viewer, other=other, former=former, none=AnonymousUser())


def ask(user: User | AnonymousUser | None = None, **headers: str) -> HttpResponse:
    request: HttpRequest = RequestFactory().get("/metrics", headers=headers)
    if user is not None:
        request.user = user
    return views.metrics(request)


@pytest.mark.usefixtures("no_database")
def test_who_may_view_programs_may_read_metrics(users: SimpleNamespace) -> None:
    answer = ask(users.viewer)
    assert samples(answer.content.decode()) == {("programs_database_up", ()): 1.0}
    for user in (users.other, users.former, users.none, None):
        refusal = ask(user, Authorization="Bearer ")
        assert refusal.status_code == 401
        assert b"METRICS_TOKEN" in refusal.content


@pytest.mark.usefixtures("no_database")
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer  s3cret ", 200),
        ("Bearer s3cre", 401),
        ("Bearer größer", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("", 401),
    ],
)
def test_the_token_opens_them_to_who_has_no_account(
    token: str, authorization: str, status: int
) -> None:
    assert ask(Authorization=authorization).status_code == status


@pytest.mark.usefixtures("no_database")
def test_without_the_extra_metrics_say_what_to_install(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = ask(Authorization=f"Bearer {token}")
    assert answer.status_code == 501
    assert b"pip install 'django-program-executor[metrics]'" in answer.content


# Probes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "no_host at all"])
def test_a_platform_may_ask_by_any_name_and_without_https(host: str, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = Client().get("/healthz", headers={"Host": host})
    assert (answer.status_code, answer.content) == (200, b"alive\n")


def test_probes_and_metrics_are_read_and_nothing_else() -> None:
    for address in ("/healthz", "/readyz", "/metrics"):
        assert Client().post(address).status_code == 405
    assert Client().head("/healthz").content == b""
