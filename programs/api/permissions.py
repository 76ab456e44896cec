"""Who may do what over the API: the permissions of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from programs.api.errors import Missing

if TYPE_CHECKING:
    from programs.api.endpoint import Endpoint


VIEW = "programs.view_program"


class Permitted(BasePermission):
    """An action needs what its endpoint says, and one that says nothing is closed to everybody."""

    def has_permission(self, request: Request, view: Endpoint) -> bool:  # type: ignore[override]
        if not request.user.is_authenticated:
            raise NotAuthenticated
        for permission in view.needed():
            require(request, permission)
        return True


def require(request: Request, permission: str) -> None:
    """Refuse, with its name, who lacks a permission."""
    if not request.user.has_perm(permission):
        raise Missing(permission)
