"""What a page offers to do, or, to who may not do it, which permission is wanting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest

from programs.admin.text import Words


class Permission(NamedTuple):
    """A permission of the app."""

    codename: str
    name: str  # as the admin calls it

    @classmethod
    def own(cls, model: type[Model], codename: str) -> Permission:
        """Return one that the model declares by itself."""
        return cls(codename, str(dict(model._meta.permissions)[codename]))

    @classmethod
    def stock(cls, model: type[Model], action: str) -> Permission:
        """Return one that Django gives every model: to add, change, delete or view it."""
        meta = model._meta
        return cls(get_permission_codename(action, meta), f"Can {action} {meta.verbose_name_raw}")

    def is_held(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"programs.{self.codename}")


@dataclass(frozen=True)
class Tool:
    """One deed that has a page of its own."""

    name: str
    label: Words
    url: str
    missing: str  # the permission that is wanting; empty: it may be done

    @classmethod
    def of(
        cls, request: HttpRequest, name: str, label: Words, url: str, permission: Permission
    ) -> Tool:
        missing = "" if permission.is_held(request) else permission.name
        return cls(name, label, url, missing)
