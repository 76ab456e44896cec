"""What is measured: the parts, who takes part in each, and the goals of issue 6's table."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.contestant import Contestant, Place
from benchmarks.figures import Goal

Reading = tuple[str, str]  # a contestant's key, and the name of what it found


@dataclass(frozen=True)
class Comparison:
    """A figure to print: a reading, against another one of the same round or a constant."""

    name: str
    of: Reading
    against: Reading | float | None = None
    goal: Goal | None = None
    unit: str = ""  # of an absolute figure; without one it is a ratio


@dataclass(frozen=True)
class Part:
    letter: str
    title: str
    contestants: tuple[Contestant, ...]
    comparisons: tuple[Comparison, ...]
    judged_by: str = "rate"  # the reading by which a peer's best variant is chosen
    rounds: int | None = None  # where fewer than the others are enough


HERE = (
    "row and attempt committed before the next step; hint persistent, quorum queue, confirmed, "
    "acked after the claim"
)
EMBEDDED_HERE = "row and attempt in one transaction, on the disk before the next step; no broker"
RAW = "the same claim and outcomes, each committed; no broker, no jobs, no leases"
INSERTS = "the INSERT of create_program, each committed; no checks, no hints"
PUBLISHES = "persistent messages, quorum queue, each confirmed before the next"
CELERY = "persistent messages, durable queue; no confirms, acked early; nothing stored"
CELERY_RESULTS = (
    "persistent messages, durable queue; no confirms, acked early; each result a row, committed"
)
DRAMATIQ = "persistent messages, durable queue; no confirms, acked after the job; nothing stored"
PROCRASTINATE = (
    "each job a row with its events, claim and end committed; `next` defers the job after it, "
    "`lock` defers all at once and keeps their order by a lock"
)
DBOS = "the workflow and each step a row, committed; `direct` without its queue"


def _ours(
    key: str, name: str, programs: float, *command: str, place: Place = Place.SERVERS
) -> Contestant:
    did = EMBEDDED_HERE if place is Place.SQLITE else HERE
    return Contestant(key, name, ("benchmarks.measures", *command), programs, did, place)


def _raw(key: str, name: str, programs: float, *command: str, did: str = RAW) -> Contestant:
    return Contestant(key, name, ("benchmarks.raw", *command), programs, did)


def _peer(
    key: str, name: str, did: str, programs: float, variants: tuple[str, ...], *command: str
) -> Contestant:
    environment = {"CELERY_RESULTS": "1"} if key == "celery-results" else None
    return Contestant(
        key,
        name,
        ("benchmarks.peers", *command),
        programs,
        did,
        peer=True,
        variants=variants,
        environment=environment,
    )


CELERY_POOLS = ("threads-8", "solo", "prefork-1")
DRAMATIQ_THREADS = ("threads-8", "threads-1")

CELERY_DRAIN = ("celery_chain", "drain")

DRAIN = Part(
    "A",
    "drain of three no-op jobs a program, one worker process",
    (
        _ours("ours-8", "Program Executor, 8 threads", 1, "drain"),
        _raw("raw-8", "raw limit, 8 threads", 1, "drain", "--threads", "8"),
        _ours("ours-1", "Program Executor, 1 thread", 0.5, "drain", "--threads", "1"),
        _raw("raw-1", "raw limit, 1 thread", 1, "drain", "--threads", "1"),
        *(
            _peer(f"celery-{pool}", f"Celery chain, {pool}", CELERY, 0.8, (pool,), *CELERY_DRAIN)
            for pool in CELERY_POOLS
        ),
        _peer(
            "celery-results",
            "Celery chain, django-celery-results",
            CELERY_RESULTS,
            0.1,
            CELERY_POOLS,
            *CELERY_DRAIN,
        ),
        _peer(
            "dramatiq",
            "Dramatiq pipeline",
            DRAMATIQ,
            1,
            DRAMATIQ_THREADS,
            *("dramatiq_pipeline", "drain"),
        ),
        _peer(
            "procrastinate",
            "Procrastinate",
            PROCRASTINATE,
            0.2,
            ("next-8", "lock-8", "lock-1"),
            *("procrastinate_chain", "drain"),
        ),
        _peer(
            "dbos",
            "DBOS workflow",
            DBOS,
            0.2,
            ("direct-8", "queue-8"),
            *("dbos_workflow", "drain"),
        ),
        _raw("pika", "pika, publishes a second", 0.5, "publishes", did=PUBLISHES),
    ),
    (
        *(
            Comparison(
                f"8 threads ÷ Celery, {pool}",
                ("ours-8", "rate"),
                (f"celery-{pool}", "rate"),
                Goal(must=2),
            )
            for pool in CELERY_POOLS
        ),
        Comparison(
            "8 threads ÷ Celery with results", ("ours-8", "rate"), ("celery-results", "rate")
        ),
        Comparison("8 threads ÷ Dramatiq", ("ours-8", "rate"), ("dramatiq", "rate"), Goal(aim=1)),
        Comparison(
            "8 threads ÷ Procrastinate",
            ("ours-8", "rate"),
            ("procrastinate", "rate"),
            Goal(must=5),
        ),
        Comparison("8 threads ÷ DBOS", ("ours-8", "rate"), ("dbos", "rate"), Goal(must=5)),
        Comparison(
            "8 threads ÷ raw limit, 8 threads", ("ours-8", "rate"), ("raw-8", "rate"), Goal(aim=0.6)
        ),
        Comparison(
            "1 thread ÷ raw limit, 1 thread",
            ("ours-1", "rate"),
            ("raw-1", "rate"),
            Goal(must=0.4, aim=0.6),
        ),
    ),
)

DATA = Part(
    "B",
    "the same, with get and merge in each job",
    (
        _ours("ours", "three no-op jobs, 8 threads", 1, "drain"),
        _ours("data", "three jobs with get and merge, 8 threads", 1, "drain", "--job", "count"),
    ),
    (
        Comparison(
            "with data ÷ without", ("data", "rate"), ("ours", "rate"), Goal(must=0.8, aim=0.9)
        ),
    ),
)

CHAIN = Part(
    "C",
    "forty no-op jobs, idle system, created to finished",
    (
        _ours("ours", "Program Executor, 8 threads", 0.01, "latency", "--steps", "40"),
        _peer(
            "celery",
            "Celery chain",
            CELERY,
            0.01,
            CELERY_POOLS,
            *("celery_chain", "latency", "--steps", "40"),
        ),
        _peer(
            "dramatiq",
            "Dramatiq pipeline",
            DRAMATIQ,
            0.01,
            DRAMATIQ_THREADS,
            *("dramatiq_pipeline", "latency", "--steps", "40"),
        ),
    ),
    (
        Comparison("40 steps", ("ours", "from_call"), unit="ms"),
        Comparison(
            "time ÷ Celery's",
            ("ours", "from_call"),
            ("celery", "median"),
            Goal(must=1, at_most=True),
        ),
        Comparison(
            "time ÷ Dramatiq's",
            ("ours", "from_call"),
            ("dramatiq", "median"),
            Goal(aim=0.8, at_most=True),
        ),
    ),
    judged_by="median",
)

LATENCY = Part(
    "D",
    "three no-op jobs, idle system, finished_at - created_at",
    (_ours("ours", "Program Executor, 8 threads", 0.1, "latency"),),
    (
        Comparison("median", ("ours", "median"), goal=Goal(5, 3, at_most=True), unit="ms"),
        Comparison("99th percentile", ("ours", "slow"), goal=Goal(20, 12, at_most=True), unit="ms"),
    ),
)

CREATION = Part(
    "E",
    "creation",
    (
        _ours("ours", "create_program and create_programs", 0.5, "creation"),
        _raw("raw", "the same INSERT from bare psycopg2", 0.5, "inserts", did=INSERTS),
    ),
    (
        Comparison(
            "one caller ÷ raw inserts", ("ours", "one"), ("raw", "rate"), Goal(must=0.4, aim=0.5)
        ),
        Comparison("many at once", ("ours", "many"), goal=Goal(5000, 10_000), unit="/s"),
        Comparison("many at once, until hinted", ("ours", "hinted"), unit="/s"),
    ),
)

PROCESSES = Part(
    "F",
    "more children, 8 threads each",
    (
        _ours("one", "one child", 1, "drain"),
        _ours("two", "two children", 1, "drain", "--processes", "2"),
        _ours("four", "four children", 1, "drain", "--processes", "4"),
    ),
    (
        Comparison("two ÷ one", ("two", "rate"), ("one", "rate"), Goal(must=1.1, aim=1.3)),
        Comparison("four ÷ one", ("four", "rate"), ("one", "rate")),
    ),
)

MEMORY = Part(
    "G",
    "resident memory of the child after 10,000 programs",
    (_ours("ours", "Program Executor, 8 threads", 10 / 3, "memory"),),
    (
        Comparison("half way", ("ours", "half"), unit="MB"),
        Comparison("at the end", ("ours", "end"), goal=Goal(90, 80, at_most=True), unit="MB"),
    ),
    rounds=2,
)

BACKLOG = Part(
    "H",
    "1,000,000 programs wait: claims, and a drain",
    (
        _ours("small", "drain, nothing else waits", 1, "drain"),
        _ours("large", "drain, a million others wait", 1, "drain-among", place=Place.LARGE),
        _ours("claims", "claims, a million wait", 0.2, "claims", place=Place.LARGE),
    ),
    (
        Comparison(
            "drain ÷ drain of an empty table",
            ("large", "rate"),
            ("small", "rate"),
            Goal(must=0.9, aim=0.97),
        ),
        Comparison("claim by hint, median", ("claims", "hint"), unit="ms"),
        Comparison(
            "claim by hint, 99th percentile",
            ("claims", "hint_slow"),
            goal=Goal(must=20, at_most=True),
            unit="ms",
        ),
        Comparison("claim by sweep, median", ("claims", "sweep"), unit="ms"),
        Comparison(
            "claim by sweep, 99th percentile",
            ("claims", "sweep_slow"),
            goal=Goal(must=20, at_most=True),
            unit="ms",
        ),
    ),
)

EMBEDDED = Part(
    "I",
    "the embedded default: SQLite, no broker",
    (
        _ours("drain", "drain, 8 threads", 1, "drain", place=Place.SQLITE),
        _ours("latency", "three jobs, idle system", 0.05, "latency", place=Place.SQLITE),
    ),
    (
        Comparison("drain", ("drain", "rate"), goal=Goal(400, 800), unit="/s"),
        Comparison("latency, median", ("latency", "median"), unit="ms"),
        Comparison("latency, 99th percentile", ("latency", "slow"), unit="ms"),
    ),
)

# Half a minute a round, so that the start of 32 threads and their last programs weigh little.
NAPS = Part(
    "J",
    "jobs that sleep 50 ms, 32 threads",
    (_ours("ours", "32 threads", 1.92, "drain", "--job", "nap", "--threads", "32"),),
    (
        Comparison("jobs", ("ours", "jobs"), unit="/s"),
        Comparison("÷ the ideal 640 jobs/s", ("ours", "jobs"), 640.0, Goal(must=0.95, aim=0.98)),
    ),
)

PARTS = {
    part.letter: part
    for part in (
        *(DRAIN, DATA, CHAIN, LATENCY, CREATION),
        *(PROCESSES, MEMORY, BACKLOG, EMBEDDED, NAPS),
    )
}
