"""What the pages of definitions share: how one is found, and who may do what."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.urls import reverse

from programs.admin.switches import SwitchPages
from programs.admin.text import legible
from programs.admin.tools import Permission
from programs.definition import AnyDefinition, find_definition
from programs.models import Definition

VIEW = Permission.stock(Definition, "view")
ADD = Permission.stock(Definition, "add")
CHANGE_IT = Permission.stock(Definition, "change")
DELETE = Permission.stock(Definition, "delete")
START = Permission.own(Definition, "start_definition")
FLAGS = {"added": ADDITION, "changed": CHANGE, "deleted": DELETION}


class DefinitionPages(SwitchPages):
    """The pages of definitions. Each is known by its name: those in code have no other key."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return VIEW.is_held(request)  # the stock admin takes that to change for it, too

    def has_add_permission(self, request: HttpRequest) -> bool:
        return ADD.is_held(request)

    def find(self, request: HttpRequest, name: str) -> AnyDefinition:
        """Return the definition of a page, or refuse. The admin's own links quote the name."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = find_definition(name) or find_definition(unquote(name))
        if found is None:
            raise Http404(f"There is no definition {name}.")
        return found

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return the row of a definition by its name: the admin's history asks for it."""
        names = {object_id, unquote(object_id)}
        return Definition.objects.filter(name__in=names).first()

    def log(self, request: HttpRequest, name: str, deed: str) -> None:
        """Write what was done into the admin's own history, as the stock pages do."""
        user: Any = request.user
        LogEntry.objects.create(
            user_id=user.pk,
            content_type=ContentType.objects.get_for_model(Definition, for_concrete_model=False),
            object_id=name,
            object_repr=legible(name)[:200],
            action_flag=FLAGS[deed],
            change_message=f'[{{"{deed}": {{}}}}]',
        )

    def schedules_url(self, page: str = "changelist", *arguments: object) -> str:
        return reverse(
            f"admin:programs_schedule_{page}", args=arguments, current_app=self.admin_site.name
        )
