"""Workers: who is there, what it serves and which jobs it knows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import models

from programs.conf import settings
from programs.models.clock import Utc
from programs.models.operation import Operation, Verb
from programs.models.persistence import brief_transaction

REMEMBERED = timedelta(days=1)  # how long a worker that is gone stays in the list


class WorkerQuerySet(models.QuerySet["Worker"]):
    def live(self) -> WorkerQuerySet:
        """Those that were heard of within one lease, by the database's clock."""
        return self.filter(last_seen_at__gte=Utc(after=-settings.lease), stopped_at__isnull=True)

    def claiming(self) -> WorkerQuerySet:
        """Those that are live and that no operator has asked to end: these claim what is due."""
        return self.live().filter(drain_requested_at__isnull=True)

    def forgotten(self) -> WorkerQuerySet:
        """Those that have been gone for so long that nobody asks for them."""
        return self.filter(last_seen_at__lt=Utc(after=-REMEMBERED.total_seconds()))

    def ask_to_drain(self) -> bool:
        """Ask the one selected worker to end, if it is live and nobody has asked it before."""
        return bool(self.claiming().update(drain_requested_at=Utc()))

    def known_jobs(self) -> set[str]:
        """Return the names of all jobs that these workers know."""
        return {name for jobs in self.values_list("jobs", flat=True) for name in jobs}


class WorkerManager(models.Manager["Worker"]):
    def get_queryset(self) -> WorkerQuerySet:
        return WorkerQuerySet(self.model, using=self._db or settings.DATABASE)


class Worker(models.Model):
    """A supervisor process with its children. The row informs people; no claim depends on it."""

    name = models.CharField(max_length=150, unique=True)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    queues = models.JSONField()
    slots = models.IntegerField()
    jobs = models.JSONField()
    version = models.CharField(max_length=32)
    started_at = models.DateTimeField(db_default=Utc())
    last_seen_at = models.DateTimeField(db_default=Utc())
    stopped_at = models.DateTimeField(null=True)
    drain_requested_at = models.DateTimeField(null=True)

    objects = WorkerManager.from_queryset(WorkerQuerySet)()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_worker"
        ordering = ("-id",)
        permissions = (("drain_worker", "Can drain workers"),)

    def __str__(self) -> str:
        return self.name

    @property
    def alias(self) -> str:
        """The database that this row was read from."""
        return self._state.db or settings.DATABASE

    def last_drain(self) -> Operation | None:
        """Return how it was asked to end."""
        # Those without a program are few, and an index finds them.
        done = Operation.objects.using(self.alias).filter(program__isnull=True, subject=self.name)
        return done.filter(verb=Verb.DRAIN_WORKER).last()

    @classmethod
    def register(
        cls,
        *,
        name: str,
        host: str,
        pid: int,
        queues: Iterable[str],
        slots: int,
        jobs: Iterable[str],
        version: str,
    ) -> None:
        """Make the row, and drop those of workers long gone. Safe to repeat."""
        facts = {
            "host": host,
            "pid": pid,
            "queues": list(queues),
            "slots": slots,
            "jobs": sorted(jobs),
            "version": version,
        }
        with brief_transaction(settings.DATABASE):
            cls.objects.forgotten().delete()
            cls.objects.update_or_create(name=name, defaults=facts)

    @classmethod
    def heartbeat(cls, name: str) -> bool | None:
        """Note that this worker is alive, and tell whether an operator wants it to end.

        None: its row is gone, since it was silent for so long.
        """
        same = cls.objects.filter(name=name)
        with brief_transaction(settings.DATABASE):
            if not same.update(last_seen_at=Utc()):
                return None
            return same.filter(drain_requested_at__isnull=False).exists()

    @classmethod
    def sign_off(cls, name: str) -> None:
        """Note that this worker ended in good order."""
        cls.objects.filter(name=name).update(last_seen_at=Utc(), stopped_at=Utc())
