"""The project's URLs: landing page, console, API."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView

from executor_project import tokens
from executor_project.failures import not_found, refused, server_error
from executor_project.reference import ReferenceView

admin.site.site_header = admin.site.site_title = "Program Executor"
admin.site.index_title = _("Console")

tokens.register()

urlpatterns = [
    path("", TemplateView.as_view(template_name="landing.html"), name="landing"),
    path("admin/", admin.site.urls),
    path("", include("programs.monitoring.urls")),
    path("api/docs/", ReferenceView.as_view(), name="reference"),
    path("api/", include("programs.api.urls")),
    path("api/login/", include("rest_framework.urls")),  # the link of the API's own pages
]

handler400 = refused
handler404 = not_found
handler500 = server_error
