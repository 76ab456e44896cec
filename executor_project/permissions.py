"""What a user may do, read in one query: a client of the API sends each request by itself."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission


class OneQueryBackend(ModelBackend):
    """Django's own, which asks for a user's permissions and for those of the groups apart."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or user_obj.is_superuser or obj:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            names = Permission.objects.order_by().values_list("content_type__app_label", "codename")
            own, of_groups = names.filter(user=user_obj), names.filter(group__user=user_obj)
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in own.union(of_groups)}
        cached: set[str] = user_obj._perm_cache
        return cached
