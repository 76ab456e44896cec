"""What a user may do, read by one statement: a client of the API sends each request by itself."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db import connections, router


class OneQueryBackend(ModelBackend):
    """Django's own, which asks for a user's permissions and for those of the groups apart."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or user_obj.is_superuser or obj:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            alias = router.db_for_read(Permission)
            with connections[alias].cursor() as cursor:
                cursor.execute(statement(alias), [user_obj.pk, user_obj.pk])
                user_obj._perm_cache = {f"{app}.{codename}" for app, codename in cursor.fetchall()}
        cached: set[str] = user_obj._perm_cache
        return cached


@cache
def statement(alias: str) -> str:
    """Return what Django makes of the question: to make it takes longer than to answer it."""
    names = Permission.objects.using(alias).order_by()
    names_only = names.values_list("content_type__app_label", "codename")
    held = names_only.filter(user=0).union(names_only.filter(group__user=0)).order_by()
    sql, given = held.query.get_compiler(alias).as_sql()
    assert given == (0, 0)  # in the place of both: the user's key
    return str(sql)
