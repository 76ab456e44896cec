"""The API's reference, to be read and tried out in a browser, with nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated


class ReferenceView(SpectacularSwaggerSplitView):
    """Swagger's pages, whose script and style are files, as our policy wants them."""

    authentication_classes: list[Any] = [SessionAuthentication]
    permission_classes: list[Any] = [IsAuthenticated]
    url_name = "programs:schema-list"
    title = "API · Program Executor"
