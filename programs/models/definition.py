"""Definitions that operators made: a name for programs of one kind. Others stand in code."""

from __future__ import annotations

from django.db import models

from programs.conf import settings
from programs.models.clock import Utc
from programs.models.columns import DEFAULT_QUEUE

NAME_LENGTH = 100  # characters of a definition's name


class DefinitionManager(models.Manager["Definition"]):
    def get_queryset(self) -> models.QuerySet[Definition]:
        return models.QuerySet(self.model, using=self._db or settings.DATABASE)


class Definition(models.Model):
    """What programs of one kind are made of. To change it changes no program that exists."""

    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(default="", blank=True)
    jobs = models.JSONField()
    program_data = models.JSONField(default=dict)
    job_data = models.JSONField(default=dict)
    queue = models.CharField(max_length=100, default=DEFAULT_QUEUE)
    created_at = models.DateTimeField(db_default=Utc())
    updated_at = models.DateTimeField(db_default=Utc())
    created_by = models.CharField(max_length=255, null=True)

    objects = DefinitionManager()

    class Meta:
        db_table = f"{settings.TABLE_NAME}_definition"
        ordering = ("name",)
        unique_together = (("name",),)
        permissions = (("start_definition", "Can start programs from definitions"),)

    def __str__(self) -> str:
        return self.name
