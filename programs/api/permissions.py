"""Who may do what over the API: the permissions of the console."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.permissions import BasePermission, DjangoModelPermissions
from rest_framework.request import Request
from rest_framework.views import APIView

VIEW = ["%(app_label)s.view_%(model_name)s"]


class ProgramPermissions(DjangoModelPermissions):
    """The model's own permissions, that of viewing included."""

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": VIEW,
        "HEAD": VIEW,
        "OPTIONS": VIEW,
    }


class MaySteer(BasePermission):
    """An operation needs its own permission, and that of viewing: the answer shows the program."""

    permission: ClassVar[str]

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perms(["programs.view_program", self.permission])


class MayStop(MaySteer):
    permission = "programs.stop_program"
